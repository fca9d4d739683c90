"""Snapshots: the model at a few steps of its training, saved in half precision."""

import math
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..config import TrainConfig
from ..data.cifar10 import Data, Split
from ..files import is_plain
from ..model import VisionTransformer, copy_of
from ..training.loop import BatchEnd, EpochEnd, Event, evaluate
from . import checks
from .checkpoint import load_checkpoint, read_header, save_checkpoint
from .run import Run, storable

COUNT = 8  # snapshots at most, the final model not included
MEASURED_PART = 0.1  # of the images of a run, at most, that its snapshots may classify
FIRST = 10  # step of the first snapshot, or earlier in a run of few steps


@dataclass(frozen=True)
class Snapshot:
    """A run's model at one step of its training."""

    epochs: float  # trained so far
    accuracy: float | None  # on the validation images; None: not measured yet
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


def measures_snapshots(training: TrainConfig) -> bool:
    """Whether a run validates its snapshots. A short one leaves it to those who look at them."""
    validation = training.validation_images
    seen = training.epochs * (training.train_images + validation)
    return COUNT * validation <= MEASURED_PART * seen


def take_snapshot(run: Run, model: VisionTransformer, event: Event, data: Data) -> None:
    """Save the model in the run's folder if a snapshot is due after this event.

    Its model card has the step and, unless the run is short, the validation metrics of the weights
    as saved: rounded to 16 bits.
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
    card = {"step": step, "epochs": step / steps_per_epoch}
    if measures_snapshots(run.training):
        card["validation"] = storable(evaluate(half_precision(model), data.validation))
    path = run.snapshots_folder / f"{due.index(step) + 1}.safetensors"
    save_checkpoint(path, model, card, half=True)


def with_accuracy(snapshot: Snapshot, validation: Split) -> Snapshot:
    """Return a snapshot with its accuracy, measured and written into its model card if need be.

    Raises:
        ConfigError: its weights are damaged.
    """
    if snapshot.accuracy is not None:
        return snapshot
    model, card = load_checkpoint(snapshot.weights)
    metrics = evaluate(model, validation)
    with suppress(OSError):  # a folder that is read-only, or gone
        save_checkpoint(
            snapshot.weights, model, card | {"validation": storable(metrics)}, half=True
        )
    return replace(snapshot, accuracy=metrics["accuracy"])


def half_precision(model: VisionTransformer) -> VisionTransformer:
    """Return a copy of a model whose weights are rounded to 16 bits."""
    rounded = copy_of(model)
    for tensor in rounded.state_dict().values():
        if tensor.is_floating_point():  # batch norm also counts its batches
            tensor.copy_(tensor.half())
    return rounded


def list_snapshots(run: Run) -> list[Snapshot]:
    """Return all snapshots of a run, earliest first; the last is the model in `run.weights`."""
    found = []
    folder = run.snapshots_folder
    paths = [] if folder.is_symlink() else folder.glob("*.safetensors")
    for path in filter(is_plain, paths):  # not what lies elsewhere
        try:
            model, card = read_header(path)
            epochs = checks.number(card["epochs"], "epochs", run.training.epochs)
            metrics = card.get("validation")
            accuracy = None
            if metrics is not None:
                accuracy = checks.metrics(metrics, "snapshot")["accuracy"]
        except (ValueError, KeyError):  # damaged, or not one of ours
            continue
        if model == run.model:
            found.append(Snapshot(epochs, accuracy, path))
    if run.has_weights and run.history:
        done = len(run.history)
        found = [snapshot for snapshot in found if snapshot.epochs < done]
        found.append(Snapshot(done, run.history[-1]["validation"]["accuracy"], run.weights))
    return sorted(found, key=lambda snapshot: snapshot.epochs)
