"""The model card of a checkpoint: how it was trained, on which machine, and its metrics."""

import math
from dataclasses import asdict

import torch

from ..config import PRESETS
from ..data.cifar10 import SAMPLE
from ..machine import processor
from ..model import VisionTransformer
from ..training.loop import predict
from ..training.metrics import class_accuracies, compute_metrics
from .run import Run, card_of
from .train_run import load_data


def model_card(run: Run, model: VisionTransformer) -> dict:
    """Return `card_of` the run with its command, the machine, and the metrics of `model`.

    `test` has the metrics on all validation images of the run, with the accuracy of each class.
    `sample` has those on the test images that ship with the project, so that anyone can check them.
    """
    test, few = load_data(run).validation, SAMPLE["test"]
    logits = torch.cat(list(predict(model, test)))
    accuracies = zip(run.classes, class_accuracies(logits, test.labels), strict=True)
    by_class = {name: value for name, value in accuracies if not math.isnan(value)}
    sample = compute_metrics(logits[:few], test.labels[:few])
    return card_of(run) | {
        "command": command(run),
        "machine": f"{processor()}, {run.threads} threads",
        "test": compute_metrics(logits, test.labels) | {"images": len(test), "by_class": by_class},
        "sample": sample | {"images": min(few, len(test))},
    }


def command(run: Run) -> str:
    """Return the command that repeats the run: the nearest preset and the options that differ."""
    wanted = asdict(run.model) | asdict(run.training)
    wanted["precision"] = run.precision or run.training.precision
    options = {}
    for name, configs in PRESETS.items():
        preset = asdict(configs[0]) | asdict(configs[1])
        options[name] = [
            f"--{field.replace('_', '-')} {value}"
            for field, value in wanted.items()
            if preset[field] != value
        ]
    nearest = min(options, key=lambda name: len(options[name]))
    return " ".join(["python -m vitdemo train --preset", nearest, *options[nearest]])
