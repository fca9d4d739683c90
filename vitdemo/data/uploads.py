"""Turn an uploaded picture into model input. Untrusted pictures are opened only here."""

import io
import struct

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ..config import ConfigError

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_BYTES = 20 * 2**20
MAX_PIXELS = 40 * 10**6  # checked before anything is decoded
MIN_SIDE = 8  # pixels
EXIF_ORIENTATION = 0x0112  # tag; 1 is upright, 2 to 8 are flipped or rotated


def read_picture(content: bytes) -> tuple[Image.Image, list[str]]:
    """Return the picture as upright 8-bit RGB, and one sentence for each conversion made.

    Args:
        content: the bytes of a PNG, JPEG or WebP file.

    Raises:
        ConfigError: the file has another format, is damaged, animated, too large or too small.
    """
    if not content:
        raise ConfigError("The file is empty. Choose a PNG, JPEG or WebP picture.")
    if len(content) > MAX_BYTES:
        raise ConfigError(
            f"The file is {len(content) / 2**20:.0f} MB. "
            f"Choose one of at most {MAX_BYTES // 2**20} MB."
        )
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            _check_size(*picture.size)
            # MPO is a JPEG with a preview or a depth map as its second frame.
            if getattr(picture, "n_frames", 1) > 1 and picture.format != "MPO":
                raise ConfigError(
                    "The picture is animated. Save one of its frames as PNG, JPEG or WebP."
                )
            picture.load()
            return _to_rgb(picture)
    except ConfigError:  # is a ValueError
        raise
    except UnidentifiedImageError as error:
        raise ConfigError(
            "The file is not a PNG, JPEG or WebP picture. Choose one that is."
        ) from error
    except Image.DecompressionBombError as error:
        raise ConfigError(_too_large("The picture")) from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise ConfigError(
            "The picture is damaged or incomplete. Save it again, or choose another one."
        ) from error


def to_model_input(picture: Image.Image, size: int) -> Tensor:
    """Return the central square of the picture, scaled to the model's image size.

    Args:
        picture: 8-bit RGB.
        size: pixels per side.

    Returns:
        (3, size, size) uint8.
    """
    square = ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(square).copy()).permute(2, 0, 1)


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ConfigError(_too_large(f"The picture of {width:,} × {height:,} pixels"))
    if min(width, height) < MIN_SIDE:
        raise ConfigError(
            f"The picture is {width} × {height} pixels. "
            f"Choose one of at least {MIN_SIDE} × {MIN_SIDE} pixels."
        )


def _too_large(picture: str) -> str:
    limit = f"{MAX_PIXELS // 10**6} million pixels, such as 8,000 × 5,000"
    return f"{picture} is too large. Scale it to at most {limit}."


def _to_rgb(picture: Image.Image) -> tuple[Image.Image, list[str]]:
    notes = []
    upright = ImageOps.exif_transpose(picture)
    if picture.getexif().get(EXIF_ORIENTATION) in range(2, 9):
        notes.append("Turned upright according to its EXIF data.")
    if upright.mode.startswith("I"):  # 16-bit grayscale, which convert() would clip, not scale
        gray, transparent = np.asarray(upright, np.float64), upright.info.get("transparency")
        upright = Image.fromarray((gray / 257).round().clip(0, 255).astype(np.uint8))
        if transparent is not None:
            alpha = np.where(gray == transparent, 0, 255).astype(np.uint8)
            upright.putalpha(Image.fromarray(alpha))
        notes.append("Converted from 16 to 8 bits per channel.")
    if upright.has_transparency_data:
        rgba = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
        notes.append("Transparent parts are shown on white.")
    if upright.mode == "CMYK":
        notes.append("Converted from CMYK (print colors) to RGB.")
    return upright.convert("RGB"), notes
