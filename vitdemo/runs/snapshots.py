"""Snapshots: the model at a few steps of its training, saved in half precision."""

import math
from dataclasses import dataclass
from pathlib import Path

from ..config import ConfigError
from ..data.cifar10 import Data
from ..model import VisionTransformer
from ..training.loop import BatchEnd, EpochEnd, Event, evaluate
from .checkpoint import read_header, save_checkpoint
from .run import Run, storable

COUNT = 8  # snapshots at most, the final model not included
FIRST = 10  # step of the first snapshot, or earlier in a run of few steps


@dataclass(frozen=True)
class Snapshot:
    """A run's model at one step of its training."""

    epochs: float  # trained so far
    accuracy: float  # on the validation images
    weights: Path


def snapshot_steps(epochs: int, steps_per_epoch: int) -> list[int]:
    """Return the steps after which snapshots are taken, evenly spaced on a logarithmic scale.

    After the first epoch, they are moved to the ends of epochs, where validation metrics are known.
    """
    steps = epochs * steps_per_epoch
    first = min(FIRST, max(1, steps // COUNT))
    chosen = set()
    for number in range(COUNT):
        step = round(first * (steps / first) ** (number / COUNT))
        if step >= steps_per_epoch:
            step = round(step / steps_per_epoch) * steps_per_epoch
        if step < steps:
            chosen.add(step)
    return sorted(chosen)


def take_snapshot(run: Run, model: VisionTransformer, event: Event, data: Data) -> None:
    """Save the model in the run's folder if a snapshot is due after this event.

    Its model card has the step and the validation metrics.
    """
    steps_per_epoch = math.ceil(len(data.train) / run.training.batch_size)
    due = snapshot_steps(run.training.epochs, steps_per_epoch)
    if isinstance(event, EpochEnd):
        step = event.epoch * steps_per_epoch
    elif isinstance(event, BatchEnd) and event.batch < steps_per_epoch:
        step = (event.epoch - 1) * steps_per_epoch + event.batch
    else:
        return
    if step not in due:
        return
    at_epoch_end = isinstance(event, EpochEnd)
    metrics = event.validation if at_epoch_end else evaluate(model, data.validation)
    card = {"step": step, "epochs": step / steps_per_epoch, "validation": storable(metrics)}
    path = run.snapshots_folder / f"{due.index(step) + 1}.safetensors"
    save_checkpoint(path, model, card, half=True)


def list_snapshots(run: Run) -> list[Snapshot]:
    """Return all snapshots of a run, earliest first; the last is the model in `run.weights`."""
    found = []
    for path in run.snapshots_folder.glob("*.safetensors"):
        try:
            _, card = read_header(path)
            found.append(Snapshot(card["epochs"], card["validation"]["accuracy"], path))
        except (ConfigError, KeyError, TypeError):  # damaged, or not one of ours
            continue
    if run.has_weights and run.history:
        done = len(run.history)
        found = [snapshot for snapshot in found if snapshot.epochs < done]
        found.append(Snapshot(done, run.history[-1]["validation"]["accuracy"], run.weights))
    return sorted(found, key=lambda snapshot: snapshot.epochs)
