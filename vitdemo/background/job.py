"""A training in the queue: what it has used so far, and whether it has the cores now."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..costs import activation_bytes, held_bytes
from ..files import reason
from ..machine import DiskError
from ..runs.run import Run
from . import pace
from .turns import Claim


@dataclass
class Job:
    """A training that waits, or runs, or has begun and waits for its next turn."""

    run: Run  # as it was submitted or resumed
    waiting_since: float  # time.monotonic()
    epochs_done: int = 0  # also before it was resumed
    threads: int = 0  # torch threads of its turn; 0 while it waits
    turn_began: float = 0.0  # time.monotonic()
    used: float = 0.0  # seconds of its turns before this one
    in_memory: bool = False  # whether it has begun, on a thread of its own
    rests_between_epochs: bool = False  # waits for its turn in memory, and its last epoch is saved
    leaves: bool = False  # whether it shall leave the memory
    stopping: bool = False
    submitted: float = field(default_factory=time.monotonic)
    held: int = field(init=False)  # bytes while it is in memory
    working: int = field(init=False)  # bytes on top of them while it has a turn
    refused: dict[str, str] = field(default_factory=dict)  # what the disk does not take, and why

    def __post_init__(self):
        """Compute what memory it takes."""
        if self.run.unsaved:
            self.refused["run"] = self.run.unsaved
        batch = min(self.run.training.batch_size, self.run.training.train_images)
        self.held = held_bytes(self.run.model, batch)
        self.working = activation_bytes(self.run.model, batch)

    @contextmanager
    def saving(self, what: str) -> Iterator[None]:
        """Let the run go on in memory where the disk refuses what is written inside."""
        try:
            yield
        except (OSError, DiskError) as error:
            self.refused[what] = reason(error)
        else:
            self.refused.pop(what, None)

    @property
    def unsaved(self) -> str:
        """Why its last epochs, or its end, are not on disk; empty if they are."""
        return self.refused.get("run") or self.refused.get("end") or ""

    def claim(self, progress: float = 0.0) -> Claim:
        """Return what it claims, for `turns`; `progress` is that of the whole run, 0 to 1."""
        run, epochs = self.run, self.run.training.epochs
        seconds = pace.epoch_seconds(run.model, run.training)
        return Claim(
            run.id,
            min(epochs - self.epochs_done, epochs * (1 - progress)),
            seconds / max(1, self.threads) ** pace.SHARE,
            self.epochs_done,
            self.used,
            self.waiting_since,
            run.about.owner,
        )
