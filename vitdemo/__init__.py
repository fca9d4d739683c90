"""A Vision Transformer small enough to train while you watch, and open enough to look at every number in it.

The names below are loaded when first used: `import vitdemo` alone does not wait for torch.
"""

import os
from importlib import import_module

# How long a thread of torch waits awake for the others (libgomp reads it when torch is loaded). By default it burns a core
# while the page uses that core, and a training with two threads falls to a twentieth of its speed; with this, to a half.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

_HOMES = {
    "ModelConfig": "config",
    "TrainConfig": "config",
    "PRESETS": "config",
    "ConfigError": "config",
    "VisionTransformer": "model",
    "Trace": "model",
    "Data": "data.cifar10",
    "Split": "data.cifar10",
    "load_cifar10": "data.cifar10",
    "train": "training.loop",
    "evaluate": "training.loop",
    "BatchEnd": "training.loop",
    "EpochEnd": "training.loop",
    "Run": "runs.run",
    "list_runs": "runs.run",
    "load_run": "runs.run",
    "load_weights": "runs.run",
    "save_checkpoint": "runs.checkpoint",
    "load_checkpoint": "runs.checkpoint",
    "TrainingQueue": "background.training_queue",
}
__all__ = list(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"vitdemo has no {name!r}")
    return getattr(import_module(f"vitdemo.{_HOMES[name]}"), name)
