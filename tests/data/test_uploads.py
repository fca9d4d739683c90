import io
import random
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from vitdemo.config import ConfigError
from vitdemo.data.uploads import KEPT_SIDE, MAX_BYTES, read_picture, to_model_input

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)  # 30 wide, 20 high


def encoded(picture, kind, **options):
    file = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(
        file, kind, **options
    )
    return file.getvalue()


def message_of(content):
    with pytest.raises(ConfigError) as caught:
        read_picture(content)
    return str(caught.value)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width, height):
    """Return a PNG of a few bytes whose header states that size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


# Accepted pictures


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_lossless_picture_is_read_exactly(kind, options):
    picture, notes = read_picture(encoded(PIXELS, kind, **options))
    assert picture.mode == "RGB"
    assert np.array_equal(np.asarray(picture), PIXELS)
    assert notes == []


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_picture_is_read(kind):
    plain = np.full((16, 24, 3), (200, 100, 50), np.uint8)
    picture, notes = read_picture(encoded(plain, kind, quality=95))
    assert (picture.mode, picture.size, notes) == ("RGB", (24, 16), [])
    assert np.abs(np.asarray(picture).astype(int) - plain).max() <= 6


@pytest.mark.parametrize("mode", ["L", "1", "P"])
def test_gray_and_palette_pictures_are_converted_to_rgb(mode):
    source = Image.fromarray(PIXELS).convert(mode)
    picture, notes = read_picture(encoded(source, "PNG"))
    assert np.array_equal(np.asarray(picture), np.asarray(source.convert("RGB")))
    assert notes == []


def test_cmyk_jpeg_is_converted_with_a_note():
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    picture, notes = read_picture(encoded(cyan, "JPEG", quality=95))
    assert np.abs(np.asarray(picture).astype(int) - (0, 255, 255)).max() <= 6
    assert len(notes) == 1
    assert "CMYK" in notes[0]


def test_16_bit_gray_is_scaled_not_clipped():
    deep = np.zeros((16, 16), np.uint16)
    deep.flat = np.arange(256) * 257  # every 8-bit gray, in 16 bits
    deep[0, 1] = 300  # 1.17 of them
    picture, notes = read_picture(encoded(deep, "PNG"))
    expected = np.arange(256).reshape(16, 16)
    assert np.array_equal(np.asarray(picture), np.stack([expected] * 3, axis=-1))
    assert notes == ["Converted from 16 to 8 bits per channel."]


def test_transparent_parts_are_shown_on_white_with_a_note():
    pixels = np.zeros((8, 12, 4), np.uint8)
    pixels[..., 0] = 255  # red
    pixels[:, 4:8, 3], pixels[:, 8:, 3] = 128, 255  # transparent, half transparent, opaque
    picture, notes = read_picture(encoded(pixels, "PNG"))
    shown = np.asarray(picture).astype(int)
    assert (shown[:, :4] == 255).all()
    assert np.abs(shown[:, 4:8] - (255, 127, 127)).max() <= 1
    assert (shown[:, 8:] == (255, 0, 0)).all()
    assert notes == ["Transparent parts are shown on white."]


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_of_gray_png_and_of_webp(mode):
    source = Image.new(mode, (10, 10), (0, 0) if mode == "LA" else (0, 0, 0, 0))
    kind, options = ("PNG", {}) if mode == "LA" else ("WEBP", {"lossless": True, "exact": True})
    picture, notes = read_picture(encoded(source, kind, **options))
    assert (np.asarray(picture) == 255).all()
    assert notes == ["Transparent parts are shown on white."]


def test_transparent_palette_color_is_shown_on_white():
    source = Image.new("P", (10, 10), 1)
    source.putpalette([0, 0, 0, 0, 0, 255])
    source.paste(0, (0, 0, 5, 10))
    picture, notes = read_picture(encoded(source, "PNG", transparency=0))
    shown = np.asarray(picture)
    assert (shown[:, :5] == 255).all()
    assert (shown[:, 5:] == (0, 0, 255)).all()
    assert notes == ["Transparent parts are shown on white."]


UPRIGHT = {  # EXIF orientation -> how to turn the stored rows and columns (EXIF 2.3, tag 0x0112)
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_exif_orientation_is_applied(orientation, kind, options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture, notes = read_picture(encoded(PIXELS, kind, exif=exif, **options))
    assert np.array_equal(np.asarray(picture), UPRIGHT[orientation](PIXELS))
    assert notes == ["Turned upright according to its EXIF data."]


def test_upright_picture_has_no_note():
    exif = Image.Exif()
    exif[0x0112] = 1
    picture, notes = read_picture(encoded(PIXELS, "PNG", exif=exif))
    assert np.array_equal(np.asarray(picture), PIXELS)
    assert notes == []


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_opaque_alpha_channel_makes_no_note(mode):
    source = Image.fromarray(PIXELS).convert("L" if mode == "LA" else "RGB")
    opaque = source.copy()
    opaque.putalpha(255)
    assert opaque.mode == mode
    picture, notes = read_picture(encoded(opaque, "PNG"))
    assert np.array_equal(np.asarray(picture), np.asarray(source.convert("RGB")))
    assert notes == []


def test_unused_transparent_palette_color_makes_no_note():
    source = Image.new("P", (10, 10), 1)
    source.putpalette([0, 0, 0, 0, 0, 255])
    _, notes = read_picture(encoded(source, "PNG", transparency=0))
    assert notes == []


# Large pictures


@pytest.mark.parametrize("mode", ["RGB", "L", "I;16", "RGBA", "P"])
def test_large_picture_is_reduced_by_the_mean_of_blocks(mode):
    wide, high, factor = 3 * KEPT_SIDE + 10, 2 * KEPT_SIDE + 5, 2
    gray = np.linspace(0, 255, wide * high).reshape(high, wide).round()
    if mode == "I;16":
        source = Image.fromarray((gray * 257).astype(np.uint16))
    else:
        source = Image.fromarray(gray.astype(np.uint8)).convert(mode)
    picture, _ = read_picture(encoded(source, "PNG", compress_level=1))
    assert picture.size == (-(-wide // factor), -(-high // factor))
    whole = gray[: high // factor * factor, : wide // factor * factor]
    means = whole.reshape(high // factor, factor, wide // factor, factor).mean(axis=(1, 3))
    shown = np.asarray(picture)[: high // factor, : wide // factor].astype(float)
    assert np.abs(shown - means[..., None]).max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
def test_large_jpeg_is_decoded_smaller_and_looks_the_same(mode):
    ramp = np.linspace(0, 255, 4000).astype(np.uint8)
    source = Image.fromarray(np.tile(ramp, (3200, 1))).convert("RGB").convert(mode)
    picture, _ = read_picture(encoded(source, "JPEG", quality=95))
    assert picture.size == (1000, 800)
    expected = ramp.reshape(1000, 4).mean(axis=1)
    assert np.abs(np.asarray(picture).astype(float) - expected[None, :, None]).max() <= 3


def test_rotated_large_picture_is_reduced_and_turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    source = Image.new("RGB", (4 * KEPT_SIDE, 2 * KEPT_SIDE))
    for kind in ("JPEG", "PNG"):
        picture, notes = read_picture(encoded(source, kind, exif=exif))
        assert picture.size == (KEPT_SIDE, 2 * KEPT_SIDE)
        assert notes == ["Turned upright according to its EXIF data."]


MEMORY = """
import io, resource, sys
from vitdemo.data.uploads import read_picture
content = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read_picture(content)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.parametrize("mode", ["I;16", "LA", "P", "WebP", "progressive JPEG"])
def test_largest_pictures_take_less_than_300_megabytes(mode):
    side, options = (4_000, 4_000) if mode == "WebP" else (8_000, 5_000), {}
    if mode == "I;16":
        kind, source = "PNG", Image.fromarray(np.zeros(side[::-1], np.uint16))
    elif mode in ("LA", "P"):
        kind, source = "PNG", Image.new(mode, side)
    elif mode == "WebP":
        kind, source, options = "WEBP", Image.new("RGBA", side), {"method": 0}
    else:
        kind, source, options = "JPEG", Image.new("RGB", side), {"progressive": True}
    content = encoded(source, kind, **options)
    assert len(content) < 5e6
    shown = subprocess.run([sys.executable, "-c", MEMORY], input=content, capture_output=True)
    assert float(shown.stdout) < 300, shown.stderr


