"""`train()`: a model, images and a recipe in; one event after the other out. No user interface."""

import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..config import ConfigError, ModelConfig, TrainConfig
from ..costs import check_memory
from ..data.cifar10 import Data, Split, normalize
from ..model import VisionTransformer
from .metrics import compute_metrics
from .optimizer import learning_rate
from .replicas import Replicas
from .state import TrainState, load_state, new_state, save_state
from .whitening import whiten

VALIDATION_BATCH = 64  # images; nothing is learned from them, so the batch size changes no result


class TrainingDiverged(RuntimeError):
    """The loss is no longer a finite number; the message says at which step and what to lower."""


@dataclass(frozen=True)
class BatchEnd:
    """One optimizer step is done."""

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
    """The model has seen all training images once and classified all validation images."""

    epoch: int  # from 1
    # The keys of METRICS. Each training image counts as it was seen: augmented, and while the weights
    # still changed; a mixed image counts under its own label alone.
    train: dict[str, float]
    validation: dict[str, float]  # after the epoch, with dropout off
    seconds: float  # of the whole epoch, validation included
    images_per_second: float  # of the training pass alone


Event = BatchEnd | ValidationBatchEnd | EpochEnd


def train(
    model: VisionTransformer, data: Data, config: TrainConfig, state_file: Path | None = None
) -> Iterator[Event]:
    """Train `model` in place and yield what happens (the paper, section 1.5.2).

    The same seed, model, data, precision and number of torch threads give the same numbers to the bit. Leaving the loop
    between two events stops the training; the model then holds the weights of the last step, or their moving average
    where `config.ema_decay` asks for it.

    Args:
        model: on the CPU.
        data: as from `load_cifar10`.
        config: the recipe; its fields on data are not used here.
        state_file: written after each EpochEnd. If it exists at the start, training resumes after that epoch,
            bit-identical to an uninterrupted run.

    Yields:
        A BatchEnd for each step, a ValidationBatchEnd for each batch of validation images, then an EpochEnd.

    Raises:
        ConfigError: there are no images, a step would not fit into memory, or the state is of another run.
        TrainingDiverged: the loss stopped being finite.
    """
    check_trainable(model.config, data, config)
    if config.patch_embed_init == "whitened":
        whiten(model, data.train.images)
    state = new_state(model, config)
    if state_file:
        load_state(state_file, state)
    with Replicas(state.model, config) as replicas:
        while state.epoch < config.epochs:
            state.epoch += 1
            started = time.perf_counter()
            train_metrics, speed = yield from train_epoch(state, data.train, replicas)
            validation_metrics = yield from validate(state, data.validation, replicas)
            seconds = time.perf_counter() - started
            yield EpochEnd(state.epoch, train_metrics, validation_metrics, seconds, speed)
            if (
                state_file
            ):  # only now, when the caller has kept the epoch: a kill in between repeats it
                save_state(state_file, state)


def train_epoch(
    state: TrainState, images: Split, replicas: Replicas
) -> Generator[BatchEnd, None, tuple[dict, float]]:
    """Take one optimizer step for each batch. Return the metrics and the images per second."""
    config, started = state.config, time.perf_counter()
    logits, labels, seen = [], [], 0
    order = torch.randperm(len(images), generator=replicas.begin_epoch(state.epoch))
    batches = order.split(config.batch_size)
    for batch, chosen in enumerate(batches, start=1):
        state.step += 1
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate(config, state.step, len(batches))
        loss, outputs = replicas.gradients(images[chosen])
        if not math.isfinite(loss):
            raise TrainingDiverged(_advice(state))
        state.optimizer.step()
        if config.ema_decay:
            update_ema(state.ema_model, state.model, config.ema_decay, state.step)
        logits.append(outputs)
        labels.append(images.labels[chosen])
        seen += len(chosen)
        speed = seen / (time.perf_counter() - started)
        yield BatchEnd(state.epoch, batch, len(batches), loss, speed)
    speed = len(images) / (time.perf_counter() - started)
    return compute_metrics(torch.cat(logits), torch.cat(labels)), speed


