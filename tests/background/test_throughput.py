import threading
import time
from dataclasses import replace

import pytest

from vitdemo.background import throughput
from vitdemo.background.throughput import (
    START,
    Speed,
    estimate,
    estimate_from,
    images_per_step,
    timed,
)
from vitdemo.background.training_queue import TrainingQueue
from vitdemo.config import PRESETS, ModelConfig, TrainConfig
from vitdemo.costs import check_memory
from vitdemo.runs.snapshots import snapshot_steps
from vitdemo.training.replicas import Replicas, shards_of
from vitdemo.ui.train.controls import CONTROLS

OTHER = ModelConfig(patch_size=8, embed_dim=16, depth=3, num_heads=2)
SPEED = Speed(image=0.01, validation=0.5, workers=2, metrics=0.0, saving=0.25)
TIMEOUT = 60  # seconds


@pytest.fixture
def queue(monkeypatch):
    """Use a new queue, with nothing measured yet."""
    queue = TrainingQueue(cores=2)
    monkeypatch.setattr(throughput, "QUEUE", queue)
    monkeypatch.setattr(throughput, "_measured", {})
    return queue


@pytest.fixture
def measuring(monkeypatch):
    """Replace measurements by SPEED, and let them wait until this event is set."""

    class Measuring(threading.Event):
        keys = ()  # measured so far

    event = Measuring()
    event.set()

    def measure(model, training):
        event.wait(TIMEOUT)
        event.keys = (*event.keys, (model, training))
        return SPEED

    monkeypatch.setattr(throughput, "measure", measure)
    monkeypatch.setattr(throughput, "wait_until_quiet", lambda: True)
    yield event
    event.set()


def wait_until_idle(queue):
    """Wait until the idle task of the queue is done."""
    until = time.monotonic() + TIMEOUT
    while queue.threads_in_use():
        assert time.monotonic() < until
        time.sleep(0.002)


# From the speed to the time of a run


def test_time_of_a_run_is_the_sum_of_its_parts():
    training = TrainConfig(epochs=10, batch_size=50, train_images=500, validation_images=256)
    speed = replace(SPEED, metrics=0.001)
    found = estimate_from(speed, training)
    # 500 images, 2 rounds of 2 · 64 validation images, metrics of 756 images, and saving.
    epoch = 500 * 0.01 + 2 * 0.5 + 756 * 0.001 + 0.25
    assert found.epoch == pytest.approx(epoch)
    assert found.images_per_second == pytest.approx(100)
    assert found.total == pytest.approx(START + 10 * epoch)  # too short to evaluate its snapshots


def test_each_snapshot_of_a_longer_run_is_evaluated():
    training = TrainConfig(epochs=20, batch_size=10, train_images=400, validation_images=64)
    snapshots = len(snapshot_steps(20, 40))
    expected = START + 20 * (400 * 0.01 + 0.5 + 0.25) + snapshots * 0.5
    assert estimate_from(SPEED, training).total == pytest.approx(expected)


@pytest.mark.parametrize(
    ("images", "workers", "rounds"),
    [
        (32, 2, 0.5),
        (64, 2, 1),
        (100, 2, 1),
        (129, 2, 2),
        (200, 2, 2),
        (1000, 2, 8),
        (200, 1, 3.125),
    ],
)
def test_validation_takes_as_long_as_its_slowest_thread(images, workers, rounds):
    speed = Speed(image=0.0001, validation=1.0, workers=workers, metrics=0.0, saving=0.0)
    found = estimate_from(speed, TrainConfig(train_images=600, validation_images=images))
    assert found.epoch == pytest.approx(600 * 0.0001 + rounds)


# Which settings are measured anew


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 3},
        {"epochs": 50},
        {"learning_rate": 0.1},
        {"weight_decay": 0.2},
        {"train_images": 2000},
        {"validation_images": 900},
    ],
    ids=str,
)
def test_settings_that_take_the_same_time_are_measured_once(queue, measuring, tiny, short, changes):
    assert estimate(tiny, replace(short, batch_size=4)) is None
    wait_until_idle(queue)
    assert estimate(tiny, replace(short, batch_size=4, **changes))
    assert len(measuring.keys) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 5),
        ("augmentation", "flip"),
        ("jitter", 0.3),
        ("cutmix", 0.5),
        ("ema_decay", 0.9),
        ("precision", "bfloat16"),
        ("depth", 3),
        ("patch_drop", 0.5),
    ],
)
def test_settings_that_change_a_step_are_measured_anew(queue, measuring, tiny, short, name, value):
    estimate(tiny, short)
    wait_until_idle(queue)
    model, training = tiny, short
    if name in ModelConfig.__dataclass_fields__:
        model = replace(tiny, **{name: value})
    else:
        training = replace(short, **{name: value})
    assert estimate(model, training) is None
    wait_until_idle(queue)
    assert measuring.keys == ((tiny, timed(short)), (model, timed(training)))


def test_batch_larger_than_the_training_images_is_measured_as_all_of_them():
    assert timed(TrainConfig(batch_size=256, train_images=100)).batch_size == 100


# Measuring


def test_measured_steps_are_those_of_the_recipe(monkeypatch, tiny, short):
    recipe = replace(short, batch_size=20, augmentation="flip", ema_decay=0.9, precision="bfloat16")
    seen = set()
    gradients = Replicas.gradients

    def recorded(self, batch):
        seen.add((len(batch), self.config.augmentation, self.precision, len(self.models)))
        return gradients(self, batch)

    monkeypatch.setattr(throughput, "SECONDS", 0.05)
    monkeypatch.setattr(Replicas, "gradients", recorded)
    assert throughput.measure(tiny, timed(recipe))
    assert seen == {(20, "flip", "bfloat16", shards_of(20))}


