"""How long a run takes on this machine, measured on steps of its own model and recipe."""

import math
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, quantiles

import torch

from ..config import ModelConfig, TrainConfig
from ..costs import MEMORY_LIMIT, activation_bytes, macs
from ..data.split import Split
from ..files import home
from ..machine import busy_fraction
from ..model import VisionTransformer
from ..runs.checkpoint import save_checkpoint
from ..runs.snapshots import measures_snapshots, snapshot_steps
from ..training.loop import VALIDATION_BATCH, predict, train_epoch
from ..training.metrics import compute_metrics
from ..training.replicas import Replicas, shards_of
from ..training.state import TrainState, new_state, save_state
from .training_queue import QUEUE

SECONDS = 0.4  # duration of a window of measured steps, unless a single one takes longer
MOST_WINDOWS, PAUSE = 8, 0.3  # and the seconds between them, in which a browser can draw
AGREE = 1.08  # ratio of the two fastest windows; above it, something else was at work
MOST_STEPS = 50
STEP_MACS = 20e9  # MACs of a measured step at most; larger batches are measured on a part of them
SMALLEST_PART = 4  # images of each replica, even if they need more MACs than that
METRIC_IMAGES = 500
# Seconds in which a run starts and ends; measured with tests/benchmarks/estimates.py
START = 1.0
QUIET = 0.1  # of the cores: what everything else may use when steps are measured
LONGEST_WAIT = 15.0  # seconds until the machine is quiet
TIMED = [  # fields of a recipe that decide how long a step takes
    *("batch_size", "optimizer", "ema_decay", "precision"),
    *("augmentation", "jitter", "cutout", "mixup", "cutmix"),
]


@dataclass(frozen=True)
class Speed:
    """Seconds of a run's parts."""

    image: float  # per training image
    validation: float  # for VALIDATION_BATCH images on each of the `workers`
    workers: int  # threads that share the batches of a validation
    metrics: float  # per image, of training or validation
    saving: float  # per epoch: the run, its weights and the state to resume from


@dataclass(frozen=True)
class Estimate:
    """How long a run will take."""

    epoch: float  # seconds
    total: float  # seconds
    images_per_second: float  # of the training pass


_measured: dict[tuple[ModelConfig, TrainConfig], Speed] = {}


def estimate(model: ModelConfig, training: TrainConfig) -> Estimate | None:
    """Return how long a run will take on this machine, or None if nothing is known yet.

    A finished run of the same settings in this process tells it best. Otherwise it is measured in
    the background as soon as the queue is idle.
    """
    key = model, timed(training)
    found = _of_a_run(model, training)
    if found:
        return found
    if key in _measured:
        return estimate_from(_measured[key], training)
    QUEUE.when_idle(lambda: _measure_and_keep(key))
    return None


def estimate_from(speed: Speed, training: TrainConfig) -> Estimate:
    """Return how long a run takes at this speed."""
    images, validation_images = training.train_images, training.validation_images
    rounds = math.ceil(math.ceil(validation_images / VALIDATION_BATCH) / speed.workers)
    validation = speed.validation * min(rounds, validation_images / VALIDATION_BATCH)
    metrics = speed.metrics * (images + validation_images)
    epoch = speed.image * images + validation + metrics + speed.saving
    steps = math.ceil(images / training.batch_size)
    measured = len(snapshot_steps(training.epochs, steps)) if measures_snapshots(training) else 0
    total = START + epoch * training.epochs + measured * validation
    return Estimate(epoch, total, 1 / speed.image)


def timed(training: TrainConfig) -> TrainConfig:
    """Return a recipe with the fields that decide how long a step takes, and defaults else."""
    batch = min(training.batch_size, training.train_images)
    fields = {name: getattr(training, name) for name in TIMED}
    return TrainConfig(**fields | {"batch_size": batch})


def _of_a_run(model: ModelConfig, training: TrainConfig) -> Estimate | None:
    """Return the time of the same run, which had all cores of this machine."""
    for status in QUEUE.list():
        run, history = status.run, status.run.history[1:]  # the first epoch warms up
        same = replace(run.training, epochs=training.epochs, seed=training.seed) == training
        alone = run.threads == QUEUE.most_threads and not run.active
        if history and run.model == model and same and alone:
            epoch = median(record["seconds"] for record in history)
            speed = median(record["images_per_second"] for record in history)
            return Estimate(epoch, epoch * training.epochs, speed)
    return None


def _measure_and_keep(key: tuple[ModelConfig, TrainConfig]) -> None:
    speed = wait_until_quiet() and measure(*key)
    if speed:
        _measured[key] = speed


