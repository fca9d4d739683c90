"""What watching costs a training, what trainings cost each other, and how soon pages answer meanwhile.

    python -m tests.benchmarks.together [--only page two eight twenty answers] [--rounds 3]

page     the same training without a page (`python -m vitdemo train`) and in the app with its page open in Chromium, on
         this machine, in turns.
two      two trainings at once through one queue, one thread each, and one alone with all cores, in turns.
eight    eight submitted at once: each must end as finished, with every epoch in its history and on disk.
twenty   a training in the app with twenty open pages that poll and with none, in turns. Their browsers are elsewhere, as
         in a class: visitors.py speaks for them; what it takes of this machine is in the figure, too, and printed.
answers  while two trainings run, each watched by its owner: from a moved slider to the end of the page's run, on the
         Train and on the Attention page, over the WebSocket (drawing in the browser is not in it).

Speeds are medians over epochs, the first left out, and over rounds. Takes a quarter of an hour.
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
    begin,
    begin_alone,
    chromium,
    config_of,
    headless,
    history_of,
    is_in,
    report,
    run_parts,
    speed,
    wait_for,
    watched,
)
from tests.benchmarks.visitors import Visitor
from tests.e2e.server import PROJECT, Server
from vitdemo import PRESETS
from vitdemo.background.training_queue import TrainingQueue

RECIPE = {
    "train_images": 2000,
    "epochs": 10,
    "validation_images": 200,
    "warmup_epochs": 1.0,
}  # over `recommended`
CROWDED = RECIPE | {"epochs": 20}  # opening twenty pages takes the first few
LONG = RECIPE | {"epochs": 40}
SHORT = {"train_images": 600, "epochs": 12, "validation_images": 100, "warmup_epochs": 1.0}
VISITORS = 20
ANSWERS = 40  # of each page


def page(home: Path, rounds: int) -> None:
    """(a) the live page."""
    alone, seen = [], []
    with app(home) as server, chromium() as browser:
        for _ in range(rounds):
            one, other = headless(home, RECIPE), watched(server, browser, RECIPE)
            for part in ("model", "training", "threads"):
                assert config_of(one)[part] == config_of(other)[part], "not the same training"
            alone.append(speed(history_of(one)))
            seen.append(speed(history_of(other)))
    lost = 1 - median(seen) / median(alone)
    speeds = f"{median(alone):.0f} -> {median(seen):.0f} images/s"
    report(f"page open in Chromium, {speeds}", f"{lost:.1%} slower", "at most 5 %", lost <= 0.05)


def two(home: Path, rounds: int) -> None:
    """(b) two at once."""
    os.environ["VITDEMO_HOME"] = str(home)
    model, training = PRESETS["recommended"]
    training = replace(training, **RECIPE)
    alone, both = [], []
    for _ in range(rounds):
        for number, speeds in ((1, alone), (2, both)):
            queue, free = TrainingQueue(), threading.Event()
            queue.when_idle(
                free.wait
            )  # holds the cores until all are submitted, so that they are shared
            runs = [queue.submit(model, training) for _ in range(number)]
            free.set()
            speeds.append(sum(speed(queue.wait(run).run.history) for run in runs))
    total = median(both) / median(alone)
    speeds = f"{median(alone):.0f} -> {median(both):.0f} images/s"
    report(
        f"two at once, {speeds} in all", f"{total:.2f} times one alone", "at least 1", total >= 1
    )


def eight(home: Path, _rounds: int) -> None:
    """(c) eight submitted at once."""
    os.environ["VITDEMO_HOME"] = str(home)
    model, training = PRESETS["recommended"]
    training = replace(
        training, train_images=300, validation_images=100, epochs=4, warmup_epochs=1.0
    )
    queue, most = TrainingQueue(), 0
    runs = [
        queue.submit(replace(model, depth=2), replace(training, seed=seed)) for seed in range(8)
    ]
    while any(snapshot.run.state in ("waiting", "running") for snapshot in queue.list()):
        most = max(most, queue.threads_in_use())
        time.sleep(0.01)
    ended = [queue.wait(run).run for run in runs]
    whole = [
        run.state == "finished"
        and run.weights.is_file()
        and [record["epoch"] for record in run.history] == [1, 2, 3, 4]
        and len(history_of(run.folder)) == 4
        for run in ended
    ]
    report(
        "eight at once, finished with a whole history",
        f"{sum(whole)} of {len(whole)}",
        "8 of 8",
        sum(whole) == 8,
    )
    report(
        "  torch threads in use, at most",
        f"{most}",
        f"the cores: {queue.cores}",
        most <= queue.cores,
    )


def twenty(home: Path, rounds: int) -> None:
    """(d) twenty open pages."""
    speeds, rate = {0: [], VISITORS: []}, ""
    with app(home) as server:
        for _ in range(rounds):
            for number, reached in speeds.items():
                folder = asyncio.run(begin_alone(server, CROWDED))
                crowd = open_pages(server, f"/?run={folder.name}", number) if number else None
                first = len(history_of(folder)) + 1
                wait_for(folder, "finished")
                reached.append(speed(history_of(folder), first))
                if crowd:
                    crowd.kill()
                    rate = crowd.stdout.read().splitlines()[
                        -2
                    ]  # the last may come from after the training
    alone, crowded = (median(reached) for reached in speeds.values())
    lost = 1 - crowded / alone
    what = f"{VISITORS} open pages, {alone:.0f} -> {crowded:.0f} images/s"
    report(what, f"{lost:.1%} slower", "at most 20 %", lost <= 0.2)
    print(f"  {rate}")


def open_pages(server: Server, path: str, number: int) -> subprocess.Popen:
    """So many visitors in a process of their own; returns when all are there."""
    command = [sys.executable, "-m", "tests.benchmarks.visitors", server.url, path, str(number)]
    crowd = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert "all are there" in crowd.stdout.readline()
    return crowd


async def _answers(server: Server) -> dict[str, list[float]]:
    owners, folders = await begin(
        server, SHORT, LONG, LONG
    )  # the first holds all cores until the two others wait
    for folder in folders[1:]:
        while not is_in(folder, "running"):
            await asyncio.sleep(0.2)
    taken = {}
    for name, path, slider in (
        ("Train", f"/?run={folders[1].name}", "Depth"),
        ("Attention", "/attention", "Layer"),
    ):
        async with Visitor(server.url, path) as visitor:
            for turn in range(ANSWERS + 4):  # the first four warm up
                seconds = await visitor.slide(slider, 2 + turn % 3)
                if turn >= 4:
                    taken.setdefault(name, []).append(1000 * seconds)
                await asyncio.sleep(0.25)
    states = [config_of(folder)["state"] for folder in folders[1:]]
    assert states == ["running", "running"], (
        "the trainings ended before the pages had answered: make LONG longer"
    )
    for owner in owners:
        await owner.__aexit__()
    return taken


def answers(home: Path, _rounds: int) -> None:
    """(e) how soon a page answers while two trainings run."""
    with app(home) as server:
        taken = asyncio.run(_answers(server))
    for name, values in taken.items():
        worst = quantiles(values, n=20)[-1]
        what = f"{name} page answers beside two trainings, median {median(values):.0f} ms"
        report(what, f"{worst:.0f} ms, 95th percentile", "at most 300 ms", worst <= 300)


if __name__ == "__main__":
    run_parts(__doc__, (page, two, eight, twenty, answers), rounds=3)
