"""What runs, open pages and visitors cost each other on one machine.

    python -m tests.benchmarks.together [--only page two eight twenty answers] [--rounds 3]

page     the same run without a page (`python -m vitdemo train`) and in the app with its page open
         in Chromium on this machine, taking turns.
two      two runs at once through one queue, one thread each, and one alone with all cores, taking
         turns.
eight    eight runs submitted at once: each must finish, with every epoch in its history and on
         disk.
twenty   a run in the app with twenty open pages that poll and with none, taking turns. In a class
         the browsers are on other machines, so visitors.py stands in for them; what it uses of this
         machine is part of the result and is printed as well.
answers  response time of the Train and Attention pages while two runs train, each watched by its
         owner: from a moved slider to the end of the page's run, over the WebSocket (without the
         drawing in the browser).

Speeds are medians over epochs, without the first, and over rounds. Takes a quarter of an hour.
"""

import asyncio
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles

from tests.benchmarks.app_runs import (
    app,
    chromium,
    has_state,
    images_per_second,
    read_config,
    read_history,
    report,
    run_parts,
    submit,
    submit_and_leave,
    train_in_browser,
    train_in_shell,
    wait_for_state,
)
from tests.benchmarks.visitors import Visitor
from tests.e2e.server import PROJECT, Server
from vitdemo import PRESETS
from vitdemo.background.training_queue import TrainingQueue

# Changes to `recommended`.
RECIPE = {"train_images": 2000, "epochs": 10, "validation_images": 200, "warmup_epochs": 1.0}
CROWDED = RECIPE | {"epochs": 20}  # opening twenty pages takes the first few
LONG = RECIPE | {"epochs": 40}
SHORT = {"train_images": 600, "epochs": 12, "validation_images": 100, "warmup_epochs": 1.0}
TINY = {"train_images": 300, "epochs": 4, "validation_images": 100, "warmup_epochs": 1.0}
VISITORS = 20
ANSWERS = 40  # of each page


def page(home: Path, rounds: int) -> None:
    """Compare a run with and without its live page."""
    alone, watched = [], []
    with app(home) as server, chromium() as browser:
        for _ in range(rounds):
            one, other = train_in_shell(home, RECIPE), train_in_browser(server, browser, RECIPE)
            for part in ("model", "training", "threads"):
                assert read_config(one)[part] == read_config(other)[part], "not the same run"
            alone.append(images_per_second(read_history(one)))
            watched.append(images_per_second(read_history(other)))
    lost = 1 - median(watched) / median(alone)
    speeds = f"{median(alone):.0f} -> {median(watched):.0f} images/s"
    report(f"page open in Chromium, {speeds}", f"{lost:.1%} slower", "at most 5%", lost <= 0.05)


def two(home: Path, rounds: int) -> None:
    """Compare two runs at once with one alone."""
    os.environ["VITDEMO_HOME"] = str(home)
    model, training = PRESETS["recommended"]
    training = replace(training, **RECIPE)
    alone, both = [], []
    for _ in range(rounds):
        for number, speeds in ((1, alone), (2, both)):
            queue, free = TrainingQueue(), threading.Event()
            queue.when_idle(free.wait)  # holds the cores until all are submitted and can share
            runs = [queue.submit(model, training) for _ in range(number)]
            free.set()
            speeds.append(sum(images_per_second(queue.wait(run).run.history) for run in runs))
    ratio = median(both) / median(alone)
    speeds = f"{median(alone):.0f} -> {median(both):.0f} images/s"
    report(
        f"two at once, {speeds} in all", f"{ratio:.2f} times one alone", "at least 1", ratio >= 1
    )


