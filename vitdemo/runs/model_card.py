"""The long card of a checkpoint that is to ship: how it was made, on what machine, and how good it is."""

from dataclasses import asdict

import torch

from ..config import PRESETS
from ..data.cifar10 import CLASSES, SAMPLE, load_cifar10
from ..machine import processor
from ..model import VisionTransformer
from ..training.loop import predict
from ..training.metrics import class_accuracies, compute_metrics
from .run import Run, card_of


def long_card(run: Run, model: VisionTransformer) -> dict:
    """`card_of` the run, and the command, the machine, and what `model` reaches on the test images.

    `test` is of all the test images that the run was checked on, with the accuracy of each class; `sample` is of those
    that ship with the project, which everybody can check.
    """
    training = run.training
    test = load_cifar10(training.train_images, training.validation_images, training.validation_from).validation
    logits = torch.cat(list(predict(model, test)))
    by_class = dict(zip(CLASSES, class_accuracies(logits, test.labels), strict=True))
    few = SAMPLE["test"]
    return card_of(run) | {
        "command": command(run),
        "machine": f"{processor()}, {run.threads} threads",
        "test": compute_metrics(logits, test.labels) | {"images": len(test), "by_class": by_class},
        "sample": compute_metrics(logits[:few], test.labels[:few]) | {"images": min(few, len(test))},
    }


def command(run: Run) -> str:
    """The shell command that repeats the run: the preset that is nearest to it, and every option that differs."""
    wanted = asdict(run.model) | asdict(run.training)
    options = {}
    for name, configs in PRESETS.items():
        preset = asdict(configs[0]) | asdict(configs[1])
        options[name] = [
            f"--{field.replace('_', '-')} {value}" for field, value in wanted.items() if preset[field] != value
        ]
    nearest = min(options, key=lambda name: len(options[name]))
    return " ".join(["python -m vitdemo train --preset", nearest, *options[nearest]])