def validate(
    state: TrainState, images: Split, replicas: Replicas
) -> Generator[ValidationBatchEnd, None, dict]:
    """Classify the validation images, which the model never learns from. Return the metrics."""
    logits, batches = [], math.ceil(len(images) / VALIDATION_BATCH)
    for batch, outputs in enumerate(predict(state.ema_model, images, replicas.pool.map), start=1):
        logits.append(outputs)
        yield ValidationBatchEnd(state.epoch, batch, batches)
    metrics = compute_metrics(torch.cat(logits), images.labels)
    if not math.isfinite(metrics["loss"]):
        raise TrainingDiverged(_advice(state))
    return metrics


def predict(model: VisionTransformer, split: Split, each: Callable = map) -> Iterator[Tensor]:
    """Yield the model's logits (B, num_classes) batch by batch in order, dropout off, in 32-bit floats.

    Args:
        model: is switched to evaluation.
        split: the images.
        each: applies a function to every batch; the `map` of a thread pool shares them among cores.
    """

    @torch.inference_mode()
    def logits(start: int) -> Tensor:
        return model(normalize(split.images[start : start + VALIDATION_BATCH]))

    model.eval()
    yield from each(logits, range(0, len(split), VALIDATION_BATCH))


def evaluate(model: VisionTransformer, split: Split) -> dict[str, float]:
    """Return every metric of METRICS over the whole split.

    Raises:
        ConfigError: the images do not fit the model.
    """
    check_fit(model.config, split)
    return compute_metrics(torch.cat(list(predict(model, split))), split.labels)


def check_trainable(model: ModelConfig, data: Data, config: TrainConfig) -> None:
    """Refuse a training run that cannot work.

    Raises:
        ConfigError: there are no images, they do not fit the model, or a step would not fit into memory.
    """
    if not len(data.train) or not len(data.validation):
        raise ConfigError("Training needs at least one training and one validation image.")
    for split in (data.train, data.validation):
        check_fit(model, split)
    check_memory(model, config.batch_size)


def check_fit(config: ModelConfig, split: Split) -> None:
    """Refuse images that a model cannot take, or classes that it does not have.

    Raises:
        ConfigError: with the setting to change.
    """
    shape = (config.in_channels, config.image_size, config.image_size)
    if split.images.shape[1:] != shape:
        raise ConfigError(
            f"The images have the shape {tuple(split.images.shape[1:])} (channels, height, width), and the model takes "
            f"{shape}. Change in_channels and image_size."
        )
    if split.labels.max() >= config.num_classes:
        raise ConfigError(
            f"The images have {int(split.labels.max()) + 1} classes, and the model has {config.num_classes}. "
            "Raise num_classes."
        )


@torch.no_grad()
def update_ema(
    ema_model: VisionTransformer, model: VisionTransformer, decay: float, step: int
) -> None:
    """Move the exponential moving average of the weights toward the model's (Polyak and Juditsky 1992).

    A decay of 0.99 averages about the last 100 steps. In the first steps it is smaller, to forget the random start.
    Written by hand, as `torch.optim.swa_utils.AveragedModel` averages into a copy, and here the caller's own model is to
    hold the average.
    """
    decay = min(decay, step / (step + 10))
    for mean, weight in zip(ema_model.parameters(), model.parameters(), strict=True):
        mean.lerp_(weight, 1 - decay)
    for mean, buffer in zip(ema_model.buffers(), model.buffers(), strict=True):
        mean.copy_(buffer)  # the statistics of a batch norm are a moving average already


def _advice(state: TrainState) -> str:
    rate = state.config.learning_rate
    return (
        f"The loss is no longer a finite number at step {state.step} (epoch {state.epoch}): the steps are too large. "
        f"Lower the learning rate, now {rate:g}, for example to {rate / 10:g}, or add a warm-up. What was reached "
        "before is kept."
    )
