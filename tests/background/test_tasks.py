"""Background tasks: they run to their end, can be stopped, and fail without side effects."""

import threading
import time

import pytest
import torch

from vitdemo.background import tasks
from vitdemo.background.training_queue import QUEUE

TIMEOUT = 30  # seconds


@pytest.fixture(autouse=True)
def no_tasks(monkeypatch):
    monkeypatch.setattr(tasks, "_tasks", type(tasks._tasks)())


def ended(key):
    end = time.monotonic() + TIMEOUT
    while tasks.status(key).state == "running" and time.monotonic() < end:
        time.sleep(0.01)
    return tasks.status(key)


def test_unknown_task_has_no_status():
    assert tasks.status("nothing") is None
    tasks.stop("nothing")


@pytest.mark.parametrize(("busy", "threads"), [(True, 1), (False, QUEUE.cores)])
def test_task_runs_step_by_step_on_spare_cores(monkeypatch, busy, threads):
    monkeypatch.setattr(QUEUE, "busy", lambda: busy)
    seen = []

    def steps():
        seen.append(torch.get_num_threads())
        for number in range(3):
            seen.append(len(tasks.status("count").results))
            yield number

    tasks.start("count", 3, steps)
    assert ended("count") == tasks.Task(3, (0, 1, 2), "done")
    assert seen == [threads, 0, 1, 2]


def test_done_task_is_not_repeated():
    started = []
    for _ in range(2):
        tasks.start("once", 1, lambda: started.append(1) or iter([7]))
        ended("once")
    assert started == [1]


def test_stopped_task_keeps_its_results_and_can_be_restarted():
    proceed, at_second = threading.Event(), threading.Event()

    def steps():
        yield "first"
        at_second.set()
        proceed.wait(TIMEOUT)
        yield "second"
        pytest.fail("was not stopped")

    tasks.start("long", 3, steps)
    assert at_second.wait(TIMEOUT)
    tasks.stop("long")
    proceed.set()
    assert tasks.status("long") == tasks.Task(3, ("first",), "stopped")
    tasks.start("long", 1, lambda: iter(["again"]))
    assert ended("long") == tasks.Task(1, ("again",), "done")


def test_results_of_a_stopped_task_do_not_reach_its_restart():
    proceed, waits, closed = (threading.Event() for _ in range(3))

    def slow():
        waits.set()
        proceed.wait(TIMEOUT)
        try:
            yield "late"
            yield "later"
        finally:
            closed.set()

    tasks.start("same", 2, slow)
    assert waits.wait(TIMEOUT)
    tasks.stop("same")
    hold = threading.Event()
    tasks.start("same", 1, lambda: iter([hold.wait(TIMEOUT)]))
    proceed.set()
    assert closed.wait(TIMEOUT)
    assert tasks.status("same") == tasks.Task(1)
    hold.set()
    assert ended("same") == tasks.Task(1, (True,), "done")


def test_failed_task_has_a_message_and_prints_a_traceback(capfd):
    def steps():
        yield 1
        raise ValueError("no such picture")

    tasks.start("bad", 2, steps)
    assert ended("bad") == tasks.Task(2, (1,), "failed", "ValueError")
    assert "no such picture" in capfd.readouterr().err


def test_old_tasks_are_forgotten():
    for number in range(tasks.KEPT + 2):
        tasks.start(number, 1, lambda: iter([0]))
        ended(number)
    assert [tasks.status(number) for number in (0, 1)] == [None, None]
    assert tasks.status(2).state == "done"


def test_running_task_is_not_forgotten(monkeypatch):
    monkeypatch.setattr(tasks, "KEPT", 2)
    proceed = threading.Event()
    tasks.start("long", 1, lambda: iter([proceed.wait(TIMEOUT)]))
    for number in range(4):
        tasks.start(number, 1, lambda: iter([0]))
        ended(number)
    assert tasks.status("long").state == "running"
    assert tasks.status(0) is None
    proceed.set()
    assert ended("long") == tasks.Task(1, (True,), "done")
