"""How soon the app is there, how soon it turns a page, and how much memory it holds.

    python -m tests.benchmarks.start [--only start pages lessons memory] [--rounds 5]

start    from `streamlit run` to a slider that moves, in a Chromium that is open already: app.py and a page with nothing
         but one slider, in turns, each on a new server and for a new visitor.
pages    from a click on Attention, and back on Train, to the new page's first chart, once both have been seen.
lessons  from a click on the link to the next page of the annotation to its end and all charts in sight, in the second to
         fourth tour.
memory   what the server holds after both pages were opened, and after each ten of fifty trainings in a row, small ones,
         each begun and watched from one open page; growth is from the tenth to the fiftieth.
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

from tests.benchmarks.app_runs import address, app, chromium, is_in, report, run_parts
from tests.benchmarks.visitors import Visitor
from tests.e2e.server import PROJECT, Server
from vitdemo.ui.lessons.order import ORDER

BARE = 'import streamlit as st\n\nst.title("One slider")\nst.slider("Depth", 1, 12, 7)\n'
CHANGES = 10  # of the page, there and back
TRAININGS = 50
TINY = {"depth": 1, "num_heads": 1, "embed_dim": 16, "epochs": 1, "warmup_epochs": 0.0} | {
    "train_images": 100,
    "validation_images": 100,
}
GROWTH = 0.05  # of the memory after ten trainings: more counts as growth
# Milliseconds from a click on a link to the first frame in which the selector finds something.
TURN = """(link, selector) => new Promise(resolve => {
    const clicked = performance.now();
    const look = () => document.querySelector(selector)
        ? resolve(performance.now() - clicked) : requestAnimationFrame(look);
    link.click();
    look();
})"""
FIRST_CHART = {
    "Attention": '[role=img][aria-label^="Attention of"] .main-svg',
    "Train": '[role=img][aria-label^="Accuracy by epoch"] .main-svg',
}


# Likewise to a page's title, its last link, and all charts in sight.
ALL_THERE = """([link, title, last]) => new Promise(resolve => {
    const clicked = performance.now();
    const there = () => document.querySelector("h1")?.textContent.includes(title)
        && [...document.querySelectorAll("[data-testid=stMain] [data-testid=stPageLink]")].at(-1)?.textContent.includes(last)
        && [...document.querySelectorAll(".charts > [role=img]")].every(
            chart => chart.getBoundingClientRect().top > innerHeight || chart.querySelector(".main-svg"));
    const look = () => there() ? resolve(performance.now() - clicked) : requestAnimationFrame(look);
    link.click();
    look();
})"""
TOURS = 3  # of the annotation, that count


def seconds_to_slider(browser: Browser, script: Path, home: Path) -> float:
    """Start a server on this script and open it; until its slider has taken a step."""
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
        slider = visitor.locator('input[type=range][aria-label="Depth"]')
        slider.wait_for(state="attached")
        before = slider.input_value()
        slider.focus()
        visitor.keyboard.press("ArrowRight")
        visitor.wait_for_function(
            "before => document.querySelector('input[type=range][aria-label=Depth]').value != before",
            arg=before,
        )
        return time.perf_counter() - started
    finally:
        visitor.context.close()
        server.send_signal(signal.SIGKILL)
        server.wait()


def wait_for_port(port: int) -> None:
    """Until something listens there."""
    while True:
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)


def start(home: Path, rounds: int) -> None:
    """The app beside a bare page."""
    bare = home / "bare.py"
    bare.write_text(BARE)
    taken = {bare: [], PROJECT / "app.py": []}
    with chromium() as browser:
        for turn in range(-1, rounds):  # the first fills the disk's cache
            for script, seconds in taken.items():
                value = seconds_to_slider(browser, script, home)
                if turn >= 0:
                    seconds.append(value)
    for script, seconds in taken.items():
        print(
            f"{script.name}: {', '.join(f'{value:.2f}' for value in seconds)} s; median {median(seconds):.2f} s"
        )
    bare_seconds, app_seconds = (median(seconds) for seconds in taken.values())
    ratio = app_seconds / bare_seconds
    report(
        "streamlit run to a slider that moves, app / bare",
        f"{ratio:.2f} times",
        "at most 1.2 times",
        ratio <= 1.2,
    )


def turn_to(page: Page, name: str) -> float:
    """Milliseconds to the other page's first chart."""
    link = page.get_by_role("link", name=name, exact=True).element_handle()
    return page.evaluate(
        f"([link, selector]) => ({TURN})(link, selector)", [link, FIRST_CHART[name]]
    )