def eight(home: Path, _rounds: int) -> None:
    """Submit eight runs at once and check what they leave."""
    os.environ["VITDEMO_HOME"] = str(home)
    model, training = PRESETS["recommended"]
    model, training = replace(model, depth=2), replace(training, **TINY)
    queue, threads = TrainingQueue(), 0
    runs = [queue.submit(model, replace(training, seed=seed)) for seed in range(8)]
    while any(status.run.active for status in queue.list()):
        threads = max(threads, queue.threads_in_use())
        time.sleep(0.01)
    complete = sum(is_complete(queue.wait(run).run) for run in runs)
    name = "eight at once, finished with a complete history"
    report(name, f"{complete} of {len(runs)}", "8 of 8", complete == 8)
    name, limit = "  most torch threads in use", f"the cores: {queue.cores}"
    report(name, f"{threads}", limit, threads <= queue.cores)


def is_complete(run) -> bool:
    """Say whether a run finished with its weights and with every epoch in memory and on disk."""
    epochs = list(range(1, TINY["epochs"] + 1))
    return (
        run.state == "finished"
        and run.weights.is_file()
        and [record["epoch"] for record in run.history] == epochs
        and [record["epoch"] for record in read_history(run.folder)] == epochs
    )


def twenty(home: Path, rounds: int) -> None:
    """Compare a run with twenty open pages and with none."""
    speeds, polls = {0: [], VISITORS: []}, ""
    with app(home) as server:
        for _ in range(rounds):
            for number, measured in speeds.items():
                folder = asyncio.run(submit_and_leave(server, CROWDED))
                crowd = open_pages(server, f"/?run={folder.name}", number) if number else None
                first = len(read_history(folder)) + 1
                wait_for_state(folder, "finished")
                measured.append(images_per_second(read_history(folder), first))
                if crowd:
                    crowd.kill()
                    polls = crowd.stdout.read().splitlines()[-2]  # the last may be after the run
    alone, crowded = median(speeds[0]), median(speeds[VISITORS])
    lost = 1 - crowded / alone
    name = f"{VISITORS} open pages, {alone:.0f} -> {crowded:.0f} images/s"
    report(name, f"{lost:.1%} slower", "at most 20%", lost <= 0.2)
    print(f"  {polls}")


def open_pages(server: Server, path: str, number: int) -> subprocess.Popen:
    """Start that many visitors in a process of their own and return it when all pages are open."""
    command = [sys.executable, "-m", "tests.benchmarks.visitors", server.url, path, str(number)]
    crowd = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert "all are open" in crowd.stdout.readline()
    return crowd


async def response_times(server: Server) -> dict[str, list[float]]:
    """Return the response times of each page in milliseconds while two runs train."""
    # The first run holds all cores until the two others wait and can share them.
    owners, folders = await submit(server, SHORT, LONG, LONG)
    for folder in folders[1:]:
        while not has_state(folder, "running"):
            await asyncio.sleep(0.2)
    pages = {"Train": (f"/?run={folders[1].name}", "Depth"), "Attention": ("/attention", "Layer")}
    times = {name: [] for name in pages}
    for name, (path, slider) in pages.items():
        async with Visitor(server.url, path) as visitor:
            for turn in range(ANSWERS + 4):  # the first four warm up
                seconds = await visitor.slide(slider, 2 + turn % 3)
                if turn >= 4:
                    times[name].append(1000 * seconds)
                await asyncio.sleep(0.25)
    states = [read_config(folder)["state"] for folder in folders[1:]]
    assert states == ["running", "running"], "the runs ended too early. Make LONG longer."
    for owner in owners:
        await owner.__aexit__()
    return times


def answers(home: Path, _rounds: int) -> None:
    """Measure the response time of the pages while two runs train."""
    with app(home) as server:
        times = asyncio.run(response_times(server))
    for name, values in times.items():
        late = quantiles(values, n=20)[-1]
        what = f"{name} page beside two runs, median {median(values):.0f} ms"
        report(what, f"{late:.0f} ms, 95th percentile", "at most 300 ms", late <= 300)


if __name__ == "__main__":
    run_parts(__doc__, (page, two, eight, twenty, answers), rounds=3)
