"""`train()`: train a model on images with a recipe, and report every step. No user interface."""

import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
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

VALIDATION_BATCH = 64  # images; affects the speed only


class TrainingDiverged(RuntimeError):
    """The loss is no longer finite. The message names the step and what to change."""


@dataclass(frozen=True)
class BatchEnd:
    """One optimizer step has been taken."""

    epoch: int  # from 1
    batch: int  # from 1
    batches: int  # in an epoch
    loss: float  # mean over the batch
    images_per_second: float  # in this epoch so far


@dataclass(frozen=True)
class ValidationBatchEnd:
    """One batch of validation images has been classified."""

    epoch: int
    batch: int
    batches: int


@dataclass(frozen=True)
class EpochEnd:
    """The model has seen all training images once and classified all validation images."""

    epoch: int  # from 1
    # Keys of METRICS. Training images count as they were seen: augmented, while the weights still
    # changed. An image mixed with another counts under its own label.
    train: dict[str, float]
    validation: dict[str, float]  # after the epoch, without dropout
    seconds: float  # for the whole epoch, including validation, without what the caller does
    images_per_second: float  # of the training pass alone


Event = BatchEnd | ValidationBatchEnd | EpochEnd
# Makes a context manager around what is written, given what it is: "state" here
Saving = Callable[[str], AbstractContextManager]


def train(
    model: VisionTransformer,
    data: Data,
    config: TrainConfig,
    state_file: Path | None = None,
    saving: Saving = nullcontext,
) -> Iterator[Event]:
    """Train `model` in place and yield an event after each step (the paper, section 1.5.2).

    The same seed, model, data, precision and number of torch threads give bit-identical results.
    Leaving the loop stops the training. At each event and afterwards, the model is in evaluation
    mode and has the weights of the last step, or their moving average if `config.ema_decay` is set.

    Args:
        model: model on the CPU. A new one first gets the initialization of the recipe
            (`config.patch_embed_init`); a trained one is trained further.
        data: training and validation images, as from `load_cifar10`.
        config: the recipe; its fields about data are not used here. A precision of auto is decided
            once and kept in the state file.
        state_file: written after each EpochEnd. If it exists, training resumes after that epoch,
            bit-identical to an uninterrupted run.
        saving: entered where the state file is written; may swallow the errors of the disk.

    Yields:
        A BatchEnd per step, a ValidationBatchEnd per validation batch, then an EpochEnd.

    Raises:
        ConfigError: there are no images, a step needs too much memory, or the state file does not
            belong to this configuration.
        TrainingDiverged: the loss is no longer finite.
    """
    state = first_state(model, data, config)
    if state_file:
        load_state(state_file, state, config)
    try:
        yield from epochs(state, data, state_file, saving)
    finally:
        model.eval()  # also after an interrupt in the middle of a step


def first_state(model: VisionTransformer, data: Data, config: TrainConfig) -> TrainState:
    """Return the state before the first epoch; a new model gets the initialization of the recipe.

    Raises:
        ConfigError: as `train`.
    """
    check_trainable(model.config, data, config)
    if model.is_new and config.patch_embed_init == "whitened":
        whiten(model, data.train.images)
    model.is_new = False
    return new_state(model, config)


def epochs(
    state: TrainState, data: Data, state_file: Path | None, saving: Saving = nullcontext
) -> Iterator[Event]:
    """Train and validate epoch by epoch, to the end of the run."""
    with Replicas(state.model, state.config) as replicas:
        while state.epoch < state.config.epochs:
            state.epoch += 1
            seconds = []
            training = train_epoch(state, data.train, replicas)
            train_metrics, speed = yield from timed(training, seconds)
            validation = validate(state, data.validation, replicas)
            validation_metrics = yield from timed(validation, seconds)
            yield EpochEnd(state.epoch, train_metrics, validation_metrics, sum(seconds), speed)
            # Saved only now that the caller has stored the epoch: after a kill, it is repeated.
            if state_file:
                with saving("state"):
                    save_state(state_file, state)


def timed(steps: Generator, seconds: list[float]) -> Generator:
    """Yield and return what `steps` does, and append the seconds of each of its steps.

    What the caller does with an event does not count: it may rest there for minutes.
    """
    while True:
        started = time.perf_counter()
        try:
            event = next(steps)
        except StopIteration as end:
            return end.value
        finally:
            seconds.append(time.perf_counter() - started)
        yield event


def train_epoch(
    state: TrainState, images: Split, replicas: Replicas
) -> Generator[BatchEnd, None, tuple[dict, float]]:
    """Take one optimizer step per batch. Return the metrics and the images per second."""
    config = state.config
    logits, labels, seen, seconds = [], [], 0, 0.0
    order = torch.randperm(len(images), generator=replicas.begin_epoch(state.epoch))
    batches = order.split(config.batch_size)
    for batch, chosen in enumerate(batches, start=1):
        started = time.perf_counter()
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
        state.ema_model.eval()
        seconds += time.perf_counter() - started  # without what the caller does with the event
        yield BatchEnd(state.epoch, batch, len(batches), loss, seen / seconds)
    return _finite_metrics(state, logits, torch.cat(labels)), seen / seconds


