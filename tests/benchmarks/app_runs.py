"""Start the app and training runs for the benchmarks, read the runs' files, and report results."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from tests.benchmarks.visitors import Visitor
from tests.e2e.conftest import CHROMIUM, FLAGS
from tests.e2e.server import PROJECT, Server


@contextmanager
def app(home: Path) -> Iterator[Server]:
    """Run the app on a server of its own, and stop the server whatever happens."""
    server = Server(home)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run headless Chromium. While it is open, asyncio cannot be used on this thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def report(name: str, value: str, target: str, reached: bool) -> None:
    """Print one line: what was measured, its value, the target, and whether it was reached."""
    verdict = "reached" if reached else "MISSED"
    print(f"{name:58}{value:>24}   target: {target:20}{verdict}", flush=True)


def run_parts(doc: str, parts: Iterable[Callable[[Path, int], None]], rounds: int) -> None:
    """Run the parts that the command line names, or all of them.

    Args:
        doc: docstring of the benchmark; its first line is shown by `--help`.
        parts: functions of an empty folder and the number of rounds.
        rounds: default number of rounds.
    """
    options = argparse.ArgumentParser(description=doc.splitlines()[0])
    by_name = {part.__name__: part for part in parts}
    options.add_argument("--only", nargs="+", choices=by_name, default=list(by_name))
    options.add_argument("--rounds", type=int, default=rounds)
    chosen = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no server outlives a kill
    for name in chosen.only:
        with tempfile.TemporaryDirectory() as home:
            by_name[name](Path(home), chosen.rounds)


def train_url(settings: dict) -> str:
    """Return path and query of the Train page with these settings over `recommended`."""
    values = {"preset": "recommended"} | settings
    return "/?" + "&".join(f"{name}={value}" for name, value in values.items())


def read_config(folder: Path) -> dict:
    """Return a run's configuration and state; empty as long as there is no file."""
    file = folder / "config.json"
    return json.loads(file.read_text()) if file.is_file() else {}


def read_history(folder: Path) -> list[dict]:
    """Return a run's metrics, one record for each complete epoch."""
    file = folder / "metrics.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def has_state(folder: Path, state: str) -> bool:
    """Say whether a run has reached this state.

    Raises:
        AssertionError: the run ended in another state and will never reach this one.
    """
    now = read_config(folder).get("state")
    assert now == state or now not in ("failed", "stopped"), f"run {folder.name} is {now}"
    return now == state


def wait_for_state(folder: Path, state: str) -> None:
    """Block until the run has reached this state."""
    while not has_state(folder, state):
        time.sleep(0.2)


def images_per_second(history: list[dict], first: int = 1) -> float:
    """Return the median training speed over all epochs from number `first` on, counted from 0."""
    return median(record["images_per_second"] for record in history[first:])


def train_in_shell(home: Path, settings: dict) -> Path:
    """Train with `python -m vitdemo train` to the end and return the run's folder."""
    command = [sys.executable, "-m", "vitdemo", "train", "--preset", "recommended"]
    for name, value in settings.items():
        command += ["--" + name.replace("_", "-"), str(value)]
    environment = os.environ | {"VITDEMO_HOME": str(home)}
    subprocess.run(command, cwd=PROJECT, env=environment, check=True, capture_output=True)
    return max((home / "runs").iterdir())


def train_in_browser(server: Server, browser: Browser, settings: dict) -> Path:
    """Train in the app to the end, with the page open in Chromium, and return the run's folder."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(server.url + train_url(settings))
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url(re.compile(r"run=\d{8}-"), timeout=60_000)
    folder = run_folder(server, page.url)
    wait_for_state(folder, "finished")
    page.close()
    return folder


def run_folder(server: Server, url: str) -> Path:
    """Return the folder of the run that a URL of the app shows."""
    return server.home / "runs" / re.search(r"run=([\w-]+)", url)[1]


async def submit(server: Server, *settings: dict) -> tuple[list[Visitor], list[Path]]:
    """Open a page for each of these settings and press Train on each, in this order.

    Returns:
        the open pages, and the runs' folders.
    """
    visitors = [await Visitor(server.url, train_url(each)).__aenter__() for each in settings]
    for visitor in visitors:
        await visitor.press("Train")
    return visitors, [run_folder(server, visitor.query) for visitor in visitors]


async def submit_and_leave(server: Server, settings: dict) -> Path:
    """Start a run, close its page, and return the run's folder."""
    (visitor,), (folder,) = await submit(server, settings)
    await visitor.__aexit__()
    return folder
