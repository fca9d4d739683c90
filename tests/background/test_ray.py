"""Runs on a Ray cluster: two nodes on this machine, of which one is killed in the middle."""

import os
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.background.queue_runs import DIVERGING, alone, ended, metrics_of, weights_are
from tests.background.ray_nodes import Node, free_port
from vitdemo.background.executor import ThisProcess
from vitdemo.background.ray_driver import MOST_LOSSES
from vitdemo.background.ray_executor import RayExecutor
from vitdemo.background.training_queue import TrainingQueue
from vitdemo.config import ConfigError
from vitdemo.files import runs_folder
from vitdemo.runs import lock
from vitdemo.runs.about import About
from vitdemo.runs.run import list_runs, load_run, load_weights
from vitdemo.runs.snapshots import list_snapshots
from vitdemo.training.loop import EpochEnd

pytest.importorskip("ray")
pytestmark = pytest.mark.slow
ADA = About("a", "Ada", name="mine")
PATIENCE = 60  # seconds


@pytest.fixture(scope="module")
def nodes():
    """Start a head and one more node, each with one core, and end them after the tests."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # short, as the names of sockets must be
    address, started = f"127.0.0.1:{free_port()}", []
    head = ("--head", "--port", address.split(":")[1], "--include-dashboard=false")
    try:
        started.append(Node(*head, "--temp-dir", str(folder), log=folder / "head.log"))
        until(lambda: (folder / "ray_current_cluster").exists())
        started.append(Node("--address", address, log=folder / "node.log"))
        yield address, started
    finally:
        for node in started:
            node.kill()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cluster(nodes):
    """Return the executor, with a trainer on each node."""
    address, (head, node) = nodes
    cluster = RayExecutor(address)
    until(lambda: reached(cluster))
    until(lambda: head.trainers() and node.trainers())
    yield cluster
    cluster.close()
    until(lambda: not head.trainers() and not node.trainers())


@pytest.fixture
def queue(cluster):
    queue = TrainingQueue(executor=cluster)
    yield queue
    for status in queue.list():
        queue.stop(status.run.id)
        ended(queue, status.run.id)
    assert list(runs_folder().rglob("*.part")) == list(runs_folder().rglob("lock")) == []


@pytest.fixture
def recipe(short):
    """Return a recipe with random numbers in each step and weights that are averaged."""
    return replace(short, epochs=20, ema_decay=0.9, cutout=4, mixup=0.2, precision="float32")


def until(condition):
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it does not come to what is waited for"
        time.sleep(0.05)


def reached(cluster):
    """Return whether the cluster has both nodes by now; it answers some time after its start."""
    with suppress(ConfigError):
        cluster.connect()
    return cluster.cores == 2


def files_of(run):
    """Return the names of all files of a run, without state and lock."""
    names = {str(path.relative_to(run.folder)) for path in run.folder.rglob("*") if path.is_file()}
    return names - {"state.pt", "lock"}


def in_process(model, recipe):
    """Return the run of the same settings that was trained in this process."""
    queue = TrainingQueue(cores=1, executor=ThisProcess())
    return ended(queue, queue.submit(model, recipe)).run


def assert_same(run, expected):
    assert metrics_of(run.history) == metrics_of(expected.history)
    assert weights_are(load_weights(run), load_weights(expected))
    assert files_of(run) - {"about.json"} == files_of(expected)
    pairs = zip(list_snapshots(run), list_snapshots(expected), strict=True)
    for ours, theirs in pairs:
        assert (ours.epochs, ours.accuracy) == (theirs.epochs, theirs.accuracy)


def test_run_equals_that_of_this_process_and_belongs_to_its_owner(queue, tiny, recipe):
    model = replace(tiny, dropout=0.1)
    run_id = queue.submit(model, recipe, ADA)
    until(lambda: queue.snapshot(run_id).epoch > 1)
    run = load_run(run_id)
    assert (run.state, run.about) == ("running", ADA)
    assert lock.is_held(run.folder)
    assert queue.active_of("a") == (run_id,)
    run = ended(queue, run_id).run
    assert (run.state, run.threads, run.about, run.has_state) == ("finished", 1, ADA, False)
    assert_same(run, in_process(model, recipe))


def test_stopped_run_resumes_there_and_here(queue, tiny, recipe):
    recipe = replace(recipe, epochs=60)
    run_id = queue.submit(tiny, recipe)
    for next_queue in (queue, TrainingQueue(cores=1, executor=ThisProcess())):
        done = len(load_run(run_id).history)
        until(lambda done=done: len(queue.snapshot(run_id).run.history) > done + 1)
        queue.stop(run_id)
        run = ended(queue, run_id).run
        assert (run.state, run.has_state) == ("stopped", True)
        next_queue.resume(run_id)
    assert_same(ended(next_queue, run_id).run, in_process(tiny, recipe))


def test_diverging_run_fails_with_its_advice(queue, tiny):
    run = ended(queue, queue.submit(tiny, DIVERGING)).run
    assert run.state == "failed"
    assert run.message == in_process(tiny, DIVERGING).message
    assert "Lower the learning rate" in run.message


def test_more_runs_than_cores_take_turns(queue, tiny, recipe):
    recipes = [replace(recipe, epochs=4, seed=seed) for seed in range(5)]
    ids = [queue.submit(tiny, each) for each in recipes]
    for run_id, each in zip(ids, recipes, strict=True):
        assert metrics_of(ended(queue, run_id).run.history) == alone(tiny, each)


def test_run_that_ends_its_trainers_fails(queue, nodes, tiny, short):
    """The process is killed in the middle of the run's steps, as for lack of memory."""
    killed = set()
    long = replace(short, train_images=5000, epochs=50)  # its epochs take seconds
    run_id = queue.submit(tiny, long)
    while queue.snapshot(run_id).run.active:
        for process in {each for node in nodes[1] for each in node.trainers("advance")} - killed:
            os.kill(process, signal.SIGKILL)
            killed.add(process)
        time.sleep(0.05)
    run = load_run(run_id)
    assert (run.state, run.history) == ("failed", ())
    assert f"lost its worker on the Ray cluster {MOST_LOSSES} times" in run.message
    assert len(killed) == MOST_LOSSES
    until(lambda: all(node.trainers() for node in nodes[1]))


