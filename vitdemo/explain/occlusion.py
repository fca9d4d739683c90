"""What does the model say when patches of the picture are covered?"""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..model import VisionTransformer

BATCH = 64  # pictures at a time


def cover(images: Tensor, covered: Tensor, patch_size: int) -> Tensor:
    """Patches painted over with the mean color of their own picture.

    Args:
        images: (B, C, H, W).
        covered: (B, n, n) bool, one for each patch as they lie.
        patch_size: pixels.

    Returns:
        (B, C, H, W).
    """
    pixels = covered.repeat_interleave(patch_size, dim=1).repeat_interleave(
        patch_size, dim=2
    )  # (B, H, W)
    return torch.where(pixels[:, None], images.mean(dim=(2, 3), keepdim=True), images)


def probabilities_occluded(model: VisionTransformer, image: Tensor, covered: Tensor) -> Tensor:
    """The probability of each class, for several ways to cover one picture.

    Args:
        model: in evaluation.
        image: (C, H, W), normalized.
        covered: (M, n, n) bool.

    Returns:
        (M, num_classes); rows sum to 1.
    """
    return torch.cat(list(_in_batches(model, image, covered)))


@torch.no_grad()
def _in_batches(model: VisionTransformer, image: Tensor, covered: Tensor) -> Iterator[Tensor]:
    for some in covered.split(BATCH):
        images = cover(image.expand(len(some), -1, -1, -1), some, model.config.patch_size)
        yield model(images).softmax(dim=1)


def occlusion(model: VisionTransformer, image: Tensor, class_: int, window: int = 1) -> Tensor:
    """All of `occlusion_in_parts`, as the patches lie: (n, n)."""
    side = model.config.grid_size
    return torch.cat(list(occlusion_in_parts(model, image, class_, window, BATCH))).reshape(
        side, side
    )


def occlusion_in_parts(
    model: VisionTransformer, image: Tensor, class_: int, window: int, at_a_time: int
) -> Iterator[Tensor]:
    """How much the probability of a class falls when a square of patches is covered (Zeiler and Fergus 2014, section 4.2).

    Args:
        model: in evaluation.
        image: (C, H, W), normalized.
        class_: whose probability is read.
        window: patches a side of the square that is covered, odd; it is centered on each patch in turn and cut off at the
            picture's edge.
        at_a_time: patches.

    Yields:
        (at_a_time,), one for each patch row by row from the top left; positive where the picture speaks for the class,
        negative where against.
    """
    side = model.config.grid_size
    places = torch.arange(side)
    near = (
        places[:, None] - places
    ).abs() <= window // 2  # (n, n): whether a row (or column) is in another's window
    covered = (near[:, None, :, None] & near[None, :, None, :]).reshape(side * side, side, side)
    whole = probabilities_occluded(model, image, torch.zeros(1, side, side, dtype=torch.bool))[
        0, class_
    ]
    for some in covered.split(at_a_time):
        yield whole - probabilities_occluded(model, image, some)[:, class_]
