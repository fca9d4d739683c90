import threading
import time
from dataclasses import replace

import pytest
import torch

from vitdemo.background import throughput
from vitdemo.background.training_queue import TrainingQueue
from vitdemo.config import ModelConfig
from vitdemo.costs import activation_bytes, check_memory, macs
from vitdemo.training.replicas import Replicas

OTHER = ModelConfig(patch_size=8, embed_dim=16, depth=3, num_heads=2)
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
    """Replace measurements by one of 1,000 images per second that waits until it is set."""

    class Measuring(threading.Event):
        models = ()  # measured so far

    event = Measuring()
    event.set()

    def measure(model):
        event.wait(TIMEOUT)
        event.models = (*event.models, model)
        return 1000.0

    monkeypatch.setattr(throughput, "measure", measure)
    yield event
    event.set()


def wait_until_idle(queue):
    """Wait until the idle task of the queue is done."""
    until = time.monotonic() + TIMEOUT
    while queue.threads_in_use():
        assert time.monotonic() < until
        time.sleep(0.002)


class Clock:
    """A clock that only the timed work moves."""

    now = 100.0

    def perf_counter(self):
        return self.now


@pytest.mark.parametrize("seconds", [[50.0, 0.1], [0.2, 0.1, 0.3, 0.2], [0.02] * 30], ids=len)
def test_speed_is_that_of_the_fastest_step(monkeypatch, seconds, tiny):
    clock, sizes = Clock(), []
    gradients = Replicas.gradients

    def timed_gradients(self, batch):
        clock.now += seconds[min(len(sizes), len(seconds) - 1)]
        sizes.append(len(batch))
        return gradients(self, batch)

    monkeypatch.setattr(throughput, "time", clock)
    monkeypatch.setattr(Replicas, "gradients", timed_gradients)
    assert throughput.measure(tiny) == pytest.approx(sizes[0] / min(seconds[: len(sizes)]))
    assert len(set(sizes)) == 1
    assert len(sizes) >= 2


@pytest.mark.parametrize(
    "model", [OTHER, ModelConfig(image_size=8, patch_size=4, in_channels=1, num_classes=2)]
)
def test_real_measurement(model, monkeypatch):
    monkeypatch.setattr(throughput, "SECONDS", 0.02)
    assert 1 < throughput.measure(model) < 1e7


@pytest.mark.parametrize(
    "model",
    [
        ModelConfig(),
        ModelConfig(patch_size=1, embed_dim=8, depth=4, num_heads=8),
        ModelConfig(patch_size=1, embed_dim=16, depth=12, num_heads=8, attention_dropout=0.1),
        ModelConfig(patch_size=16, stem="conv", pooling="mean"),
    ],
    ids=str,
)
def test_measured_step_fits_into_memory(model, monkeypatch):
    steps = []

    def without_training(vit, data, config):
        steps.append(config.batch_size)
        assert data.train.images.dtype == torch.uint8
        assert len(data.train) >= throughput.MOST_STEPS * config.batch_size
        yield from range(throughput.MOST_STEPS)

    monkeypatch.setattr(throughput, "train", without_training)
    throughput.measure(model)
    check_memory(model, *steps)


def test_model_too_large_for_memory_is_not_measured(queue, measuring, monkeypatch, tiny):
    monkeypatch.setattr(throughput, "MEMORY_LIMIT", activation_bytes(tiny, 1) - 1)
    assert throughput.training_speed(tiny) is None
    assert queue.threads_in_use() == 0


def test_model_is_measured_once_in_the_background(queue, measuring, tiny):
    measuring.clear()
    assert throughput.training_speed(tiny) is None
    assert queue.threads_in_use() == 2
    assert throughput.training_speed(tiny) is None
    measuring.set()
    wait_until_idle(queue)
    assert throughput.training_speed(tiny) == 1000.0
    assert throughput.training_speed(tiny) == 1000.0
    assert measuring.models == (tiny,)
    assert queue.threads_in_use() == 0


def test_speed_is_scaled_by_macs_until_measured(queue, measuring, tiny):
    throughput.training_speed(tiny)
    wait_until_idle(queue)
    measuring.clear()
    ratio = sum(macs(tiny).values()) / sum(macs(OTHER).values())
    assert throughput.training_speed(OTHER) == pytest.approx(1000.0 * ratio)
    measuring.set()
    wait_until_idle(queue)
    assert throughput.training_speed(OTHER) == 1000.0
    assert measuring.models == (tiny, OTHER)


def test_run_of_the_same_model_gives_the_speed(queue, measuring, tiny, short):
    run_id = queue.submit(tiny, short)
    run = queue.wait(run_id, TIMEOUT).run
    assert len(run.history) == 2
    assert throughput.training_speed(tiny) == run.history[-1]["images_per_second"]
    assert measuring.models == ()


def test_first_epoch_does_not_give_the_speed(queue, measuring, tiny, short):
    queue.wait(queue.submit(tiny, replace(short, epochs=1)), TIMEOUT)
    throughput.training_speed(tiny)
    wait_until_idle(queue)
    assert throughput.training_speed(tiny) == 1000.0
    assert measuring.models == (tiny,)


def test_nothing_is_measured_while_the_queue_is_busy(queue, measuring, tiny):
    released = threading.Event()
    assert queue.when_idle(lambda: released.wait(TIMEOUT))
    assert throughput.training_speed(tiny) is None
    released.set()
    wait_until_idle(queue)
    assert measuring.models == ()


def test_model_with_too_many_macs_is_not_measured(queue, measuring):
    large = ModelConfig(patch_size=1, embed_dim=512, depth=12)
    assert throughput.training_speed(large) is None
    assert queue.threads_in_use() == 0
