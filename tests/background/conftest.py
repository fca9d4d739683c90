"""Fixtures of the tests of the queue."""

import sys
import threading

import pytest

from tests.background.queue_runs import TIMEOUT, ended
from vitdemo.background.training_queue import TrainingQueue
from vitdemo.training.loop import train


@pytest.fixture(autouse=True)
def switch_interval():
    """Restore the switch interval, which training sets for the whole process."""
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def queue():
    """Return a queue with two cores, and stop all of its runs after the test."""
    queue = TrainingQueue(cores=2)
    yield queue
    for snapshot in queue.list():
        queue.stop(snapshot.run.id)
        ended(queue, snapshot.run.id)


@pytest.fixture
def hold(queue):
    """Occupy all cores of the queue until this event is set, so that submitted runs wait."""
    released = threading.Event()
    assert queue.when_idle(lambda: released.wait(TIMEOUT))
    yield released
    released.set()


@pytest.fixture
def watched(monkeypatch):
    """Return a list of functions that are called after every event of every run."""
    functions = []

    def train_watched(*arguments):
        for event in train(*arguments):
            yield event
            for function in functions:
                function(event)

    monkeypatch.setattr("vitdemo.runs.train_run.train", train_watched)
    return functions