# Refused pictures


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty. Choose a PNG, JPEG or WebP picture."),
        (
            b"Dear reader, this is a letter named picture.png",
            "The file is not a PNG, JPEG or WebP picture. Choose one that is.",
        ),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a PNG, JPEG or WebP picture"),
        (b"\x89PNG\r\n\x1a\n", "is not a PNG, JPEG or WebP picture"),
        (bytes(1000), "is not a PNG, JPEG or WebP picture"),
    ],
    ids=["empty", "text", "svg", "signature alone", "zeros"],
)
def test_file_that_is_not_a_picture_is_refused(content, message):
    assert message in message_of(content)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "ICO", "PPM"])
def test_other_formats_are_refused(kind):
    assert "is not a PNG, JPEG or WebP picture" in message_of(encoded(PIXELS, kind))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("fraction", [0.5, 0.9])
def test_truncated_picture_is_refused(kind, fraction):
    content = encoded(PIXELS, kind)
    assert "damaged or incomplete" in message_of(content[: int(len(content) * fraction)])


def test_picture_with_a_changed_byte_is_refused():
    content = bytearray(encoded(PIXELS, "PNG"))
    content[len(content) // 2] ^= 0xFF
    assert "damaged or incomplete" in message_of(bytes(content))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animated_picture_is_refused(kind):
    frames = [Image.fromarray(PIXELS), Image.fromarray(PIXELS[::-1].copy())]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    assert (
        message_of(content)
        == "The picture is animated. Save one of its frames as PNG, JPEG or WebP."
    )


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 100), (100, 7)])
def test_too_small_picture_is_refused(width, height):
    message = message_of(encoded(Image.new("RGB", (width, height)), "PNG"))
    expected = f"The picture is {width} × {height} pixels. Choose one of at least 8 × 8 pixels."
    assert message == expected


