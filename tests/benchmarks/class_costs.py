"""What a run and a page of a class cost, in seconds of processor time."""

import os
import re
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from tests.benchmarks.app_runs import app
from tests.protocol import Visitor
from vitdemo.background.training_queue import QUEUE
from vitdemo.config import PRESETS, ModelConfig, TrainConfig
from vitdemo.runs.run import new_run
from vitdemo.runs.train_run import load_data, train_run
from vitdemo.training.loop import EpochEnd

MODEL, RECIPE = PRESETS["recommended"]  # which the Train page opens with
OF_A_CLASS = replace(RECIPE, train_images=600, validation_images=200, epochs=6, warmup_epochs=0)
ROUNDS = 40  # polls, and moves of a slider
SECRET = "of the benchmark"


def of_an_epoch() -> tuple[float, float]:
    """Return the cost of an epoch, and of the part of it that does not depend on the arithmetic.

    That part is nearly all Python, during which no other thread runs Python. It is measured as an
    epoch of as many steps and layers, with next to no numbers in each: a bit too much, as torch
    also works outside of Python.
    """
    model, recipe = MODEL, OF_A_CLASS
    steps = -(-recipe.train_images // recipe.batch_size)
    hollow = replace(model, patch_size=16, embed_dim=8, num_heads=1, mlp_ratio=1.0)
    small = replace(recipe, batch_size=16, train_images=16 * steps)  # in two shards, as a batch is
    return _seconds_of_an_epoch(model, recipe), _seconds_of_an_epoch(hollow, small)


def _seconds_of_an_epoch(model: ModelConfig, recipe: TrainConfig) -> float:
    """Return the cost of an epoch of a run on one torch thread, with what is saved."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as home:
        os.environ["VITDEMO_HOME"] = home
        run = new_run(model, recipe)
        began = 0.0
        for _, event in train_run(run, load_data(run)):
            if isinstance(event, EpochEnd) and event.epoch == 1:  # which warms up
                began = time.process_time()
        return (time.process_time() - began) / (recipe.epochs - 1)


def of_a_page() -> tuple[float, float]:
    """Return the cost of a moved slider and of a poll of the Train page beside its run.

    The run is paused in the middle, so that the server does nothing else.
    """
    os.environ["VITDEMO_TEACHER_SECRET"] = SECRET
    query = "train_images=600&validation_images=200&epochs=30"
    with tempfile.TemporaryDirectory() as home, app(Path(home)) as server:
        process = server.process.pid
        teacher = Visitor(server.url, "teacher", f"teacher={SECRET}", timeout=120)
        with Visitor(server.url, query=query, timeout=120) as visitor, teacher:
            visitor.run()
            visitor.until(lambda: visitor.page.has("Run"))
            teacher.run()
            visitor.click("Train")
            visitor.until(lambda: "View attention" in labels_of(visitor))
            teacher.click("Pause all runs")
            _wait_until_idle(process)
            fragment = min(visitor.page.polls, key=visitor.page.polls.get)
            visitor.run(fragment=fragment, auto=True)
            began = processor_seconds(process)
            for number in range(ROUNDS):
                visitor.set("Depth", [float(6 + number % 2)])
            moved = processor_seconds(process)
            for _ in range(ROUNDS):
                visitor.run(fragment=fragment, auto=True)
            return (moved - began) / ROUNDS, (processor_seconds(process) - moved) / ROUNDS


def labels_of(visitor: Visitor) -> set[str]:
    """Return the labels of everything on the page."""
    return {getattr(message, "label", "") for _, message in visitor.page.all()}


def _wait_until_idle(process: int) -> None:
    """Wait until a process uses next to no processor time."""
    while True:
        before = processor_seconds(process)
        time.sleep(2.0)
        if processor_seconds(process) - before < 0.1:
            return


def processor_seconds(process: int) -> float:
    """Return the processor time that a process has used."""
    fields = re.sub(r"^.*\) ", "", Path(f"/proc/{process}/stat").read_text()).split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def of_a_remote_epoch() -> float:
    """Return what an epoch on the cluster at VITDEMO_RAY_ADDRESS costs this process."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["VITDEMO_HOME"] = home
        QUEUE.wait(QUEUE.submit(MODEL, replace(OF_A_CLASS, epochs=1)))  # warms up
        began, runs = time.process_time(), 2 * QUEUE.cores
        for run_id in [QUEUE.submit(MODEL, OF_A_CLASS) for _ in range(runs)]:
            QUEUE.wait(run_id)
        return (time.process_time() - began) / (runs * OF_A_CLASS.epochs)
