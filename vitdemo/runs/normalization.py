"""How pixels become model input, and moving another normalization into a model's first layer."""

import torch

from ..config import ConfigError
from ..data.cifar10 import MEAN, STD
from ..model import VisionTransformer


def our_normalization(channels: int) -> dict[str, list[float]]:
    """Return mean and standard deviation of each channel, of pixels from 0 to 1.

    All models of this project take (x - mean) / std, as `data.cifar10.normalize` computes it.
    """
    return {"mean": [MEAN] * channels, "std": [STD] * channels}


@torch.no_grad()
def fold_normalization(model: VisionTransformer, mean: list[float], std: list[float]) -> None:
    """Let a model trained on (x - mean) / std take (x - MEAN) / STD, by changing its first layer.

    Args:
        model: has a patch stem; changed in place.
        mean: mean of each channel, from 0 to 1.
        std: standard deviation of each channel.

    Raises:
        ConfigError: mean or std cannot be those of the model's channels.
    """
    channels = model.config.in_channels
    for name, values in (("mean", mean), ("std", std)):
        lowest = 1e-3 if name == "std" else -1.0
        if len(values) != channels or not all(lowest <= value <= 2 for value in values):
            raise ConfigError(
                f"{name} must be {channels} numbers, one for each channel of pixels from 0 to 1, "
                f"such as {', '.join(['0.5'] * channels)}."
            )
    proj = model.patch_embed.proj
    mean, std = torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]  # (C, 1, 1)
    proj.bias += (proj.weight * ((MEAN - mean) / std)).sum(dim=(1, 2, 3))
    proj.weight *= STD / std
