"""What is to be said wherever a picture is shown as tokens."""

from ..config import ModelConfig


def stem_note(model: ModelConfig) -> str:
    """A sentence on how far convolutions see beyond the patch of their token; nothing where patches are flattened."""
    if model.stem == "patch":
        return ""
    # Each 3x3 convolution looks one of its own pixels further. These are 1, 2, 4, … of the picture's, up to half a patch.
    around = model.patch_size - 1
    return f" Convolutions make the tokens: each has also seen {around} pixel{'s' * (around > 1)} around its patch."
