"""Runs of the app as the benchmarks start and read them: from its page, from the shell, from their files."""

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
    """The app on a server of its own, which is ended in any case."""
    server = Server(home)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Without a window. While it is open, asyncio can run nothing else on this thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def report(what: str, value: str, limit: str, kept: bool) -> None:
    """One line."""
    print(f"{what:58}{value:>24}   wanted: {limit:24}{'yes' if kept else 'NO'}", flush=True)


def run_parts(doc: str, parts: Iterable[Callable[[Path, int], None]], rounds: int) -> None:
    """The parts asked for on the command line, or all: each with a folder of its own and the number of rounds."""
    options = argparse.ArgumentParser(description=doc.splitlines()[0])
    named = {part.__name__: part for part in parts}
    options.add_argument("--only", nargs="+", choices=named, default=list(named))
    options.add_argument("--rounds", type=int, default=rounds)
    chosen = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that a server does not outlive this
    for name in chosen.only:
        with tempfile.TemporaryDirectory() as home:
            named[name](Path(home), chosen.rounds)


def address(settings: dict) -> str:
    """The Train page with these settings."""
    return "/?" + "&".join(
        f"{name}={value}" for name, value in ({"preset": "recommended"} | settings).items()
    )


def config_of(folder: Path) -> dict:
    """A run's configuration and state, empty until it is there."""
    file = folder / "config.json"
    return json.loads(file.read_text()) if file.is_file() else {}


def history_of(folder: Path) -> list[dict]:
    """A run's epochs so far."""
    file = folder / "metrics.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def is_in(folder: Path, state: str) -> bool:
    """Whether the run has come to this state; one that broke off would never."""
    now = config_of(folder).get("state")
    assert now == state or now not in ("failed", "stopped"), f"run {folder.name} is {now}"
    return now == state


def wait_for(folder: Path, state: str) -> None:
    """Until the run is in this state."""
    while not is_in(folder, state):
        time.sleep(0.2)


def speed(history, first: int = 1) -> float:
    """Images a second, the median over epochs."""
    return median(record["images_per_second"] for record in history[first:])


def headless(home: Path, settings: dict) -> Path:
    """Train in the shell; the run's folder."""
    options = [
        part
        for name, value in settings.items()
        for part in ("--" + name.replace("_", "-"), str(value))
    ]
    command = [sys.executable, "-m", "vitdemo", "train", "--preset", "recommended", *options]
    subprocess.run(
        command,
        cwd=PROJECT,
        env=os.environ | {"VITDEMO_HOME": str(home)},
        check=True,
        capture_output=True,
    )
    return max((home / "runs").iterdir())


def watched(server: Server, browser, settings: dict) -> Path:
    """Train in the app, the page open in Chromium; the run's folder."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(server.url + address(settings))
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url(re.compile(r"run=\d{8}-"), timeout=60_000)
    folder = server.home / "runs" / re.search(r"run=([\w-]+)", page.url)[1]
    wait_for(folder, "finished")
    page.close()
    return folder


async def begin(server: Server, *settings: dict) -> tuple[list[Visitor], list[Path]]:
    """Open pages, press Train on each in this order; the open pages and the runs' folders."""
    owners = [await Visitor(server.url, address(setting)).__aenter__() for setting in settings]
    for owner in owners:
        await owner.press("Train")
    return owners, [
        server.home / "runs" / re.search(r"run=([\w-]+)", owner.query)[1] for owner in owners
    ]


async def begin_alone(server: Server, settings: dict) -> Path:
    """Start a training and close its page."""
    (owner,), (folder,) = await begin(server, settings)
    await owner.__aexit__()
    return folder