def open_both(browser: Browser, server: Server) -> Page:
    """A page that has shown Train and Attention, and shows Train."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(120_000)
    page.goto(server.url)
    page.locator(FIRST_CHART["Train"]).first.wait_for()
    turn_to(page, "Attention")
    turn_to(page, "Train")
    return page


def pages(home: Path, _rounds: int) -> None:
    """From page to page."""
    taken = {"Attention": [], "Train": []}
    with app(home) as server, chromium() as browser:
        page = open_both(browser, server)
        page.wait_for_timeout(5000)  # what is loaded in the background is loaded
        for _ in range(CHANGES):
            for name, milliseconds in taken.items():
                milliseconds.append(turn_to(page, name))
                page.wait_for_timeout(1000)  # the rest of the page is drawn
    for name, milliseconds in taken.items():
        worst = max(milliseconds)
        said = f"{median(milliseconds):.0f} ms, worst {worst:.0f}"
        report(
            f"to the first chart of {name}, {CHANGES} times", said, "at most 500 ms", worst <= 500
        )


def lessons(home: Path, _rounds: int) -> None:
    """From page to page of the annotation, to its end."""
    taken = {place: [] for place in (*ORDER[1:], ORDER[0])}
    with app(home) as server, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(120_000)
        for tour in range(TOURS + 1):  # the first warms up
            page.goto(f"{server.url}/{ORDER[0].name}")
            page.get_by_role("heading", name=ORDER[0].title).wait_for()
            for place, milliseconds in taken.items():
                if place == ORDER[0]:  # back to it, from the second
                    page.goto(f"{server.url}/{ORDER[1].name}")
                link = page.get_by_test_id("stMain").get_by_role("link", name=place.title)
                link.wait_for()
                page.wait_for_timeout(2000)  # the rest of the page is drawn
                last = (
                    ORDER[-2] if place == ORDER[-1] else ORDER[ORDER.index(place) + 1]
                )  # where its last link leads
                value = page.evaluate(ALL_THERE, [link.element_handle(), place.title, last.title])
                if tour:
                    milliseconds.append(value)
    for place, milliseconds in taken.items():
        worst = max(milliseconds)
        said = f"{median(milliseconds):.0f} ms, worst {worst:.0f}"
        report(f"all of {place.name}, {TOURS} times", said, "at most 500 ms", worst <= 500)


def megabytes(server: Server, part: str = "VmRSS") -> float:
    """Memory that the server's process holds; RssFile is the part that is files of libraries, which others may share."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(rf"{part}:\s+(\d+) kB", status)[1]) / 1024


async def train_in_a_row(server: Server) -> dict[int, float]:
    """Trainings done -> memory then."""
    held = {}
    async with Visitor(server.url, address(TINY)) as visitor:
        for done in range(1, TRAININGS + 1):
            await visitor.press("Train")
            folder = server.home / "runs" / re.search(r"run=([\w-]+)", visitor.query)[1]
            while not is_in(folder, "finished"):
                await asyncio.sleep(0.1)
            await visitor.rerun()  # the page with the results
            assert len(list(folder.parent.iterdir())) == done
            if done % 10 == 0:
                await asyncio.sleep(2)
                held[done] = megabytes(server)
    return held


def memory(home: Path, _rounds: int) -> None:
    """Idle, and after many trainings."""
    with app(home) as server:
        with chromium() as browser:
            open_both(browser, server).wait_for_timeout(
                8000
            )  # what is loaded in the background is loaded
            idle, files = megabytes(server), megabytes(server, "RssFile")
        report("memory after both pages were opened", f"{idle:.0f} MB", "under 700 MB", idle < 700)
        print(f"  of it {files:.0f} MB are libraries as they lie on disk")
        held = asyncio.run(train_in_a_row(server))
    print(
        f"  after so many trainings: {', '.join(f'{done}: {mb:.0f} MB' for done, mb in held.items())}"
    )
    grown = held[TRAININGS] - held[10]
    report(
        "memory, from ten to fifty trainings",
        f"{grown:+.0f} MB",
        "no growth",
        grown <= GROWTH * held[10],
    )


if __name__ == "__main__":
    run_parts(__doc__, (start, pages, lessons, memory), rounds=5)
