"""Where the runs of the queue train: in this process, or on a Ray cluster.

The cluster is the one at the address in the variable VITDEMO_RAY_ADDRESS, if that is set.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from ..machine import available_cores, available_memory

if TYPE_CHECKING:  # it loads torch, and the Train page asks for limits before that
    from ..training.loop import Event


class Executor(Protocol):
    """Trains runs. The queue never lets more of them train at a time than there are cores."""

    cores: int  # of all runs together
    memory: int  # bytes that runs may take together
    threads: int | None  # torch threads of one run at most; None: as many as there are cores
    is_here: bool  # whether runs take cores of this machine
    train: Callable[..., Iterator[Event]] | None  # in place of `training.loop.train`

    def connect(self) -> None:
        """Make sure that runs can train; called before each of them is accepted.

        Raises:
            ConfigError: they cannot.
        """


class ThisProcess:
    """Trains runs on threads of this process."""

    threads, is_here, train = None, True, None

    @property
    def cores(self) -> int:
        """Cores of this machine that this process may use."""
        return available_cores()

    @property
    def memory(self) -> int:
        """Half of this machine's memory, in bytes."""
        return available_memory() // 2

    def connect(self) -> None:
        """Do nothing: there is nothing to connect to."""


def chosen_executor() -> Executor:
    """Return the executor that VITDEMO_RAY_ADDRESS chooses. Nothing is connected to yet."""
    address = os.environ.get("VITDEMO_RAY_ADDRESS", "").strip()
    if not address:
        return ThisProcess()
    from .ray_executor import RayExecutor

    return RayExecutor(address)


EXECUTOR = chosen_executor()  # of this process
