"""`train()`: a model, images and a recipe in; one event after the other out. No threads, no user interface."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .config import ConfigError, ModelConfig, TrainConfig
from .costs import check_memory
from .data import Data, Split, augment, normalise
from .metrics import compute_metrics
from .model import VisionTransformer


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
    train: dict[str, float]  # the keys of METRICS; each image as it was seen in training, while the weights changed
    validation: dict[str, float]  # the same after the epoch, with dropout off
    seconds: float  # of the whole epoch, validation included
    images_per_second: float  # of the training pass alone


def train(
    model: VisionTransformer, data: Data, config: TrainConfig
) -> Iterator[BatchEnd | ValidationBatchEnd | EpochEnd]:
    """Train `model` in place and yield what happens (annotation, section 1.5.2).

    The same seed, model, data and number of torch threads give the same numbers to the bit. Leaving the loop between
    two events stops the training; the model then holds the weights of the last step.

    Args:
        model: on the CPU.
        data: as from `load_cifar10`.
        config: the recipe; its fields on data are not used here.

    Yields:
        a BatchEnd for each step, a ValidationBatchEnd for each batch of validation images, then an EpochEnd.

    Raises:
        ConfigError: there are no images, or a step would not fit into memory.
        TrainingDiverged: the loss stopped being finite.
    """
    if not len(data.train) or not len(data.validation):
        raise ConfigError("training needs at least one training and one validation image.")
    for split in (data.train, data.validation):
        check_fit(model.config, split)
    check_memory(model.config, config.batch_size)
    generator = torch.Generator().manual_seed(config.seed)  # order and augmentation
    model.generator.manual_seed(config.seed)  # dropout
    optimizer = make_optimizer(model, config)
    batches = math.ceil(len(data.train) / config.batch_size)
    for epoch in range(1, config.epochs + 1):
        started = time.perf_counter()
        model.train()
        logits, labels = [], []
        order = torch.randperm(len(data.train), generator=generator)
        for batch, chosen in enumerate(order.split(config.batch_size), start=1):
            step = (epoch - 1) * batches + batch
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config, step, batches)
            part = data.train[chosen]
            outputs = model(normalise(augment(part.images, config.augmentation, generator)))
            loss = F.cross_entropy(outputs, part.labels)
            if not math.isfinite(loss.item()):
                raise TrainingDiverged(_advice(config, step, epoch))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            logits.append(outputs.detach())
            labels.append(part.labels)
            seen = (batch - 1) * config.batch_size + len(chosen)
            speed = seen / (time.perf_counter() - started)
            yield BatchEnd(epoch, batch, batches, loss.item(), speed)
        speed = len(data.train) / (time.perf_counter() - started)
        train_metrics = compute_metrics(torch.cat(logits), torch.cat(labels))

        logits = []
        parts = math.ceil(len(data.validation) / config.batch_size)
        for batch, outputs in enumerate(predict(model, data.validation, config.batch_size), start=1):
            logits.append(outputs)
            yield ValidationBatchEnd(epoch, batch, parts)
        validation_metrics = compute_metrics(torch.cat(logits), data.validation.labels)
        if not math.isfinite(validation_metrics["loss"]):
            raise TrainingDiverged(_advice(config, epoch * batches, epoch))
        yield EpochEnd(epoch, train_metrics, validation_metrics, time.perf_counter() - started, speed)


def predict(model: VisionTransformer, split: Split, batch_size: int = 128) -> Iterator[Tensor]:
    """The model's logits (B, num_classes), batch by batch, dropout off (annotation, section 1.5.3)."""
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


def make_optimizer(model: VisionTransformer, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam, whose decay joins the gradient (L2), or AdamW, whose decay does not (Loshchilov and Hutter 2019)."""
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
    return kind(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)


def learning_rate(config: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """The rate of step 1, 2, …: a straight line up during the warm-up, then constant or half a cosine down to 0."""
    warmup = config.warmup_epochs * steps_per_epoch
    if step <= warmup:
        return config.learning_rate * step / warmup
    if config.schedule == "constant":
        return config.learning_rate
    done = (step - 1 - warmup) / (config.epochs * steps_per_epoch - warmup)  # 0 at the first step after the warm-up
    return config.learning_rate * (1 + math.cos(math.pi * max(done, 0))) / 2


def _advice(config: TrainConfig, step: int, epoch: int) -> str:
    return (
        f"The loss is no longer a finite number at step {step} (epoch {epoch}): the steps are too large. "
        f"Lower the learning rate, now {config.learning_rate:g}, for example to {config.learning_rate / 10:g}, or give "
        "it a warm-up. What was reached before is kept."
    )