def validate(
    state: TrainState, images: Split, replicas: Replicas
) -> Generator[ValidationBatchEnd, None, dict]:
    """Classify the validation images, on which the model is not trained. Return the metrics."""
    logits, batches = [], math.ceil(len(images) / VALIDATION_BATCH)
    for batch, outputs in enumerate(predict(state.ema_model, images, replicas.pool.map), start=1):
        logits.append(outputs)
        yield ValidationBatchEnd(state.epoch, batch, batches)
    return _finite_metrics(state, logits, images.labels)


def _finite_metrics(state: TrainState, logits: list[Tensor], labels: Tensor) -> dict[str, float]:
    """Return the metrics of all batches. Their mean loss may overflow where no batch's does."""
    metrics = compute_metrics(torch.cat(logits), labels)
    if not math.isfinite(metrics["loss"]):
        raise TrainingDiverged(_advice(state))
    return metrics


def predict(model: VisionTransformer, split: Split, each: Callable = map) -> Iterator[Tensor]:
    """Yield the logits (B, num_classes) of each batch in order, in float32 and without dropout.

    Args:
        model: switched to evaluation mode.
        split: the images.
        each: `map`, or the `map` of a thread pool, which shares the batches among cores.
    """

    @torch.inference_mode()
    def logits(start: int) -> Tensor:
        return model(normalize(split.images[start : start + VALIDATION_BATCH]))

    model.eval()
    yield from each(logits, range(0, len(split), VALIDATION_BATCH))


def evaluate(model: VisionTransformer, split: Split) -> dict[str, float]:
    """Return every metric of METRICS over all images of a split.

    Raises:
        ConfigError: the model cannot take these images, lacks classes, or computes no numbers.
    """
    check_fit(model.config, split)
    logits = torch.cat(list(predict(model, split)))
    if not logits.isfinite().all():
        raise ConfigError(
            "The model computes NaN or infinity, so it cannot be evaluated. Check its weights."
        )
    return compute_metrics(logits, split.labels)


def check_trainable(model: ModelConfig, data: Data, config: TrainConfig) -> None:
    """Refuse a configuration that cannot be trained on these images.

    Raises:
        ConfigError: there are no images, they do not fit the model, more classes have names than
            the model has, or a step needs too much memory.
    """
    if not len(data.train) or not len(data.validation):
        raise ConfigError("Training needs at least one training and one validation image.")
    for split in (data.train, data.validation):
        check_fit(model, split)
    if len(data.classes) > model.num_classes:
        raise ConfigError(
            f"There are names of {len(data.classes)} classes, and the model has "
            f"{model.num_classes}. Raise num_classes."
        )
    check_memory(model, config.batch_size)


def check_fit(config: ModelConfig, split: Split) -> None:
    """Refuse images that a model cannot take, or classes that it does not have.

    Raises:
        ConfigError: the message names the setting to change.
    """
    given = tuple(split.images.shape[1:])
    wanted = (config.in_channels, config.image_size, config.image_size)
    if given != wanted:
        raise ConfigError(
            f"The images have shape {given} (channels, height, width), and the model takes "
            f"{wanted}. Change in_channels or image_size."
        )
    classes = int(split.labels.max()) + 1
    if classes > config.num_classes:
        raise ConfigError(
            f"The images have {classes} classes, and the model has {config.num_classes}. "
            "Raise num_classes."
        )


@torch.no_grad()
def update_ema(
    ema_model: VisionTransformer, model: VisionTransformer, decay: float, step: int
) -> None:
    """Update the exponential moving average of the weights (Polyak and Juditsky 1992).

    A decay of 0.99 averages about the last 100 steps. It is smaller in the first steps, to forget
    the random initialization. `torch.optim.swa_utils.AveragedModel` would average into a copy,
    while the caller's own model should hold the average.
    """
    decay = min(decay, step / (step + 10))
    for mean, weight in zip(ema_model.parameters(), model.parameters(), strict=True):
        mean.lerp_(weight, 1 - decay)
    for mean, buffer in zip(ema_model.buffers(), model.buffers(), strict=True):
        mean.copy_(buffer)  # batch norm statistics, which are a moving average already


def _advice(state: TrainState) -> str:
    rate = state.config.learning_rate
    kept = " Earlier epochs are kept." if state.epoch > 1 else ""
    return (
        f"The loss is no longer finite at step {state.step} (epoch {state.epoch}): the steps are "
        f"too large. Lower the learning rate, now {rate:g}, for example to {rate / 10:g}, or add a "
        f"warm-up.{kept}"
    )
