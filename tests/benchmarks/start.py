"""Time until the app is usable, time from page to page, and memory of the server.

    python -m tests.benchmarks.start [--only start pages lessons memory] [--rounds 5]

start    from `streamlit run` to a slider that moves, in a Chromium that is already open: app.py and
         a page with nothing but one slider, taking turns, each on a new server and for a new
         visitor.
pages    from a click on Attention, and back on Train, to the first chart of the new page, once both
         have been open.
lessons  from a click on the link to the next lesson page to its end and all charts in sight, in the
         second to fourth tour.
memory   what the server holds after both pages were opened, and after every fiftieth of five
         hundred small runs in a row, each started and watched from one open page; growth is from
         the hundredth to the last.
"""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page

from tests.benchmarks.app_runs import (
    app,
    chromium,
    has_state,
    report,
    run_folder,
    run_parts,
    train_url,
)
from tests.benchmarks.visitors import Visitor
from tests.e2e.server import PROJECT, Server
from vitdemo.ui.lessons.order import ORDER

BARE = 'import streamlit as st\n\nst.title("One slider")\nst.slider("Depth", 1, 12, 7)\n'
CHANGES = 10  # from page to page, there and back
RUNS = 500
TINY = {"depth": 1, "num_heads": 1, "embed_dim": 16, "epochs": 1, "warmup_epochs": 0.0}
TINY |= {"train_images": 100, "validation_images": 100}
GROWTH = 0.05  # of the memory after 100 runs; more counts as growth
TOURS = 3  # of the lessons, that count
FIRST_CHART = {
    "Attention": '[role=img][aria-label^="Attention of"] .main-svg',
    "Train": '[role=img][aria-label^="Accuracy by epoch"] .main-svg',
}
# Milliseconds from a click on a link to the first frame in which the selector finds something.
TIME_TO_ELEMENT = """([link, selector]) => new Promise(resolve => {
    const clicked = performance.now();
    const look = () => document.querySelector(selector)
        ? resolve(performance.now() - clicked) : requestAnimationFrame(look);
    link.click();
    look();
})"""
# The same to a page's title, its last link, and all charts in sight.
TIME_TO_PAGE = """([link, title, last]) => new Promise(resolve => {
    const clicked = performance.now();
    const links = () => [...document.querySelectorAll(
        "[data-testid=stMain] [data-testid=stPageLink]")];
    const charts = () => [...document.querySelectorAll(".charts > [role=img]")];
    const done = () => document.querySelector("h1")?.textContent.includes(title)
        && links().at(-1)?.textContent.includes(last)
        && charts().every(chart => chart.getBoundingClientRect().top > innerHeight
            || chart.querySelector(".main-svg"));
    const look = () => done() ? resolve(performance.now() - clicked) : requestAnimationFrame(look);
    link.click();
    look();
})"""


def seconds_to_slider(browser: Browser, script: Path, home: Path) -> float:
    """Start a server on this script, open it, and return the seconds until its slider moves."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--server.headless", "true", "--server.port", str(port)]
    command = [sys.executable, "-m", "streamlit", "run", str(script), *options]
    visitor = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    environment = os.environ | {"VITDEMO_HOME": str(home)}
    started = time.perf_counter()
    with (home / "server.log").open("a") as log:
        # From the same folder, so that both have the same .streamlit/config.toml.
        server = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
    try:
        wait_for_port(port)
        visitor.goto(f"http://127.0.0.1:{port}", wait_until="commit")
        move_slider(visitor)
        return time.perf_counter() - started
    finally:
        visitor.context.close()
        server.send_signal(signal.SIGKILL)
        server.wait()


def move_slider(visitor: Page) -> None:
    """Wait for the slider Depth and move it by one step."""
    # Asked in every frame: the locator's own wait asks every 500 ms, which hides what differs.
    visitor.wait_for_function("document.querySelector('input[type=range][aria-label=Depth]')")
    slider = visitor.locator("input[type=range][aria-label=Depth]")
    before = slider.input_value()
    slider.focus()
    visitor.keyboard.press("ArrowRight")
    visitor.wait_for_function(
        "before => document.querySelector('input[type=range][aria-label=Depth]').value != before",
        arg=before,
    )


def wait_for_port(port: int) -> None:
    """Block until something listens on this port."""
    while True:
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)


def start(home: Path, rounds: int) -> None:
    """Compare the app with a page that has nothing but a slider."""
    bare = home / "bare.py"
    bare.write_text(BARE)
    seconds = {bare: [], PROJECT / "app.py": []}
    with chromium() as browser:
        for turn in range(-1, rounds):  # the first one fills the disk cache
            for script, measured in seconds.items():
                value = seconds_to_slider(browser, script, home)
                if turn >= 0:
                    measured.append(value)
    for script, measured in seconds.items():
        values = ", ".join(f"{value:.2f}" for value in measured)
        print(f"{script.name}: {values} s; median {median(measured):.2f} s")
    bare_seconds, app_seconds = (median(measured) for measured in seconds.values())
    ratio = app_seconds / bare_seconds
    name = "streamlit run to a slider that moves, app / bare"
    report(name, f"{ratio:.2f} times", "at most 1.2 times", ratio <= 1.2)


def go_to(page: Page, name: str) -> float:
    """Click on Train or Attention and return the milliseconds to its first chart."""
    link = page.get_by_role("link", name=name, exact=True).element_handle()
    return page.evaluate(TIME_TO_ELEMENT, [link, FIRST_CHART[name]])


def open_both(browser: Browser, server: Server) -> Page:
    """Open Train, Attention and Train again, and return the browser's page."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(120_000)
    page.goto(server.url)
    page.locator(FIRST_CHART["Train"]).first.wait_for()
    go_to(page, "Attention")
    go_to(page, "Train")
    return page


