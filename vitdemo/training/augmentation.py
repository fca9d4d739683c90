"""Training images and labels, changed at random but still true: what a training step really sees."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..config import TrainConfig
from ..data.cifar10 import normalize

SHIFT = 4  # pixels that `flip_and_translate` moves an image at most, each way
LUMA = torch.tensor([0.299, 0.587, 0.114]).view(
    1, 3, 1, 1
)  # how bright red, green and blue look (ITU-R BT.601)


def augment(
    images: Tensor, labels: Tensor, classes: int, config: TrainConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """What one training step sees of a batch, as the switches in `config` say.

    Args:
        images: (B, C, H, W) uint8.
        labels: (B,) int64.
        classes: how many there are.
        config: its augmentation, jitter, cutout, mixup and cutmix.
        generator: where the chance comes from.

    Returns:
        (B, C, H, W) floats, normalized, and the share of each class in each image, (B, classes).
    """
    images = normalize(move(images, config.augmentation, generator))
    if config.jitter:
        images = jitter(images, config.jitter, generator)
    targets = F.one_hot(labels, classes).float()
    chance = torch.rand((), generator=generator) if config.mixup + config.cutmix else 1.0
    if chance < config.mixup:
        images, targets = mixup(images, targets, generator)
    elif chance < config.mixup + config.cutmix:
        images, targets = cutmix(images, targets, generator)
    if config.cutout:
        images = erase(images, config.cutout, generator)
    return images, targets


def move(images: Tensor, kind: str, generator: torch.Generator) -> Tensor:
    """(B, C, H, W) uint8 in and out; `kind` is "none", "flip" (half of them mirrored) or "flip_and_translate".

    A shifted image moves by up to SHIFT pixels each way; the space is filled with mid-gray, which normalizes to about 0.
    """
    if kind == "none":
        return images
    B, C, H, W = images.shape
    flipped = torch.rand(B, 1, 1, 1, generator=generator) < 0.5
    images = torch.where(flipped, images.flip(-1), images)
    if kind == "flip":
        return images
    padded = F.pad(images, [SHIFT] * 4, value=128)
    top, left = torch.randint(0, 2 * SHIFT + 1, (2, B, 1), generator=generator)
    rows = (top + torch.arange(H))[:, None, :, None]  # (B, 1, H, 1)
    columns = (left + torch.arange(W))[:, None, None, :]  # (B, 1, 1, W)
    return padded[
        torch.arange(B)[:, None, None, None], torch.arange(C)[:, None, None], rows, columns
    ]


def jitter(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Brightness, contrast and saturation of each image off by up to `strength`, its tint by a third of that."""
    B, C = images.shape[:2]

    def off(*shape):
        return strength * (2 * torch.rand(shape, generator=generator) - 1)

    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = (images - mean) * (1 + off(B, 1, 1, 1)) + mean + off(B, 1, 1, 1)
    if C == 3:
        gray = (images * LUMA).sum(dim=1, keepdim=True)
        images = (images - gray) * (1 + off(B, 1, 1, 1)) + gray
    return images + off(B, C, 1, 1) / 3


def mixup(images: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Blend each image, and its label, with another of the batch; its own share is 1/2 to 1 (Zhang et al. 2018)."""
    B = len(images)
    other = torch.randperm(B, generator=generator)
    share = 1 - torch.rand(B, 1, generator=generator) / 2
    blended = images.lerp(images[other], 1 - share[:, :, None, None])
    return blended, targets.lerp(targets[other], 1 - share)


def cutmix(images: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Paste a square of another image into each, and mix the labels by area (Yun et al. 2019)."""
    B, _, H, W = images.shape
    other = torch.randperm(B, generator=generator)
    side = torch.rand(B, generator=generator).sqrt() * H  # areas from nothing to all, alike
    pasted = _squares(B, H, W, side, generator)  # (B, 1, H, W)
    area = pasted.float().mean(dim=(2, 3))  # (B, 1)
    return torch.where(pasted, images[other], images), targets.lerp(targets[other], area)


def erase(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Blank a square of `side` pixels, anywhere in the image and cut off at its edges (DeVries and Taylor 2017)."""
    B, _, H, W = images.shape
    return images.masked_fill(_squares(B, H, W, torch.full((B,), float(side)), generator), 0.0)


def _squares(B: int, H: int, W: int, side: Tensor, generator: torch.Generator) -> Tensor:
    """(B, 1, H, W) bool: one square of `side` (B,) pixels in each, its middle anywhere."""
    y, x = torch.rand(2, B, 1, generator=generator) * torch.tensor([H, W])[:, None, None]
    rows = (torch.arange(H) + 0.5 - y).abs() * 2 < side[:, None]  # (B, H)
    columns = (torch.arange(W) + 0.5 - x).abs() * 2 < side[:, None]
    return (rows[:, :, None] & columns[:, None, :])[:, None]