class Clock:
    """A clock that only the timed work and pauses move."""

    now = 100.0

    def perf_counter(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [([50.0, 0.3, 0.3, 0.3], 0.3), ([9.0, *[0.01] * 20, *[0.1] * 10, *[0.01] * 19], 0.01)],
    ids=["slow first step", "slow middle"],
)
def test_speed_is_that_of_steps_that_nothing_slowed_down(monkeypatch, seconds, expected, tiny):
    clock, sizes = Clock(), []
    gradients = Replicas.gradients

    def timed_gradients(self, batch):
        clock.now += seconds[min(len(sizes), len(seconds) - 1)]
        sizes.append(len(batch))
        return gradients(self, batch)

    monkeypatch.setattr(throughput, "time", clock)
    monkeypatch.setattr(Replicas, "gradients", timed_gradients)
    speed = throughput.measure(tiny, timed(TrainConfig(batch_size=16)))
    assert speed.image * 16 == pytest.approx(expected)


@pytest.mark.parametrize(
    "model", [OTHER, ModelConfig(image_size=8, patch_size=4, in_channels=1, num_classes=2)]
)
def test_real_measurement(model, monkeypatch):
    monkeypatch.setattr(throughput, "SECONDS", 0.02)
    speed = throughput.measure(model, timed(TrainConfig()))
    for value in (speed.image, speed.validation, speed.metrics, speed.saving):
        assert 0 < value < 60
    assert speed.workers >= 1


def test_read_only_disk_takes_no_time_to_save(monkeypatch, tmp_path, tiny):
    monkeypatch.setattr(throughput, "SECONDS", 0.02)
    monkeypatch.setattr(throughput, "home", lambda: tmp_path / "missing")
    assert throughput.measure(tiny, timed(TrainConfig())).saving == 0


@pytest.mark.parametrize("depth", [1, 7, 12])
@pytest.mark.parametrize("patch_size", CONTROLS["patch_size"].values)
@pytest.mark.parametrize("embed_dim", [16, 64, 256])
@pytest.mark.parametrize("batch_size", [8, 64, 256])
def test_measured_step_fits_into_memory_and_uses_all_replicas(
    depth, patch_size, embed_dim, batch_size
):
    model = ModelConfig(patch_size=patch_size, embed_dim=embed_dim, depth=depth)
    images = images_per_step(model, TrainConfig(batch_size=batch_size))
    check_memory(model, images)
    assert shards_of(batch_size) <= images <= batch_size


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_measured_in_full_batches(name):
    model, training = PRESETS[name]
    assert images_per_step(model, training) == training.batch_size


# In the background


def test_a_recipe_is_measured_once_in_the_background(queue, measuring, tiny, short):
    measuring.clear()
    assert estimate(tiny, short) is None
    assert queue.threads_in_use() == 2
    assert estimate(tiny, short) is None
    measuring.set()
    wait_until_idle(queue)
    assert estimate(tiny, short) == estimate(tiny, short) == estimate_from(SPEED, short)
    assert measuring.keys == ((tiny, timed(short)),)
    assert queue.threads_in_use() == 0


def test_same_run_tells_the_time(queue, measuring, tiny, short):
    run = queue.wait(queue.submit(tiny, short), TIMEOUT).run
    found = estimate(tiny, replace(short, epochs=10, seed=9))
    assert found.epoch == run.history[1]["seconds"]
    assert found.total == 10 * found.epoch
    assert found.images_per_second == run.history[1]["images_per_second"]
    assert measuring.keys == ()


@pytest.mark.parametrize("changes", [{"jitter": 0.1}, {"validation_images": 20}], ids=str)
def test_run_of_another_recipe_does_not_tell_the_time(queue, measuring, tiny, short, changes):
    queue.wait(queue.submit(tiny, short), TIMEOUT)
    assert estimate(tiny, replace(short, **changes)) is None
    wait_until_idle(queue)
    assert len(measuring.keys) == 1


def test_first_epoch_does_not_tell_the_time(queue, measuring, tiny, short):
    queue.wait(queue.submit(tiny, replace(short, epochs=1)), TIMEOUT)
    assert estimate(tiny, short) is None


def test_nothing_is_measured_while_the_queue_is_busy(queue, measuring, tiny, short):
    released = threading.Event()
    assert queue.when_idle(lambda: released.wait(TIMEOUT))
    assert estimate(tiny, short) is None
    released.set()
    wait_until_idle(queue)
    assert measuring.keys == ()


def test_measurement_ends_when_a_run_comes_in(queue, tiny, short, monkeypatch):
    monkeypatch.setattr(throughput, "SECONDS", 1e9)
    monkeypatch.setattr(throughput, "MOST_STEPS", 10**9)
    monkeypatch.setattr(throughput, "wait_until_quiet", lambda: True)
    assert estimate(tiny, short) is None
    status = queue.wait(queue.submit(tiny, short), TIMEOUT)
    assert status.run.state == "finished"
    assert throughput._measured == {}


def test_waits_until_nothing_else_computes(queue, monkeypatch):
    busy = [1.0, 0.8, 0.2, 0.05, 1.0]
    monkeypatch.setattr(throughput, "busy_fraction", lambda seconds: busy.pop(0))
    assert throughput.wait_until_quiet()
    assert busy == [1.0]


def test_waits_no_longer_than_promised(queue, monkeypatch):
    monkeypatch.setattr(throughput, "LONGEST_WAIT", 0.05)
    monkeypatch.setattr(throughput, "busy_fraction", lambda seconds: time.sleep(0.01) or 1.0)
    assert throughput.wait_until_quiet()
