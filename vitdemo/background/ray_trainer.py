"""What runs on each core of a Ray cluster: it takes the steps of runs, and keeps no file."""

import os
import platform
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch

from ..config import ModelConfig, TrainConfig
from ..data.cifar10 import Data
from ..data.split import Split
from ..model import VisionTransformer
from ..training.loop import BatchEnd, EpochEnd, Event, epochs, first_state
from ..training.metrics import compute_metrics
from ..training.state import restore, state_content

SECONDS = 0.5  # of the steps between two answers, if no epoch ends


@dataclass(frozen=True)
class Work:
    """A run as it is handed to a trainer."""

    model: ModelConfig
    weights: dict[str, np.ndarray]  # before the first epoch
    is_new: bool  # whether these are the initial weights
    recipe: TrainConfig
    snapshots: frozenset[int]  # steps after which the weights are wanted
    state: bytes  # after the last complete epoch, as in its state file; empty: from the start


@dataclass(frozen=True)
class Step:
    """An event of `train`, and what the run's files need after it."""

    event: Event
    weights: dict[str, np.ndarray] | None = None  # at the end of an epoch, or for a snapshot
    state: bytes = b""  # at the end of an epoch


class Trainer:
    """Trains runs, one at a time and each with one torch thread: the same numbers on every node."""

    def __init__(self):
        torch.set_num_threads(1)
        compute_metrics(torch.eye(2), torch.arange(2))  # loads torchmetrics, which takes seconds
        self._runs: dict[str, Iterator[Step]] = {}

    def versions(self) -> dict[str, str]:
        """Return the versions that must be those of the app."""
        return versions()

    def process(self) -> int:
        """Return the id of this process, which is alive then."""
        return os.getpid()

    def advance(
        self, key: str, work: Work | None = None, data: list[np.ndarray] | None = None
    ) -> list[Step]:
        """Take the next steps of a run, for half a second or to the end of its epoch.

        Args:
            key: of the run.
            work: given if the run begins or continues here; it was not here before.
            data: `arrays_of` its data, given with `work`.

        Returns:
            The steps; none if the run has ended.
        """
        if work:
            self._runs[key] = steps_of(work, data_from(data))
        steps, until = [], time.monotonic() + SECONDS
        for step in self._runs[key]:
            steps.append(step)
            if step.state or time.monotonic() > until:
                break
        if not steps:
            del self._runs[key]
        return steps

    def drop(self, key: str) -> None:
        """Forget a run: it has ended, or continues elsewhere."""
        run = self._runs.pop(key, None)
        if run:
            run.close()


def steps_of(work: Work, data: Data) -> Iterator[Step]:
    """Train a run from its last complete epoch, as `train` does."""
    model = VisionTransformer(work.model, seed=0)
    set_weights(model, work.weights)
    model.is_new = work.is_new
    state = first_state(model, data, work.recipe)
    if work.state:
        restore(work.state, "state.pt", state, work.recipe)
    with closing(epochs(state, data, None)) as events:
        for event in events:
            if isinstance(event, EpochEnd):
                yield Step(event, weights_of(model), state_content(state))
            elif isinstance(event, BatchEnd) and state.step in work.snapshots:
                yield Step(event, weights_of(model))
            else:
                yield Step(event)


def weights_of(model: VisionTransformer) -> dict[str, np.ndarray]:
    """Return a copy of a model's weights."""
    return {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}


def set_weights(model: VisionTransformer, weights: dict[str, np.ndarray]) -> None:
    """Give a model the weights from `weights_of`."""
    # A copy, as arrays from Ray's object store cannot be written.
    model.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})


def arrays_of(data: Data) -> list[np.ndarray]:
    """Return images and labels as arrays, which every process of a node reads from one memory."""
    splits = (data.train, data.validation)
    return [tensor.numpy() for split in splits for tensor in (split.images, split.labels)]


def data_from(arrays: list[np.ndarray]) -> Data:
    """Return the data from `arrays_of`."""
    images, labels, validation_images, validation_labels = arrays
    return Data(Split(images, labels), Split(validation_images, validation_labels))


def versions() -> dict[str, str]:
    """Return the versions that decide whether two machines compute the same numbers."""
    return {"Python": platform.python_version(), "torch": torch.__version__}
