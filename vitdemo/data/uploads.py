"""A picture that somebody brings -> what the model takes. Untrusted bytes come in here and nowhere else."""

import io
import struct

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ..config import ConfigError

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_BYTES = 20 * 2**20
MAX_PIXELS = 40_000_000  # checked before anything is decoded
MIN_SIDE = 8  # pixels; below it there is nothing to see


def read_picture(content: bytes) -> tuple[Image.Image, list[str]]:
    """The picture as 8-bit RGB, upright, and a sentence for each thing that was changed to get there.

    Args:
        content: the bytes of a PNG, JPEG or WebP file.

    Raises:
        ConfigError: it is not such a file, is cut off, moves, or is too large or too small.
    """
    if not content:
        raise ConfigError("The file is empty: choose a PNG, JPEG or WebP picture.")
    if len(content) > MAX_BYTES:
        raise ConfigError(
            f"The file has {len(content) / 2**20:.0f} MB: choose one of at most {MAX_BYTES >> 20} MB."
        )
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            _check_size(*picture.size)
            if (
                getattr(picture, "n_frames", 1) > 1 and picture.format != "MPO"
            ):  # a photograph with its preview
                raise ConfigError("The picture moves: save one of its frames as PNG, JPEG or WebP.")
            picture.load()
            return _to_rgb(picture)
    except UnidentifiedImageError as error:
        raise ConfigError(
            "The file is not a picture that can be read: choose a PNG, JPEG or WebP picture."
        ) from error
    except Image.DecompressionBombError as error:
        raise ConfigError(_too_large("The picture")) from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError("The picture is damaged or cut off: save or send it again.") from error


def to_model_input(picture: Image.Image, size: int) -> Tensor:
    """The middle square of the picture, scaled to the model's size.

    Args:
        picture: 8-bit RGB.
        size: pixels a side.

    Returns:
        (3, size, size) uint8.
    """
    square = ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(square).copy()).permute(2, 0, 1)


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ConfigError(_too_large(f"The picture of {width:,} x {height:,} pixels"))
    if min(width, height) < MIN_SIDE:
        raise ConfigError(
            f"The picture has {width} x {height} pixels: choose one of at least {MIN_SIDE} x {MIN_SIDE} pixels."
        )


def _too_large(what: str) -> str:
    return f"{what} is too large: scale it to at most {MAX_PIXELS // 10**6} million pixels, such as 8,000 x 5,000."


def _to_rgb(picture: Image.Image) -> tuple[Image.Image, list[str]]:
    notes = []
    turned = ImageOps.exif_transpose(picture)
    if picture.getexif().get(0x0112) in range(2, 9):
        notes.append("Turned upright, as its EXIF data says.")
    if turned.mode.startswith("I"):  # 16 bits of gray, which convert() would clip instead of scale
        gray, clear = np.asarray(turned, np.float64), turned.info.get("transparency")
        turned = Image.fromarray((gray / 257).round().clip(0, 255).astype(np.uint8))
        if clear is not None:
            turned.putalpha(Image.fromarray(np.where(gray == clear, 0, 255).astype(np.uint8)))
        notes.append("Reduced from 16 to 8 bits a pixel.")
    if turned.has_transparency_data:
        rgba = turned.convert("RGBA")
        turned = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
        notes.append("Transparent parts are shown on white.")
    if turned.mode == "CMYK":
        notes.append("Converted from the colors of print (CMYK) to red, green and blue.")
    return turned.convert("RGB"), notes