def wait_until_quiet() -> bool:
    """Wait until nothing else computes, such as a page that loads and the browser that draws it.

    Returns:
        False if a run came in meanwhile.
    """
    until = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < until and not QUEUE.busy():
        if busy_fraction(PAUSE) < QUIET:
            break
    return not QUEUE.busy()


def measure(model: ModelConfig, training: TrainConfig) -> Speed | None:
    """Return the speed of a run, with the torch threads of the calling thread.

    Takes real training steps of this recipe on random pixels, classifies as in validation, and
    saves what a run saves after an epoch. None if a run came in meanwhile.
    """
    count = images_per_step(model, training)
    shape = (count, model.in_channels, model.image_size, model.image_size)
    split = Split(
        torch.randint(256, shape, dtype=torch.uint8), torch.randint(model.num_classes, (count,))
    )
    state = new_state(VisionTransformer(model, seed=0), training)
    with Replicas(state.model, state.config) as replicas:
        image = _seconds_of_a_step(state, split, replicas) / count
        validation = _seconds_of_validation(state, split, replicas)
    if QUEUE.busy():
        return None
    metrics = _seconds_of_metrics(model.num_classes)
    return Speed(image, validation, replicas.workers, metrics, _seconds_of_saving(state))


def images_per_step(model: ModelConfig, training: TrainConfig) -> int:
    """Return the images of a measured step: a batch, or as many as a short measurement allows."""
    batch = training.batch_size
    # The backward pass takes twice the MACs of the forward pass.
    part = int(STEP_MACS / (3 * sum(macs(model).values()) * (1 - model.patch_drop)))
    part = max(part, SMALLEST_PART * shards_of(batch))
    return max(1, min(batch, part, MEMORY_LIMIT // activation_bytes(model, 1)))


def _seconds_of_a_step(state: TrainState, images: Split, replicas: Replicas) -> float:
    """Return the seconds of one optimizer step; `images` are at most a batch.

    A browser on this machine draws the page meanwhile, so this repeats until two windows agree.
    """
    windows = []
    while len(windows) < MOST_WINDOWS and not QUEUE.busy():
        windows = sorted([*windows, _seconds_in_a_window(state, images, replicas)])
        if len(windows) > 2 and windows[1] < AGREE * windows[0]:
            break
        time.sleep(PAUSE)
    return windows[0] if windows else math.inf


def _seconds_in_a_window(state: TrainState, images: Split, replicas: Replicas) -> float:
    """Return the seconds of a step, in the mean over a short time."""
    seconds, began = [], time.perf_counter()
    while len(seconds) < MOST_STEPS and not QUEUE.busy():
        started = time.perf_counter()
        epoch = train_epoch(state, images, replicas)  # of one step
        next(epoch)
        epoch.close()
        seconds.append(time.perf_counter() - started)
        if len(seconds) > 2 and time.perf_counter() - began > SECONDS:
            break
    return typical(seconds[1:] or seconds or [math.inf])  # the first step warms up


def _seconds_of_validation(state: TrainState, images: Split, replicas: Replicas) -> float:
    """Return the seconds in which each thread classifies a batch of validation images."""
    images = images[:VALIDATION_BATCH]

    def classify(_) -> None:
        list(predict(state.ema_model, images))

    seconds = []
    while len(seconds) < 4 and not QUEUE.busy():
        started = time.perf_counter()
        list(replicas.pool.map(classify, range(replicas.workers)))
        seconds.append(time.perf_counter() - started)
        if len(seconds) > 1 and sum(seconds) > SECONDS:
            break
    return typical(seconds[1:] or seconds or [math.inf]) * VALIDATION_BATCH / len(images)


def _seconds_of_metrics(classes: int) -> float:
    """Return the seconds per image of all metrics."""
    logits, labels = torch.randn(METRIC_IMAGES, classes), torch.randint(classes, (METRIC_IMAGES,))
    compute_metrics(logits, labels)  # loads torchmetrics, once per process
    started = time.perf_counter()
    compute_metrics(logits, labels)
    return (time.perf_counter() - started) / METRIC_IMAGES


def _seconds_of_saving(state: TrainState) -> float:
    """Return the seconds of writing a run's files after an epoch, on the disk of the runs."""
    try:
        with tempfile.TemporaryDirectory(dir=home(), prefix=".") as folder:
            started = time.perf_counter()
            save_checkpoint(Path(folder) / "weights.safetensors", state.ema_model, {})
            save_state(Path(folder) / "state.pt", state)
            return time.perf_counter() - started
    except OSError:  # read-only; then nothing will be saved
        return 0.0


def typical(seconds: list[float]) -> float:
    """Return the first quartile: what a step takes that little else slowed down."""
    return quantiles(seconds, n=4)[0] if len(seconds) > 3 else min(seconds)
