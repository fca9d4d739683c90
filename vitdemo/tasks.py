"""Long questions in the background: each on a thread of its own that can be watched and stopped. No user interface."""

import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace

import torch

from .jobs import QUEUE

KEPT = 32  # questions whose answers are remembered


@dataclass(frozen=True)
class Task:
    """How far a question is."""

    total: int  # steps
    answers: tuple = ()  # of the steps that are done
    state: str = "running"  # or "done", "stopped", "failed"


_lock = threading.Lock()
_tasks: OrderedDict[Hashable, Task] = OrderedDict()


def begin(key: Hashable, total: int, steps: Callable[[], Iterator]) -> None:
    """Take the steps of `steps()` one after the other; nothing happens if this question runs or was answered.

    Args:
        key: the question: everything that the answers depend on.
        total: how many steps there are.
        steps: called on the new thread, which has all cores for torch, or one while a training runs or waits.
    """
    with _lock:
        if key in _tasks and _tasks[key].state in ("running", "done"):
            return
        _tasks[key] = Task(total)
        _tasks.move_to_end(key)
        while len(_tasks) > KEPT:
            _tasks.popitem(last=False)
    threading.Thread(target=_work, args=(key, steps), name="task", daemon=True).start()


def task(key: Hashable) -> Task | None:
    """How far it is, or None if nobody asked."""
    return _tasks.get(key)


def stop(key: Hashable) -> None:
    """End it after the step that it is at; what it has found stays."""
    _change(key, state="stopped")


def _change(key: Hashable, **changes) -> Task | None:
    """The task after changing it, while it runs."""
    with _lock:
        found = _tasks.get(key)
        if found and found.state == "running":
            _tasks[key] = found = replace(found, **changes)
        return found


def _work(key: Hashable, steps: Callable[[], Iterator]) -> None:
    torch.set_num_threads(QUEUE.spare_cores())
    answers = []
    try:
        for answer in steps():
            answers.append(answer)
            now = _change(key, answers=tuple(answers))
            if now is None or now.state != "running":
                return
        _change(key, state="done")
    except Exception:
        traceback.print_exc()
        _change(key, state="failed")
