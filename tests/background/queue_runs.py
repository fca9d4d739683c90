"""Runs of the queue: waiting for them, and what they should have given."""

import torch

from vitdemo.config import TrainConfig
from vitdemo.data.cifar10 import load_cifar10
from vitdemo.model import VisionTransformer
from vitdemo.runs.run import epoch_record
from vitdemo.training.loop import EpochEnd, train

TIMEOUT = 60  # seconds after which a test that waits has failed
DIVERGING = TrainConfig(
    epochs=60,
    batch_size=8,
    train_images=20,
    validation_images=10,
    learning_rate=10.0,
    weight_decay=10.0,
)


def ended(queue, run_id):
    snapshot = queue.wait(run_id, TIMEOUT)
    assert snapshot.run.state in ("finished", "stopped", "failed")
    return snapshot


def alone(model_config, config, threads=1):
    """Return the metrics of each epoch of the same training without a queue."""
    torch.set_num_threads(threads)
    model = VisionTransformer(model_config, seed=config.seed)
    data = load_cifar10(config.train_images, config.validation_images, config.validation_from)
    records = [
        epoch_record(event) for event in train(model, data, config) if isinstance(event, EpochEnd)
    ]
    torch.set_num_threads(1)
    return metrics_of(records)


def metrics_of(history):
    return [(record["epoch"], record["train"], record["validation"]) for record in history]


def weights_are(model, expected):
    return all(
        torch.equal(a, b) for a, b in zip(model.parameters(), expected.parameters(), strict=True)
    )
