"""What does the model predict when patches of an image are occluded?"""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..model import VisionTransformer

BATCH = 64  # images at a time


def occlude(images: Tensor, mask: Tensor, patch_size: int) -> Tensor:
    """Paint patches over with the mean color of their own image.

    Args:
        images: (B, C, H, W).
        mask: (B, n, n) bool, True for each patch to occlude.
        patch_size: side of a patch in pixels.

    Returns:
        (B, C, H, W).
    """
    rows = mask.repeat_interleave(patch_size, dim=1)
    pixels = rows.repeat_interleave(patch_size, dim=2)  # (B, H, W)
    return torch.where(pixels[:, None], images.mean(dim=(2, 3), keepdim=True), images)


def probabilities_occluded(model: VisionTransformer, image: Tensor, masks: Tensor) -> Tensor:
    """Return the class probabilities of one image under several occlusions.

    Args:
        model: model in evaluation mode.
        image: (C, H, W), normalized.
        masks: (M, n, n) bool.

    Returns:
        (M, num_classes); rows sum to 1.
    """
    return torch.cat(list(_in_batches(model, image, masks)))


@torch.no_grad()
def _in_batches(model: VisionTransformer, image: Tensor, masks: Tensor) -> Iterator[Tensor]:
    for batch in masks.split(BATCH):
        copies = image.expand(len(batch), -1, -1, -1)
        yield model(occlude(copies, batch, model.config.patch_size)).softmax(dim=1)


def occlusion(model: VisionTransformer, image: Tensor, class_: int, window: int = 1) -> Tensor:
    """Return the whole map of `occlusion_in_parts`: (n, n)."""
    side = model.config.grid_size
    parts = occlusion_in_parts(model, image, class_, window, BATCH)
    return torch.cat(list(parts)).reshape(side, side)


def occlusion_in_parts(
    model: VisionTransformer, image: Tensor, class_: int, window: int, at_a_time: int
) -> Iterator[Tensor]:
    """Measure how far a class's probability drops when a square of patches is occluded.

    Occlusion sensitivity (Zeiler and Fergus 2014, section 4.2).

    Args:
        model: model in evaluation mode.
        image: (C, H, W), normalized.
        class_: the class whose probability is read.
        window: side of the occluded square in patches, odd. It is centered on each patch in turn
            and cut off at the image's edge.
        at_a_time: number of patches in each part.

    Yields:
        (at_a_time,), one number for each patch, row by row from the top left (the last part may be
        shorter): positive where the square is evidence for the class, negative where against it.
    """
    side = model.config.grid_size
    positions = torch.arange(side)
    near = (positions[:, None] - positions).abs() <= window // 2  # (n, n): row (column) in window
    windows = near[:, None, :, None] & near[None, :, None, :]  # (n, n, n, n)
    masks = windows.reshape(side * side, side, side)
    nothing = torch.zeros(1, side, side, dtype=torch.bool)
    baseline = probabilities_occluded(model, image, nothing)[0, class_]
    for part in masks.split(at_a_time):
        yield baseline - probabilities_occluded(model, image, part)[:, class_]