def test_killed_node(queue, cluster, nodes, tiny, recipe, monkeypatch):
    """The runs of a killed node continue from their last epoch on the other."""
    events = {}

    def watched(model, data, config, *files):
        seen = events.setdefault(config.seed, [])
        for event in cluster_train(model, data, config, *files):
            seen.append(event)
            yield event

    cluster_train = cluster.train
    monkeypatch.setattr(cluster, "train", watched)
    recipes = [replace(recipe, epochs=60, seed=seed) for seed in range(2)]
    ids = [queue.submit(tiny, each, ADA if not each.seed else About("b")) for each in recipes]
    until(lambda: all(queue.snapshot(run_id).epoch > 3 for run_id in ids))
    until(lambda: nodes[1][1].trainers("advance"))
    nodes[1][1].kill()
    before = [queue.snapshot(run_id).epoch for run_id in ids]
    assert all(3 < epoch < 60 for epoch in before)
    for run_id, each in zip(ids, recipes, strict=True):
        run = ended(queue, run_id).run
        assert (run.state, run.message) == ("finished", "")
        assert_same(run, in_process(tiny, each))
        ends = [event.epoch for event in events[each.seed] if isinstance(event, EpochEnd)]
        assert ends == list(range(1, 61))  # none was trained twice
    assert load_run(ids[0]).about == ADA
    until(lambda: cluster.cores == 1)
    assert len(list_runs()) == 4


def test_failed_cluster_ends_runs_and_not_the_app(queue, nodes, tiny, recipe):
    """The head is killed, and no node is left. Its runs can be resumed, here or there."""
    address, (head, _) = nodes
    recipe = replace(recipe, epochs=60)
    run_id = queue.submit(tiny, recipe)
    until(lambda: queue.snapshot(run_id).epoch > 3)
    head.kill()
    run = ended(queue, run_id).run
    assert run.state == "failed"
    assert f"The Ray cluster at {address} cannot be used" in run.message
    before = list_runs()
    with pytest.raises(ConfigError, match="cannot be used"):
        queue.submit(tiny, recipe)
    assert list_runs() == before
    here = TrainingQueue(cores=1, executor=ThisProcess())
    assert 3 <= len(run.history) < 60
    assert_same(ended(here, here.resume(run_id)).run, in_process(tiny, recipe))