def pages(home: Path, _rounds: int) -> None:
    """Measure changes between Train and Attention."""
    times = {"Attention": [], "Train": []}
    with app(home) as server, chromium() as browser:
        page = open_both(browser, server)
        page.wait_for_timeout(5000)  # for what is loaded in the background
        for _ in range(CHANGES):
            for name, milliseconds in times.items():
                milliseconds.append(go_to(page, name))
                page.wait_for_timeout(1000)  # for the rest of the page
    for name, milliseconds in times.items():
        report_times(f"to the first chart of {name}, {CHANGES} times", milliseconds)


def report_times(name: str, milliseconds: list[float]) -> None:
    """Report median and maximum of some page changes."""
    worst = max(milliseconds)
    value = f"{median(milliseconds):.0f} ms, worst {worst:.0f}"
    report(name, value, "at most 500 ms", worst <= 500)


def lessons(home: Path, _rounds: int) -> None:
    """Measure changes from each lesson page to the next, to its end."""
    times = {place: [] for place in (*ORDER[1:], ORDER[0])}
    with app(home) as server, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(120_000)
        for tour in range(TOURS + 1):  # the first one warms up
            page.goto(f"{server.url}/{ORDER[0].name}")
            page.get_by_role("heading", name=ORDER[0].title).wait_for()
            for place, milliseconds in times.items():
                if place == ORDER[0]:  # it is reached from the second page
                    page.goto(f"{server.url}/{ORDER[1].name}")
                link = page.get_by_test_id("stMain").get_by_role("link", name=place.title)
                link.wait_for()
                page.wait_for_timeout(2000)  # for the rest of the page
                arguments = [link.element_handle(), place.title, last_link(place)]
                value = page.evaluate(TIME_TO_PAGE, arguments)
                if tour:
                    milliseconds.append(value)
    for place, milliseconds in times.items():
        report_times(f"all of {place.name}, {TOURS} times", milliseconds)


def last_link(place) -> str:
    """Return the text of the last link on a lesson page: the next page, or the one before."""
    number = ORDER.index(place)
    return ORDER[number - 1 if place == ORDER[-1] else number + 1].title


def megabytes(server: Server, part: str = "VmRSS") -> float:
    """Return the memory of the server; RssFile is the part that maps files of libraries."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(rf"{part}:\s+(\d+) kB", status)[1]) / 1024


async def train_in_a_row(server: Server) -> dict[int, float]:
    """Train many small runs and return the memory after every fiftieth: runs -> megabytes."""
    memory_after = {}
    async with Visitor(server.url, train_url(TINY)) as visitor:
        for done in range(1, RUNS + 1):
            await visitor.press("Train")
            folder = run_folder(server, visitor.query)
            while not has_state(folder, "finished"):
                await asyncio.sleep(0.1)
            await visitor.rerun()  # the page with the results
            assert len(list(folder.parent.iterdir())) == done
            if done % 50 == 0:
                await asyncio.sleep(2)
                memory_after[done] = megabytes(server)
    return memory_after


def memory(home: Path, _rounds: int) -> None:
    """Measure the memory of the server when it is idle and after many runs."""
    with app(home) as server:
        with chromium() as browser:
            open_both(browser, server).wait_for_timeout(8000)  # for what loads in the background
            idle, files = megabytes(server), megabytes(server, "RssFile")
        report("memory after both pages were opened", f"{idle:.0f} MB", "under 700 MB", idle < 700)
        print(f"  of it {files:.0f} MB are mapped files of libraries")
        after = asyncio.run(train_in_a_row(server))
    print(f"  after runs: {', '.join(f'{done}: {value:.0f} MB' for done, value in after.items())}")
    grown = after[RUNS] - after[100]
    name = f"memory, from 100 to {RUNS} runs"
    report(name, f"{grown:+.0f} MB", "no growth", grown <= GROWTH * after[100])


if __name__ == "__main__":
    run_parts(__doc__, (start, pages, lessons, memory), rounds=5)
