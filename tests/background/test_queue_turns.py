"""The queue of runs: turns, owners, memory, and what a run that waits leaves on disk."""

import threading
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.background.queue_runs import TIMEOUT, alone, ended, metrics_of
from vitdemo.background import training_queue, turns
from vitdemo.background.limits import LIMITS
from vitdemo.background.training_queue import TrainingQueue
from vitdemo.config import ConfigError, TrainConfig
from vitdemo.runs.about import About
from vitdemo.runs.run import list_runs, load_run
from vitdemo.training.loop import BatchEnd

ADA, BEN = About("a", "Ada"), About("b", "Ben")


@pytest.fixture
def recipe(short):
    return replace(short, epochs=3)


def test_one_run_of_each_owner_at_a_time(queue, hold, tiny, recipe, watched):
    ids = [queue.submit(tiny, recipe, about) for about in (ADA, ADA, ADA, BEN)]
    assert queue.active_of("a") == tuple(ids[:3])
    together = []

    def look(event):
        running = [status.run for status in queue.list() if status.run.active and not status.place]
        together.append([run.about.owner for run in running])

    watched.append(look)
    hold.set()
    assert {ended(queue, run_id).run.state for run_id in ids} == {"finished"}
    assert max(map(len, together)) == 2
    assert all(owners.count("a") <= 1 for owners in together)
    assert load_run(ids[0]).about == ADA


def test_one_owner_cannot_fill_the_queue(queue, hold, tiny, short):
    for _ in range(LIMITS.waiting):
        queue.submit(tiny, short, ADA)
    before = len(list_runs())
    with pytest.raises(ConfigError, match=r"5 of your runs are waiting already\. Stop one"):
        queue.submit(tiny, short, ADA)
    assert len(list_runs()) == before
    assert queue.snapshot(queue.submit(tiny, short, BEN)).run.state == "waiting"


@pytest.mark.parametrize("memory", [1, 10**12])
def test_runs_that_leave_the_memory_have_the_metrics_of_single_runs(memory, tiny, recipe, watched):
    queue = TrainingQueue(cores=1, memory=memory)
    in_memory, released = [], threading.Event()
    queue.when_idle(lambda: released.wait(TIMEOUT))
    recipes = [replace(recipe, seed=seed) for seed in range(3)]
    ids = [queue.submit(tiny, each) for each in recipes]
    watched.append(
        lambda event: in_memory.append(sum(job.in_memory for job in queue._jobs.values()))
    )
    released.set()
    for run_id, each in zip(ids, recipes, strict=True):
        assert metrics_of(ended(queue, run_id).run.history) == alone(tiny, each)
    assert max(in_memory) == (1 if memory == 1 else 3)


@pytest.fixture
def tiny_slices(monkeypatch):
    """Let a turn end after every batch."""
    for module in (training_queue, turns):
        monkeypatch.setattr(module, "SLICE", 0.0)
    monkeypatch.setattr(turns, "SHORTEST", 0.0)
    monkeypatch.setattr(turns, "PATIENCE", -1.0)


def test_turns_within_an_epoch_change_no_number(tiny_slices, tiny, recipe, watched):
    queue = TrainingQueue(cores=1)
    order, released = [], threading.Event()
    queue.when_idle(lambda: released.wait(TIMEOUT))
    recipes = [replace(recipe, seed=seed) for seed in range(2)]
    ids = [queue.submit(tiny, each) for each in recipes]
    watched.append(lambda event: order.append(threading.current_thread().name))
    released.set()
    for run_id, each in zip(ids, recipes, strict=True):
        run = ended(queue, run_id).run
        assert metrics_of(run.history) == alone(tiny, each)
    changes = sum(one != other for one, other in pairwise(order))
    assert changes > 2 * recipe.epochs


def test_resting_run_stops_without_a_core(tiny_slices, tiny, watched):
    """Its core is held by another run, which does not go on until the first has stopped."""
    queue = TrainingQueue(cores=1)
    long = TrainConfig(epochs=500, batch_size=8, train_images=40, validation_images=10)
    first, second = queue.submit(tiny, long), []

    def look(event):
        if threading.current_thread().name == f"training-{first}":
            if not second:
                second.append(queue.submit(tiny, long))
        elif queue.snapshot(first).place:
            queue.stop(first)
            ended(queue, first)
            queue.stop(second[0])

    watched.append(look)
    assert ended(queue, first).run.state == "stopped"
    assert ended(queue, second[0]).run.state == "stopped"
    assert load_run(first).state == "stopped"


