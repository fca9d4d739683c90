"""A Vision Transformer that trains while you watch, and that shows every number inside it.

The public names are loaded on first use: `import vitdemo` alone does not load torch.
"""

import os
from importlib import import_module

# How long an idle torch thread spins before it sleeps; libgomp reads this when torch is loaded. By
# default, spinning threads occupy the core that a page needs, and a run with two threads falls to a
# twentieth of its speed. With this value, it falls to a half.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

_HOMES = {
    "ModelConfig": "config",
    "TrainConfig": "config",
    "PRESETS": "config",
    "ConfigError": "config",
    "VisionTransformer": "model",
    "Trace": "model",
    "Data": "data.cifar10",
    "Split": "data.split",
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
    "to_timm": "runs.to_timm",
    "from_timm": "runs.from_timm",
    "TrainingQueue": "background.training_queue",
}
__all__ = list(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"vitdemo has no {name!r}")
    return getattr(import_module(f"vitdemo.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
