"""A process that is killed while its runs train, rest and wait: nothing that it showed is lost."""

import json
import random
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from tests.background.queue_runs import TIMEOUT, alone, ended, metrics_of
from vitdemo.background.training_queue import TrainingQueue
from vitdemo.config import ModelConfig, TrainConfig
from vitdemo.files import remove_leftovers, runs_folder
from vitdemo.runs import lock
from vitdemo.runs.about import About
from vitdemo.runs.index import RunIndex
from vitdemo.runs.run import list_runs, load_run

TINY = ModelConfig(patch_size=16, embed_dim=8, depth=1, num_heads=2, mlp_ratio=1.0)
RECIPE = TrainConfig(
    epochs=5, batch_size=8, train_images=100, validation_images=20, precision="float32"
)
RUNS = 6
# Submits runs of three people to one core, and prints what their pages show, until it is killed.
SERVER = """
import json, sys
from tests.background.test_killed import RECIPE, RUNS, TINY
from dataclasses import replace
from vitdemo.background import turns
from vitdemo.background.training_queue import TrainingQueue
from vitdemo.runs.about import About

turns.SHORTEST = 0.0  # so that runs take turns after each epoch
queue = TrainingQueue(cores=1, memory=int(sys.argv[1]))
for seed in range(RUNS):
    queue.submit(TINY, replace(RECIPE, seed=seed), About(f"{seed % 3}", "Ada"))
while True:
    shown = [[each.run.id, each.run.state, len(each.run.history)] for each in queue.list()]
    print(json.dumps(shown), flush=True)
"""


@pytest.mark.parametrize("memory", [1, 10**12], ids=["one in memory", "all in memory"])
@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random(memory, seed):
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(memory)], stdout=subprocess.PIPE, text=True
    ) as process:
        shown = json.loads(process.stdout.readline())
        chance = random.Random(seed)
        epochs_before, seconds = chance.randrange(RUNS * RECIPE.epochs // 2), chance.uniform(0, 0.2)
        while sum(epochs for *_, epochs in shown) < epochs_before:
            shown = json.loads(process.stdout.readline())
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            shown = json.loads(process.stdout.readline())
        process.kill()
        for line in process.stdout:  # what it printed before it was killed; the last may be cut
            if line.endswith("]\n"):
                shown = json.loads(line)
    states = [state for _, state, _ in shown]
    assert len(shown) == RUNS
    assert states.count("waiting") or states.count("running") > 1

    end = time.monotonic() + TIMEOUT
    while parts := list(runs_folder().rglob("*.part")):  # a file counts as left after a second
        assert time.monotonic() < end, parts
        remove_leftovers()
    assert [run.id for run in RunIndex().everything()] == [run.id for run in list_runs()]
    queue = TrainingQueue(cores=1)
    for run_id, state, epochs in shown:
        run = load_run(run_id)
        assert run.state == ("finished" if state == "finished" else "stopped")
        assert len(run.history) >= epochs
        assert not lock.is_held(run.folder)
        assert run.about == About(f"{run.training.seed % 3}", "Ada")
        if state != "finished":
            queue.resume(run_id)
    for run_id, *_ in shown:
        run = load_run(run_id) if queue.snapshot(run_id) is None else ended(queue, run_id).run
        assert run.state == "finished"
        assert metrics_of(run.history) == alone(TINY, replace(RECIPE, seed=run.training.seed))