@pytest.mark.parametrize(
    ("width", "height"), [(30_000, 30_000), (8_001, 5_000), (100_000, 100_000)]
)
def test_too_large_picture_is_refused_by_its_header(width, height):
    content = png_header(width, height)
    assert len(content) < 100
    assert "too large. Scale it to at most 40 million pixels" in message_of(content)


def test_webp_is_refused_above_a_smaller_limit():
    """Its decoder holds the whole picture several times."""
    message = message_of(encoded(Image.new("RGB", (4_001, 4_000)), "WEBP", method=0))
    assert message.endswith("Scale it to at most 16 million pixels, such as 4,000 × 4,000.")


def test_too_large_file_is_refused():
    assert message_of(bytes(MAX_BYTES + 1)).endswith("MB. Choose one of at most 20 MB.")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_random_damage_gives_a_picture_or_a_config_error(kind):
    rng = random.Random(kind)
    whole = encoded(PIXELS, kind)
    messages = []
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(rng.choice([1, 2, 10])):
            content[rng.randrange(len(content))] = rng.randrange(256)
        try:
            read_picture(bytes(content))
        except ConfigError as error:
            messages.append(str(error))
    assert messages
    assert all(message.endswith(".") for message in messages)


# Model input


@pytest.mark.parametrize("size", [16, 32, 100])
def test_model_input_has_the_models_size_and_type(size):
    result = to_model_input(Image.fromarray(PIXELS), size)
    assert (result.shape, result.dtype) == ((3, size, size), torch.uint8)


def test_picture_of_the_models_size_is_unchanged():
    pixels = PIXELS[:16, :16].copy()
    assert np.array_equal(
        to_model_input(Image.fromarray(pixels), 16).permute(1, 2, 0).numpy(), pixels
    )


@pytest.mark.parametrize("shape", [(20, 60), (60, 20)])
def test_model_input_is_the_central_square(shape):
    pixels = RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)
    top, left = (shape[0] - 20) // 2, (shape[1] - 20) // 2
    result = to_model_input(Image.fromarray(pixels), 20).permute(1, 2, 0).numpy()
    assert np.array_equal(result, pixels[top : top + 20, left : left + 20])


def test_central_square_is_scaled_to_the_models_size():
    pixels = np.zeros((64, 192, 3), np.uint8)
    pixels[:, 64:128] = (10, 200, 30)  # the middle third
    pixels[:32, 64:128] = (250, 0, 90)
    result = to_model_input(Image.fromarray(pixels), 16).permute(1, 2, 0).numpy()
    inside = result[:, 3:13]  # the filter reaches three of the new pixels in each direction
    assert (inside[:5] == (250, 0, 90)).all()
    assert (inside[11:] == (10, 200, 30)).all()


def test_mpo_photo_is_read():
    """Phones and cameras append a preview or a depth map to a JPEG (MPO): not an animation."""
    pictures = [Image.new("RGB", (20, 10), color) for color in ("red", "blue")]
    picture, _ = read_picture(
        encoded(pictures[0], "MPO", save_all=True, append_images=pictures[1:])
    )
    assert picture.size == (20, 10)
    assert np.abs(np.asarray(picture).astype(int) - (255, 0, 0)).max() < 6


def test_damaged_exif_data_is_refused():
    entries = [
        (0x0112, 3, 1, b"\x06\0\0\0"),
        (0x014A, 2, 1, b"a\0\0\0"),
    ]  # the second should be a number, and is text
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries))
    exif += b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries) + bytes(4)
    content = encoded(Image.new("RGB", (20, 10)), "JPEG", exif=exif)
    with pytest.raises(ConfigError, match="damaged"):
        read_picture(content)


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_unknown_exif_orientation_makes_no_note(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert read_picture(encoded(Image.new("RGB", (20, 10)), "PNG", exif=exif))[1] == []


def test_transparent_16_bit_gray_is_shown_on_white():
    deep = Image.fromarray(np.full((16, 16), 1000, np.uint16))
    picture, notes = read_picture(encoded(deep, "PNG", transparency=1000))
    assert (np.asarray(picture) == 255).all()
    assert "Transparent parts are shown on white." in notes
