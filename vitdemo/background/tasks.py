"""Long questions in the background: each on a thread of its own that can be watched and stopped. No user interface."""

import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count

import torch

from .training_queue import QUEUE

KEPT = 32  # questions whose answers are remembered


@dataclass(frozen=True)
class Task:
    """How far a question is."""

    total: int  # steps
    answers: tuple = ()  # of the steps that are done
    state: str = "running"  # or "done", "stopped", "failed"
    asking: int = field(
        default=0, compare=False
    )  # tells the thread of a question that is asked again from the first one


_lock = threading.Lock()
_askings = count()
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
        asking = next(_askings)
        _tasks[key] = Task(total, asking=asking)
        _tasks.move_to_end(key)
        while len(_tasks) > KEPT:
            _tasks.popitem(last=False)
    threading.Thread(target=_work, args=(key, asking, steps), name="task", daemon=True).start()


def task(key: Hashable) -> Task | None:
    """How far it is, or None if nobody asked."""
    return _tasks.get(key)


def stop(key: Hashable) -> None:
    """End it after the step that it is at; what it has found stays."""
    _change(key, state="stopped")


def _change(key: Hashable, asking: int | None = None, **changes) -> bool:
    """Change the task if it runs, and is still the one of that asking; whether it was."""
    with _lock:
        found = _tasks.get(key)
        if found is None or found.state != "running" or asking not in (None, found.asking):
            return False
        _tasks[key] = replace(found, **changes)
        return True


def _work(key: Hashable, asking: int, steps: Callable[[], Iterator]) -> None:
    torch.set_num_threads(QUEUE.spare_cores())
    answers = []
    try:
        for answer in steps():
            answers.append(answer)
            if not _change(key, asking, answers=tuple(answers)):
                return
        _change(key, asking, state="done")
    except Exception:
        traceback.print_exc()
        _change(key, asking, state="failed")
