"""`train()`: a model, images and a recipe in; one event after the other out. No threads, no user interface."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..config import ConfigError, ModelConfig, TrainConfig
from ..costs import check_memory
from ..data.cifar10 import Data, Split, normalise
from ..model import VisionTransformer
from .metrics import compute_metrics
from .optimizer import learning_rate, make_optimizer
from .replicas import Workers
from .state import load_state, save_state
from .whitening import whiten

VALIDATION_BATCH = 64  # images; nothing is learnt from them, so their number at a time changes no result


class TrainingDiverged(RuntimeError):
    """The loss is no longer a finite number; the message says at which step and what to lower."""


@dataclass(frozen=True)
class BatchEnd:
    """One optimiser step is done."""

    epoch: int  # from 1
    batch: int  # from 1
    batches: int  # in an epoch
    loss: float  # mean over the batch
    images_per_second: float  # of the training pass so far in this epoch


@dataclass(frozen=True)
class ValidationBatchEnd:
    """One batch of validation images is done."""

    epoch: int
    batch: int
    batches: int


@dataclass(frozen=True)
class EpochEnd:
    """All training images were seen once, all validation images were classified."""

    epoch: int  # from 1
    # The keys of METRICS. In training each image counts as it was seen, changed at random and while the weights moved;
    # a mixed one under its own label alone.
    train: dict[str, float]
    validation: dict[str, float]  # the same after the epoch, with dropout off
    seconds: float  # of the whole epoch, validation included
    images_per_second: float  # of the training pass alone


def train(
    model: VisionTransformer, data: Data, config: TrainConfig, state_file: Path | None = None
) -> Iterator[BatchEnd | ValidationBatchEnd | EpochEnd]:
    """Train `model` in place and yield what happens (annotation, section 1.5.2).

    A batch is cut into one part for each of the calling thread's torch threads, and their gradients are added. The same
    seed, model, data, precision and number of torch threads give the same numbers to the bit. Leaving the loop between
    two events stops the training; the model then holds the weights of the last step, or their running mean where
    `config.weight_averaging` asks for it.

    Args:
        model: on the CPU.
        data: as from `load_cifar10`.
        config: the recipe; its fields on data are not used here.
        state_file: written after each EpochEnd. If it is there at the start, the training goes on after that epoch, as
            if it had never been stopped.

    Yields:
        a BatchEnd for each step, a ValidationBatchEnd for each batch of validation images, then an EpochEnd.

    Raises:
        ConfigError: there are no images, a step would not fit into memory, or the state is of another training.
        TrainingDiverged: the loss stopped being finite.
    """
    if not len(data.train) or not len(data.validation):
        raise ConfigError("training needs at least one training and one validation image.")
    for split in (data.train, data.validation):
        check_fit(model.config, split)
    check_memory(model.config, config.batch_size)
    if config.first_filters == "whitened":
        whiten(model, data.train.images)
    learner = copy_of(model) if config.weight_averaging else model  # the one that takes the steps
    optimizer = make_optimizer(learner, config)
    done = load_state(state_file, model, learner, optimizer, config) if state_file else 0
    batches = math.ceil(len(data.train) / config.batch_size)
    with Workers(learner, config) as workers:
        for epoch in range(done + 1, config.epochs + 1):
            started = time.perf_counter()
            logits, labels = [], []
            order = torch.randperm(len(data.train), generator=workers.begin_epoch(epoch))
            for batch, chosen in enumerate(order.split(config.batch_size), start=1):
                step = (epoch - 1) * batches + batch
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(config, step, batches)
                loss, outputs = workers.gradients(data.train[chosen])
                if not math.isfinite(loss):
                    raise TrainingDiverged(_advice(config, step, epoch))
                optimizer.step()
                if config.weight_averaging:
                    average(model, learner, config.weight_averaging, step)
                logits.append(outputs)
                labels.append(data.train.labels[chosen])
                seen = (batch - 1) * config.batch_size + len(chosen)
                speed = seen / (time.perf_counter() - started)
                yield BatchEnd(epoch, batch, batches, loss, speed)
            speed = len(data.train) / (time.perf_counter() - started)
            train_metrics = compute_metrics(torch.cat(logits), torch.cat(labels))

            logits = []
            parts = math.ceil(len(data.validation) / VALIDATION_BATCH)
            for batch, outputs in enumerate(workers.predict(model, data.validation, VALIDATION_BATCH), start=1):
                logits.append(outputs)
                yield ValidationBatchEnd(epoch, batch, parts)
            validation_metrics = compute_metrics(torch.cat(logits), data.validation.labels)
            if not math.isfinite(validation_metrics["loss"]):
                raise TrainingDiverged(_advice(config, epoch * batches, epoch))
            yield EpochEnd(epoch, train_metrics, validation_metrics, time.perf_counter() - started, speed)
            if state_file:
                save_state(state_file, epoch, model, learner, optimizer, config)


def predict(model: VisionTransformer, split: Split, batch_size: int = VALIDATION_BATCH) -> Iterator[Tensor]:
    """The model's logits (B, num_classes), batch by batch, dropout off, in 32-bit floats."""
    model.eval()
    for start in range(0, len(split), batch_size):
        with torch.inference_mode():
            logits = model(normalise(split.images[start : start + batch_size]))
        yield logits


def evaluate(model: VisionTransformer, split: Split) -> dict[str, float]:
    """Every metric of METRICS over the whole split."""
    check_fit(model.config, split)
    return compute_metrics(torch.cat(list(predict(model, split))), split.labels)


def check_fit(config: ModelConfig, split: Split) -> None:
    """Refuse images that a model cannot take, or classes that it does not know.

    Raises:
        ConfigError: with the setting to change.
    """
    shape = (config.in_channels, config.image_size, config.image_size)
    if split.images.shape[1:] != shape:
        raise ConfigError(
            f"the images are of {tuple(split.images.shape[1:])} (channels, height, width) and the model takes {shape}: "
            "change in_channels and image_size."
        )
    if split.labels.max() >= config.num_classes:
        raise ConfigError(
            f"the images are of {int(split.labels.max()) + 1} classes and the model knows {config.num_classes}: "
            "raise num_classes."
        )


def copy_of(model: VisionTransformer) -> VisionTransformer:
    """The same weights in memory of their own."""
    copy = VisionTransformer(model.config, seed=0)
    copy.load_state_dict(model.state_dict())
    return copy


@torch.no_grad()
def average(model: VisionTransformer, learner: VisionTransformer, kept: float, step: int) -> None:
    """Move the running mean in `model` towards the learner's weights; at first faster, to forget the random start.

    An exponential moving average (Polyak and Juditsky 1992): `kept` 0.99 is a mean over about the last 100 steps.
    """
    kept = min(kept, step / (step + 10))
    for mean, weight in zip(model.parameters(), learner.parameters(), strict=True):
        mean.lerp_(weight, 1 - kept)
    for mine, its in zip(model.buffers(), learner.buffers(), strict=True):
        mine.copy_(its)  # what batch norms have seen is a running mean already


def _advice(config: TrainConfig, step: int, epoch: int) -> str:
    return (
        f"The loss is no longer a finite number at step {step} (epoch {epoch}): the steps are too large. "
        f"Lower the learning rate, now {config.learning_rate:g}, for example to {config.learning_rate / 10:g}, or give "
        "it a warm-up. What was reached before is kept."
    )
