"""Estimated and actual time of runs: for each preset, and after changes of its settings.

Opens the Train page in Chromium as a visitor does, reads the estimate beside the button as soon as
it is there, presses Train, and compares it with the time until the run has finished. The first
estimate is that of a server that has just started. Run it on an idle machine:

    python -m tests.benchmarks.estimates
"""

import re
import time
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.benchmarks.app_runs import (
    app,
    chromium,
    read_history,
    report,
    run_folder,
    run_parts,
    train_url,
    wait_for_state,
)
from tests.e2e.server import Server

ALLOWED = 0.25  # difference between estimate and actual time, as a fraction of the actual time
PRESETS = ({"preset": "recommended"}, {"preset": "hybrid"}, {"preset": "annotation"})
CHANGED = (  # of the recommended preset
    {"epochs": 2},
    {"epochs": 10, "depth": 2},
    {"epochs": 4, "depth": 12},
    {"epochs": 10, "patch_size": 8},
    {"epochs": 2, "patch_size": 2},
    {"epochs": 3, "train_images": 5000},
    {"epochs": 10, "train_images": 100},
    {"epochs": 5, "embed_dim": 192},
    {"epochs": 10, "batch_size": 8},
    {"epochs": 10, "batch_size": 256},
    {"epochs": 10, "validation_images": 1000},
    {"epochs": 10, "patch_drop": 0.0},
    {"epochs": 10, "patch_drop": 0.75},
    {"epochs": 10, "precision": "float32"},
    {"epochs": 10, "ema_decay": 0.99},
    {"epochs": 10, "augmentation": "flip_and_translate", "mixup": 0.5},
    {"epochs": 10, "stem": "conv", "patch_size": 8},
)
UNITS = {"h": 3600, "min": 60, "s": 1}


def presets(home: Path, rounds: int) -> None:
    """Compare each preset, the first one right after the server has started."""
    for number in range(rounds):
        (home / str(number)).mkdir()
        with app(home / str(number)) as server, chromium() as browser:
            for settings in PRESETS:
                compare(server, browser, settings)


def changed(home: Path, rounds: int) -> None:
    """Compare runs with one or two settings changed."""
    with app(home) as server, chromium() as browser:
        for settings in CHANGED * rounds:
            compare(server, browser, settings)


def compare(server: Server, browser: Browser, settings: dict) -> None:
    """Read the estimate, train, and print both times and their ratio."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    opened = time.perf_counter()
    page.goto(server.url + train_url(settings))
    estimated = seconds_in(estimate_on(page))
    waited = time.perf_counter() - opened
    page.get_by_role("button", name="Train", exact=True).click()
    started = time.perf_counter()
    page.wait_for_url(re.compile(r"run=\d{8}-"), timeout=60_000)
    folder = run_folder(server, page.url)
    wait_for_state(folder, "finished")
    actual = time.perf_counter() - started
    page.close()
    epochs = sum(record["seconds"] for record in read_history(folder))
    name = " ".join(f"{key}={value}" for key, value in settings.items())
    value = f"{estimated:.0f} s / {actual:.1f} s = {estimated / actual:.2f}"
    # The page shows whole seconds.
    reached = abs(estimated - actual) <= max(ALLOWED * actual, 0.5)
    report(name, value, f"1 ± {ALLOWED}", reached)
    print(f"    epochs {epochs:.1f} s, estimate shown after {waited:.1f} s", flush=True)


def estimate_on(page: Page) -> str:
    """Wait until the page shows the time of the run in total, and return it."""
    caption = page.get_by_text(re.compile(r"per epoch.* in total"))
    caption.wait_for(timeout=60_000)
    return re.search(r"machine, (.+?) in total", caption.inner_text())[1]


def seconds_in(text: str) -> int:
    """Return the seconds of a duration such as `3 min 5 s`."""
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+) (h|min|s)", text))


if __name__ == "__main__":
    run_parts(__doc__, (presets, changed), rounds=1)
