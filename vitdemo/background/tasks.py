"""Long tasks in the background, each on its own thread, with their progress. No user interface."""

import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count

import torch

from ..config import ConfigError
from .training_queue import QUEUE

KEPT = 256  # tasks whose results are kept; a class makes some hundred of them


@dataclass(frozen=True)
class Task:
    """The state of a task."""

    total: int  # steps
    results: tuple = ()  # one per completed step
    state: str = "running"  # or "done", "stopped", "failed"
    message: str = ""  # why it failed
    generation: int = field(default=0, compare=False)  # differs when a task is restarted


_changed = threading.Condition()
_generations = count()
_tasks: OrderedDict[Hashable, Task] = OrderedDict()


def start(key: Hashable, total: int, steps: Callable[[], Iterator]) -> None:
    """Start a task, unless it is running or done.

    Args:
        key: everything that the results depend on.
        total: number of steps.
        steps: function that yields one result per step. It is called on a new thread, where torch
            has all cores, or one while a training run is active.
    """
    with _changed:
        if key in _tasks and _tasks[key].state in ("running", "done"):
            return
        generation = next(_generations)
        _tasks[key] = Task(total, generation=generation)
        _tasks.move_to_end(key)
        ended = [other for other, task in _tasks.items() if task.state != "running"]
        for oldest in ended[: max(0, len(_tasks) - KEPT)]:
            del _tasks[oldest]
    threading.Thread(target=_work, args=(key, generation, steps), name="task", daemon=True).start()


def status(key: Hashable) -> Task | None:
    """Return the state of a task, or None if it was never started."""
    return _tasks.get(key)


def results(key: Hashable) -> tuple | None:
    """Return all results of a task, or None if it is not done."""
    task = status(key)
    return task.results if task is not None and task.state == "done" else None


def stop(key: Hashable) -> None:
    """Stop the task after its current step. The results so far are kept."""
    _change(key, state="stopped")


def wait(key: Hashable, seconds: float) -> None:
    """Wait until the task has ended, at most this many seconds."""
    end = time.monotonic() + seconds
    with _changed:
        while (task := _tasks.get(key)) and task.state == "running" and time.monotonic() < end:
            _changed.wait(end - time.monotonic())


def _change(key: Hashable, generation: int | None = None, **changes) -> bool:
    """Change a running task, if it is of this generation. Return whether it was changed."""
    with _changed:
        task = _tasks.get(key)
        if task is None or task.state != "running" or generation not in (None, task.generation):
            return False
        _tasks[key] = replace(task, **changes)
        _changed.notify_all()
        return True


def _work(key: Hashable, generation: int, steps: Callable[[], Iterator]) -> None:
    torch.set_num_threads(QUEUE.spare_cores())
    found = []
    try:
        for result in steps():
            found.append(result)
            if not _change(key, generation, results=tuple(found)):
                return
        _change(key, generation, state="done")
    except Exception as error:
        traceback.print_exc()
        message = str(error) if isinstance(error, ConfigError) else type(error).__name__
        _change(key, generation, state="failed", message=message)
