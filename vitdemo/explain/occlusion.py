"""What does the model predict when patches of an image are occluded?"""

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from ..model import VisionTransformer
from .rounding import without_noise

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


@torch.no_grad()
def probabilities_occluded(model: VisionTransformer, image: Tensor, masks: Tensor) -> Tensor:
    """Return the class probabilities of one image under several occlusions.

    Args:
        model: model in evaluation mode.
        image: (C, H, W), normalized.
        masks: (M, n, n) bool.

    Returns:
        (M, num_classes); rows sum to 1.
    """
    return torch.cat([_in_one_batch(model, image, batch) for batch in masks.split(BATCH)])


def _in_one_batch(model: VisionTransformer, image: Tensor, masks: Tensor) -> Tensor:
    copies = image.expand(len(masks), -1, -1, -1)
    return model(occlude(copies, masks, model.config.patch_size)).softmax(dim=1)


def occlusion(model: VisionTransformer, image: Tensor, class_: int, window: int = 1) -> Tensor:
    """Return the whole map of `occlusion_in_parts`: (n, n)."""
    return map_of_parts(occlusion_in_parts(model, image, class_, window, BATCH))


def map_of_parts(parts: Iterable[Tensor]) -> Tensor:
    """Put the parts of `occlusion_in_parts` together: (n, n), uniform where rounding is all."""
    drops = torch.cat(list(parts))
    side = math.isqrt(len(drops))
    return without_noise(drops.reshape(side, side), size=1.0)


@torch.no_grad()
def occlusion_in_parts(
    model: VisionTransformer, image: Tensor, class_: int, window: int, at_a_time: int
) -> Iterator[Tensor]:
    """Measure how far a class's probability drops when a square of patches is occluded.

    Occlusion sensitivity (Zeiler and Fergus 2014, section 4.2). Each part has the whole image in
    its own batch, as torch may round differently in a batch of another size.

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
    for part in masks.split(at_a_time):
        found = _in_one_batch(model, image, torch.cat([nothing, part]))[:, class_]
        yield found[0] - found[1:]
