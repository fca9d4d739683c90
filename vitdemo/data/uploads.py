"""Turn an uploaded picture into model input. Untrusted pictures are opened only here."""

import io
import math
import struct

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ..config import ConfigError

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_BYTES = 20 * 2**20
# Checked before anything is decoded. The decoder of WebP holds the picture in memory four times.
MAX_PIXELS = {"PNG": (8_000, 5_000), "JPEG": (8_000, 5_000), "WEBP": (4_000, 4_000)}
MIN_SIDE = 8  # pixels
KEPT_SIDE = 768  # pixels of the shorter side that are kept of a larger picture: twice a model's
BAND = 64  # rows of the result that are converted at a time
EXIF_ORIENTATION = 0x0112  # tag; 1 is upright, 2 to 8 are flipped or rotated


def read_picture(content: bytes) -> tuple[Image.Image, list[str]]:
    """Return the picture as upright 8-bit RGB, and one sentence for each conversion made.

    A large picture is reduced by a whole factor, so that it takes little memory.

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
            _check_size(picture)
            # MPO is a JPEG with a preview or a depth map as its second frame.
            if getattr(picture, "n_frames", 1) > 1 and picture.format != "MPO":
                raise ConfigError(
                    "The picture is animated. Save one of its frames as PNG, JPEG or WebP."
                )
            picture.draft(None, (KEPT_SIDE, KEPT_SIDE))  # JPEG: decode it smaller, but not below
            picture.load()
            return _to_rgb(picture)
    except ConfigError:  # is a ValueError
        raise
    except UnidentifiedImageError as error:
        raise ConfigError(
            "The file is not a PNG, JPEG or WebP picture. Choose one that is."
        ) from error
    except Image.DecompressionBombError as error:
        raise ConfigError(_too_large("The picture", "PNG")) from error
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


def _check_size(picture: Image.Image) -> None:
    width, height = picture.size
    kind = picture.format if picture.format in MAX_PIXELS else "JPEG"  # such as MPO
    if width * height > math.prod(MAX_PIXELS[kind]):
        raise ConfigError(_too_large(f"The picture of {width:,} × {height:,} pixels", kind))
    if min(width, height) < MIN_SIDE:
        raise ConfigError(
            f"The picture is {width} × {height} pixels. "
            f"Choose one of at least {MIN_SIDE} × {MIN_SIDE} pixels."
        )


def _too_large(picture: str, kind: str) -> str:
    width, height = MAX_PIXELS[kind]
    limit = f"{width * height // 10**6} million pixels, such as {width:,} × {height:,}"
    return f"{picture} is too large. Scale it to at most {limit}."


def _to_rgb(picture: Image.Image) -> tuple[Image.Image, list[str]]:
    factor = max(1, min(picture.size) // KEPT_SIDE)
    width, height = (-(-side // factor) for side in picture.size)
    result = Image.new("RGB", (width, height))
    transparent = False
    for top in range(0, height, BAND):
        bottom = min((top + BAND) * factor, picture.height)
        band = _eight_bit(picture.crop((0, top * factor, picture.width, bottom)))
        if band.has_transparency_data:
            band = band.convert("RGBA")
            transparent |= band.getchannel("A").getextrema()[0] < 255
            band = Image.alpha_composite(Image.new("RGBA", band.size, "white"), band)
        result.paste(band.convert("RGB").reduce(factor), (0, top))
    notes = []
    result.info = {name: value for name, value in picture.info.items() if name != "transparency"}
    result = ImageOps.exif_transpose(result)
    if picture.getexif().get(EXIF_ORIENTATION) in range(2, 9):
        notes.append("Turned upright according to its EXIF data.")
    if picture.mode.startswith("I"):
        notes.append("Converted from 16 to 8 bits per channel.")
    if transparent:
        notes.append("Transparent parts are shown on white.")
    if picture.mode == "CMYK":
        notes.append("Converted from CMYK (print colors) to RGB.")
    return result, notes


def _eight_bit(band: Image.Image) -> Image.Image:
    """Scale 16-bit grayscale to 8 bits, which `convert` would clip; return others as they are."""
    if not band.mode.startswith("I"):
        return band
    gray, transparent = np.asarray(band), band.info.get("transparency")
    scaled = Image.fromarray((gray / np.float32(257)).round().clip(0, 255).astype(np.uint8))
    if transparent is not None:
        scaled.putalpha(Image.fromarray(np.where(gray == transparent, 0, 255).astype(np.uint8)))
    return scaled
