"""Progress of a training run, and the time it has left."""

import time
from dataclasses import dataclass

from ..data.cifar10 import Data
from ..runs.run import Run
from ..training.loop import BatchEnd, EpochEnd, Event

VALIDATION_COST = 1 / 3  # relative to a training image: forward pass only, no backward pass


@dataclass(frozen=True)
class Status:
    """The state of a training run at one moment."""

    run: Run
    place: int = 0  # in the queue, from 1; 0 while it has its turn
    starts: float | None = None  # seconds until its next turn, as expected; None if it has ended
    ends: float | None = None  # seconds until its end, as expected
    epoch: int = 0  # current epoch, from 1
    phase: str = ""  # "training" or "validation"
    batch: int = 0
    batches: int = 0
    images_per_second: float = 0.0  # of the training pass
    progress: float = 0.0  # 0 to 1
    seconds_left: float | None = None
    stopping: bool = False  # Stop was pressed; it ends after the batch under way
    paused: bool = False  # the teacher has paused all runs
    elsewhere: bool = False  # trained by another process, which alone can stop it


class Clock:
    """Computes the status of a run, with progress and time left, from its events.

    Args:
        run: the run, new or resumed.
        data: its images.
    """

    def __init__(self, run: Run, data: Data):
        self.started = time.perf_counter()
        self.epochs = run.training.epochs
        self.resumed_at: float | None = None  # progress before the first event
        self.train, self.validation = len(data.train), len(data.validation) * VALIDATION_COST
        self.speed = 0.0

    def read(self, run: Run, event: Event) -> Status:
        """Return the status after `event`."""
        in_epoch, phase, batch, batches = self.train + self.validation, "validation", 0, 0
        if isinstance(event, EpochEnd):
            done = in_epoch
            self.speed = event.images_per_second
        else:
            batch, batches = event.batch, event.batches
            done = self.train + self.validation * batch / batches
        if isinstance(event, BatchEnd):
            phase = "training"
            done = self.train * batch / batches
            self.speed = event.images_per_second
        progress = ((event.epoch - 1) * in_epoch + done) / (self.epochs * in_epoch)
        if self.resumed_at is None:  # a resumed run may repeat the last epoch of its history
            self.resumed_at = (event.epoch - 1) / self.epochs
        seconds = time.perf_counter() - self.started
        left = seconds * (1 - progress) / (progress - self.resumed_at)
        return Status(
            run,
            epoch=event.epoch,
            phase=phase,
            batch=batch,
            batches=batches,
            images_per_second=self.speed,
            progress=progress,
            seconds_left=left,
        )
