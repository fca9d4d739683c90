"""What saved runs cost: time of a rerun and memory of the server, with none and with thousands.

    python -m tests.benchmarks.many_runs [--runs 2000] [--epochs 200] [--rounds 20]

Each run is a folder of its own with real metadata, the weights of a tiny model, and the metrics of
all its epochs. Both servers are asked in turn, so that a change of the machine meets both.

first    the first visit to Train with an index that knows no run yet, as after an upgrade.
rerun    of a whole page, once all runs were read, with all runs and with none.
memory   what the server holds after that.
"""

import argparse
import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

from tests.benchmarks.app_runs import app, report
from tests.benchmarks.start import megabytes
from tests.benchmarks.visitors import Visitor
from tests.e2e.server import Server
from vitdemo.config import ModelConfig, TrainConfig
from vitdemo.files import runs_folder
from vitdemo.model import VisionTransformer
from vitdemo.runs.index import run_index
from vitdemo.runs.run import TIME, epoch_record, new_run, save_run
from vitdemo.training.loop import EpochEnd
from vitdemo.training.metrics import METRICS

TINY = ModelConfig(patch_size=16, embed_dim=8, depth=1, num_heads=2, mlp_ratio=1.0)
PAGES = {"Train": "/", "Attention": "/attention", "a lesson": "/image_to_tokens"}
SLOWER, LARGER = 1.2, 100  # targets: times, and megabytes


def make_runs(number: int, epochs: int) -> None:
    """Make run folders: one that is saved, and copies of it that were started an hour apart."""
    metrics = dict.fromkeys(METRICS, 1 / 3)
    history = (
        epoch_record(EpochEnd(n + 1, metrics, metrics, 4 / 3, 2000 / 3)) for n in range(epochs)
    )
    run = replace(new_run(TINY, TrainConfig(epochs=epochs)), state="finished", threads=1)
    run = replace(run, history=tuple(history))
    save_run(run, VisionTransformer(TINY, seed=0))
    started = time.mktime(time.strptime(run.id[:15], TIME))
    for n in range(1, number):
        before = time.strftime(TIME, time.localtime(started - 3600 * n))
        shutil.copytree(run.folder, runs_folder() / f"{before}-{n:06x}")


@contextmanager
def home_with(runs: int, epochs: int) -> Iterator[Path]:
    """Make a home folder with this many runs, and use it in this process, too."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["VITDEMO_HOME"] = home
        if runs:
            make_runs(runs, epochs)
        yield Path(home)


async def first_visit(server: Server, label: str) -> None:
    """Open Train on a server that has just started, and print how long it takes."""
    started = time.perf_counter()
    async with Visitor(server.url, "/") as visitor:
        await visitor.shown("Stop", "button")
        seconds = time.perf_counter() - started
        print(f"  first visit, with torch loaded on the way, {label}: {seconds:.1f} s", flush=True)


async def reruns(servers: dict[str, Server], path: str, rounds: int) -> dict[str, list[float]]:
    """Rerun a page on each server in turn and return the seconds of each rerun."""
    visitors = {name: Visitor(server.url, path) for name, server in servers.items()}
    times = {name: [] for name in servers}
    for visitor in visitors.values():
        await visitor.__aenter__()
    for number in range(rounds + 3):
        for name, visitor in visitors.items():
            seconds = await visitor.rerun()
            if number >= 3:  # the first fill caches
                times[name].append(seconds)
    for visitor in visitors.values():
        await visitor.__aexit__()
    return times


def wait_until_read() -> None:
    """Print how long the server's background takes to read all runs."""
    started = time.monotonic()
    while run_index().not_read():
        time.sleep(0.5)
    print(f"  then until all runs were read: {time.monotonic() - started:.0f} s", flush=True)


def main() -> None:
    """Measure with none and with many runs."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=2000)
    options.add_argument("--epochs", type=int, default=200)
    options.add_argument("--rounds", type=int, default=20)
    chosen = options.parse_args()
    with home_with(0, 0) as without, home_with(chosen.runs, chosen.epochs) as home:
        with app(without) as none, app(home) as many:
            servers = {"none": none, "many": many}
            for name, server in servers.items():
                asyncio.run(first_visit(server, name))
            wait_until_read()
            for name, path in PAGES.items():
                times = asyncio.run(reruns(servers, path, chosen.rounds))
                before, after = median(times["none"]), median(times["many"])
                value = f"{1000 * before:.0f} and {1000 * after:.0f} ms, {after / before:.2f} times"
                reached = after <= SLOWER * before
                report(f"rerun of {name}, {chosen.runs:,} runs", value, f"{SLOWER} times", reached)
            before, after = megabytes(none), megabytes(many)
            value = f"{before:.0f} and {after:.0f} MB, {after - before:+.0f} MB"
            report("memory of the server", value, f"+{LARGER} MB", after - before <= LARGER)
        size = sum(path.stat().st_size for path in (home / "index").iterdir())
        print(f"  the index has {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
