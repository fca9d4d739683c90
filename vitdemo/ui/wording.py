"""Sentences that several pages share."""

from ..config import ModelConfig


def stem_note(model: ModelConfig) -> str:
    """Return a sentence on the pixels that a token of a conv stem depends on; empty for patches."""
    if model.stem == "patch":
        return ""
    # Each 3 × 3 convolution reaches one pixel further at its own resolution. In pixels of the image
    # these are 1, 2, 4, … up to half a patch, which add up to one less than the patch size.
    margin = model.patch_size - 1
    pixels = "1 pixel" if margin == 1 else f"{margin} pixels"
    return (
        f" A convolutional stem computes the tokens, so each also depends on a margin of {pixels} "
        "around its patch."
    )