def test_seconds_of_an_epoch_do_not_count_its_rest(tiny_slices, tiny, recipe, watched):
    queue = TrainingQueue(cores=1)
    first, second, released = queue.submit(tiny, recipe), [], threading.Event()

    def look(event):
        if threading.current_thread().name == f"training-{first}":
            if not second and isinstance(event, BatchEnd):
                second.append(queue.submit(tiny, recipe))
        elif queue.snapshot(first).place and not released.is_set():
            released.wait(1.5)
            released.set()

    watched.append(look)
    seconds = [record["seconds"] for record in ended(queue, first).run.history]
    ended(queue, second[0])
    assert released.is_set()
    assert max(seconds) < 1.5


# Expected times


def test_waiting_runs_say_when_they_start_and_end(queue, hold, tiny, short):
    ids = [queue.submit(tiny, replace(short, epochs=40 - 10 * number)) for number in range(3)]
    seen = [queue.snapshot(run_id) for run_id in ids]
    assert [status.place for status in seen] == [1, 2, 3]
    assert [status.starts for status in seen] == sorted(status.starts for status in seen)
    assert all(status.starts < status.ends for status in seen)
    assert seen[2].ends < seen[0].ends  # the shortest ends first
    hold.set()
    for run_id in ids:
        status = ended(queue, run_id)
        assert (status.place, status.starts, status.ends) == (0, None, None)


def test_times_of_a_run_that_is_not_submitted_yet(queue, hold, tiny, short):
    alone_start, alone_end = queue.expected_of(tiny, short)
    assert alone_start == 0
    ids = [queue.submit(tiny, replace(short, epochs=400), ADA) for _ in range(2)]
    start, end = queue.expected_of(tiny, short, "b")
    assert start < end
    assert queue.expected_of(tiny, short, "a")[0] > alone_end  # after her other runs
    assert queue.active_of("a") == tuple(ids)


# On disk


def test_waiting_run_outlives_its_process(queue, hold, tiny, recipe):
    run_id = queue.submit(tiny, recipe, ADA)
    assert queue.status_of(load_run(run_id)).run.state == "waiting"
    after = TrainingQueue(cores=1)  # of the next process, which knows nothing of the first
    assert after.status_of(load_run(run_id)).run.state == "stopped"
    assert after.resume(run_id) == run_id
    run = ended(after, run_id).run
    assert (run.state, run.about) == ("finished", ADA)
    assert metrics_of(run.history) == alone(tiny, recipe)
    queue.stop(run_id)


def test_run_stopped_before_its_first_epoch_starts_again(tiny, recipe, watched):
    queue = TrainingQueue(cores=1)
    watched.append(lambda event: queue.stop(queue.list()[0].run.id))
    run_id = queue.submit(tiny, recipe)
    assert ended(queue, run_id).run.history == ()
    watched.clear()
    queue.resume(run_id)
    assert metrics_of(ended(queue, run_id).run.history) == alone(tiny, recipe)


def test_waiting_run_that_is_stopped_leaves_nothing(queue, hold, tiny, short):
    run_id = queue.submit(tiny, short)
    assert [run.id for run in list_runs()] == [run_id]
    queue.stop(run_id)
    assert queue.snapshot(run_id).run.state == "stopped"
    assert list_runs() == []


def test_stopped_run_that_waits_again_keeps_its_epochs_when_stopped(queue, tiny, recipe, watched):
    def stop_in_the_second_epoch(event):
        if event.epoch == 2 and isinstance(event, BatchEnd):
            queue.stop(queue.list()[0].run.id)

    watched.append(stop_in_the_second_epoch)
    run_id = queue.submit(tiny, recipe)
    assert len(ended(queue, run_id).run.history) == 1
    released = threading.Event()
    assert queue.when_idle(lambda: released.wait(TIMEOUT))
    queue.resume(run_id)
    queue.stop(run_id)
    assert len(load_run(run_id).history) == 1
    released.set()
