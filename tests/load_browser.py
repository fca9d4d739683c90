"""A student of the load test with a real browser."""

import time
from contextlib import suppress

from playwright.sync_api import Page, TimeoutError

from tests.benchmarks.app_runs import chromium
from tests.load_student import EVERY, Student, settings, wait_for_turn
from vitdemo.training.metrics import METRICS

# Milliseconds from a key on the slider Depth to the frame that shows another number of parameters.
MOVE = """key => new Promise(resolve => {
    const shown = () => [...document.querySelectorAll("[data-testid=stMetric]")]
        .find(metric => metric.textContent.startsWith("Parameters")).textContent;
    const before = shown(), started = performance.now();
    const slider = document.querySelector('input[type=range][aria-label="Depth"]');
    slider.focus();
    slider.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    const look = () => shown() != before
        ? resolve(performance.now() - started) : requestAnimationFrame(look);
    look();
})"""
ENDED = "Metrics after the last epoch"  # heading of an ended run
COMPLETE = "[role=img][aria-label*='by epoch, after epoch {}:']"


def attend_in_chromium(url: str, epochs: int, begun: float, number: int, student: Student) -> None:
    """Be a student, to the end of the run."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(600_000)
        page.goto(f"{url}/?{settings(epochs, number)}")
        page.get_by_role("heading", name="Train a Vision").wait_for()
        page.get_by_role("combobox", name="Run").wait_for()
        wait_for_turn(begun, number)
        pressed = time.monotonic()
        page.get_by_role("button", name="Train", exact=True).click()
        page.get_by_role("heading", name=ENDED).wait_for(state="hidden")  # of the run shown before
        keys = ["ArrowRight", "ArrowLeft"]
        while not student.end:
            moved = time.monotonic()
            student.answers.append(page.evaluate(MOVE, keys[0]) / 1000)
            keys.reverse()
            while time.monotonic() < moved + EVERY and not student.end:
                look(page, student, time.monotonic() - pressed, epochs)
                page.wait_for_timeout(200)


def look(page: Page, student: Student, seconds: float, epochs: int) -> None:
    """Note when the page first shows an epoch, and the end of the run with complete curves."""
    has_ended = page.get_by_role("heading", name=ENDED).is_visible()
    shows_epoch = page.get_by_role("link", name="View attention").is_visible()
    if not student.first_epoch and (shows_epoch or has_ended):
        student.first_epoch = seconds
    if has_ended:
        student.end = seconds
        curves = page.locator(COMPLETE.format(epochs))
        with suppress(TimeoutError):  # drawn after the words
            curves.nth(len(METRICS) - 1).wait_for(state="attached", timeout=10_000)
        student.curves = curves.count()
