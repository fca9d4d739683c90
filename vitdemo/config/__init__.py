"""All settings of a model and of a training run, with limits, choices and help; and the presets.

Nothing here imports torch, so that pages can show their controls at once.
"""

from .model_config import ModelConfig
from .presets import PRESETS
from .settings import ConfigError, Setting, config_from_dict, divisors, settings_of
from .train_config import TrainConfig

SETTINGS: dict[str, Setting] = settings_of(ModelConfig) | settings_of(TrainConfig)

__all__ = [
    "PRESETS",
    "SETTINGS",
    "ConfigError",
    "ModelConfig",
    "Setting",
    "TrainConfig",
    "config_from_dict",
    "divisors",
]
