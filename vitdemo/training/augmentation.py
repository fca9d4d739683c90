"""Data augmentation: random changes of the training images that keep their labels true."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..config import TrainConfig
from ..data.cifar10 import normalize

TRANSLATE = 4  # pixels, at most, in each direction
LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)  # of R, G and B (ITU-R BT.601)


def augment(
    images: Tensor, labels: Tensor, classes: int, config: TrainConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return a batch as one training step sees it.

    Args:
        images: (B, C, H, W) uint8.
        labels: (B,) int64.
        classes: number of classes.
        config: the recipe; its augmentation, jitter, cutout, mixup and cutmix are used.
        generator: source of all random numbers.

    Returns:
        Normalized images (B, C, H, W), and the target probability of each class (B, classes).
    """
    if config.augmentation != "none":
        images = flip(images, generator)
    if config.augmentation == "flip_and_translate":
        images = translate(images, generator)
    images = normalize(images)
    if config.jitter:
        images = jitter(images, config.jitter, generator)
    targets = F.one_hot(labels, classes).float()
    if config.mixup or config.cutmix:
        chance = torch.rand((), generator=generator)
        if chance < config.mixup:
            images, targets = mixup(images, targets, generator)
        elif chance < config.mixup + config.cutmix:
            images, targets = cutmix(images, targets, generator)
    if config.cutout:
        images = cutout(images, config.cutout, generator)
    return images, targets


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image (B, C, H, W) left to right with probability 1/2."""
    flipped = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
    return torch.where(flipped, images.flip(-1), images)


def translate(images: Tensor, generator: torch.Generator) -> Tensor:
    """Move each image (B, C, H, W) uint8 by up to TRANSLATE pixels in each direction.

    The border is filled with mid-gray, which normalizes to about 0.
    """
    B, C, H, W = images.shape
    padded = F.pad(images, [TRANSLATE] * 4, value=128)
    top, left = torch.randint(0, 2 * TRANSLATE + 1, (2, B, 1), generator=generator)
    image = torch.arange(B)[:, None, None, None]
    channel = torch.arange(C)[:, None, None]
    row = (top + torch.arange(H))[:, None, :, None]  # (B, 1, H, 1)
    column = (left + torch.arange(W))[:, None, None, :]  # (B, 1, 1, W)
    return padded[image, channel, row, column]


def jitter(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Change brightness, contrast and saturation of normalized images by up to `strength`.

    The tint, a shift of each color channel, changes by up to a third of it.
    """
    B, C = images.shape[:2]

    def change(*shape):
        return strength * (2 * torch.rand(shape, generator=generator) - 1)

    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = (images - mean) * (1 + change(B, 1, 1, 1)) + mean + change(B, 1, 1, 1)
    if C == 3:
        gray = (images * LUMA).sum(dim=1, keepdim=True)
        images = (images - gray) * (1 + change(B, 1, 1, 1)) + gray
    return images + change(B, C, 1, 1) / 3


def mixup(images: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Blend each image and its target with another of the batch (Zhang et al. 2018).

    The weight of the image itself is uniform from 1/2 to 1.
    """
    B = len(images)
    other = torch.randperm(B, generator=generator)
    weight = 1 - torch.rand(B, 1, generator=generator) / 2
    blended = images.lerp(images[other], 1 - weight[:, :, None, None])
    return blended, targets.lerp(targets[other], 1 - weight)


def cutmix(images: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Paste a square of another image into each image, mix targets by area (Yun et al. 2019)."""
    B, _, H, _ = images.shape
    other = torch.randperm(B, generator=generator)
    sides = torch.rand(B, generator=generator).sqrt() * H  # areas are uniform from 0 to 1
    pasted = random_squares(images, sides, generator)  # (B, 1, H, W)
    area = pasted.float().mean(dim=(2, 3))  # (B, 1)
    return torch.where(pasted, images[other], images), targets.lerp(targets[other], area)


def cutout(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Blank a square of `side` pixels in each image (DeVries and Taylor 2017)."""
    sides = torch.full((len(images),), float(side))
    return images.masked_fill(random_squares(images, sides, generator), 0.0)


def random_squares(images: Tensor, sides: Tensor, generator: torch.Generator) -> Tensor:
    """Return a mask (B, 1, H, W) with one square per image, as wide as `sides` (B,) says.

    Its center is anywhere in the image; what lies outside the image is cut off.
    """
    B, _, H, W = images.shape
    y, x = torch.rand(2, B, 1, generator=generator) * torch.tensor([H, W])[:, None, None]
    rows = (torch.arange(H) + 0.5 - y).abs() * 2 < sides[:, None]  # (B, H)
    columns = (torch.arange(W) + 0.5 - x).abs() * 2 < sides[:, None]  # (B, W)
    return (rows[:, :, None] & columns[:, None, :])[:, None]
