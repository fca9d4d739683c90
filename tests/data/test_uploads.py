import io
import random
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from vitdemo.config import ConfigError
from vitdemo.data.uploads import MAX_BYTES, read_picture, to_model_input

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
    """A PNG of a few bytes that says it is of that size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


# What is taken


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_lossless_pictures_are_read_to_the_pixel(kind, options):
    picture, notes = read_picture(encoded(PIXELS, kind, **options))
    assert picture.mode == "RGB"
    assert np.array_equal(np.asarray(picture), PIXELS)
    assert notes == []


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_pictures_are_read(kind):
    plain = np.full((16, 24, 3), (200, 100, 50), np.uint8)
    picture, notes = read_picture(encoded(plain, kind, quality=95))
    assert (picture.mode, picture.size, notes) == ("RGB", (24, 16), [])
    assert np.abs(np.asarray(picture).astype(int) - plain).max() <= 6


@pytest.mark.parametrize("mode", ["L", "1", "P"])
def test_gray_and_palette_pictures_become_rgb(mode):
    source = Image.fromarray(PIXELS).convert(mode)
    picture, notes = read_picture(encoded(source, "PNG"))
    assert np.array_equal(np.asarray(picture), np.asarray(source.convert("RGB")))
    assert notes == []


def test_a_cmyk_jpeg_is_converted_with_a_note():
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
    assert notes == ["Reduced from 16 to 8 bits a pixel."]


def test_transparent_parts_are_shown_on_white_with_a_note():
    pixels = np.zeros((8, 12, 4), np.uint8)
    pixels[..., 0] = 255  # red
    pixels[:, 4:8, 3], pixels[:, 8:, 3] = 128, 255  # from absent over half to solid
    picture, notes = read_picture(encoded(pixels, "PNG"))
    shown = np.asarray(picture).astype(int)
    assert (shown[:, :4] == 255).all()
    assert np.abs(shown[:, 4:8] - (255, 127, 127)).max() <= 1
    assert (shown[:, 8:] == (255, 0, 0)).all()
    assert notes == ["Transparent parts are shown on white."]


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_beside_gray_and_in_webp(mode):
    source = Image.new(mode, (10, 10), (0, 0) if mode == "LA" else (0, 0, 0, 0))
    kind, options = ("PNG", {}) if mode == "LA" else ("WEBP", {"lossless": True, "exact": True})
    picture, notes = read_picture(encoded(source, kind, **options))
    assert (np.asarray(picture) == 255).all()
    assert notes == ["Transparent parts are shown on white."]


def test_a_transparent_color_of_a_palette_is_shown_on_white():
    source = Image.new("P", (10, 10), 1)
    source.putpalette([0, 0, 0, 0, 0, 255])
    source.paste(0, (0, 0, 5, 10))
    picture, notes = read_picture(encoded(source, "PNG", transparency=0))
    shown = np.asarray(picture)
    assert (shown[:, :5] == 255).all()
    assert (shown[:, 5:] == (0, 0, 255)).all()
    assert notes == ["Transparent parts are shown on white."]


UPRIGHT = {  # EXIF orientation: how the stored rows and columns are put upright (EXIF 2.3, table of tag 0x0112)
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
def test_pictures_are_turned_as_exif_says(orientation, kind, options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture, notes = read_picture(encoded(PIXELS, kind, exif=exif, **options))
    assert np.array_equal(np.asarray(picture), UPRIGHT[orientation](PIXELS))
    assert notes == ["Turned upright, as its EXIF data says."]


def test_an_upright_photograph_has_no_note():
    exif = Image.Exif()
    exif[0x0112] = 1
    picture, notes = read_picture(encoded(PIXELS, "PNG", exif=exif))
    assert np.array_equal(np.asarray(picture), PIXELS)
    assert notes == []


# What is refused


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty: choose a PNG, JPEG or WebP picture."),
        (
            b"Dear reader, this is a letter named picture.png",
            "is not a picture that can be read: choose a PNG, JPEG or",
        ),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a picture that can be read"),
        (b"\x89PNG\r\n\x1a\n", "is not a picture that can be read"),
        (bytes(1000), "is not a picture that can be read"),
    ],
    ids=["empty", "text", "svg", "signature alone", "zeros"],
)
def test_what_is_no_picture_is_refused(content, message):
    assert message in message_of(content)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "ICO", "PPM"])
def test_other_formats_are_refused(kind):
    assert "choose a PNG, JPEG or WebP picture" in message_of(encoded(PIXELS, kind))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_picture_that_is_cut_off_is_refused(kind, share):
    content = encoded(PIXELS, kind)
    assert "damaged or cut off" in message_of(content[: int(len(content) * share)])


def test_a_picture_with_a_wrong_byte_is_refused():
    content = bytearray(encoded(PIXELS, "PNG"))
    content[len(content) // 2] ^= 0xFF
    assert "damaged or cut off" in message_of(bytes(content))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_picture_that_moves_is_refused(kind):
    frames = [Image.fromarray(PIXELS), Image.fromarray(PIXELS[::-1].copy())]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    assert message_of(content) == "The picture moves: save one of its frames as PNG, JPEG or WebP."


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 100), (100, 7)])
def test_a_picture_too_small_to_see_is_refused(width, height):
    message = message_of(encoded(Image.new("RGB", (width, height)), "PNG"))
    assert (
        message
        == f"The picture has {width} x {height} pixels: choose one of at least 8 x 8 pixels."
    )


@pytest.mark.parametrize(
    ("width", "height"), [(30_000, 30_000), (8_001, 5_000), (100_000, 100_000)]
)
def test_a_picture_too_large_to_decode_is_refused_by_its_header(width, height):
    content = png_header(width, height)
    assert len(content) < 100
    assert "too large: scale it to at most 40 million pixels" in message_of(content)


def test_a_file_too_large_is_refused():
    assert message_of(bytes(MAX_BYTES + 1)).endswith("MB: choose one of at most 20 MB.")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_whatever_the_bytes_there_is_a_picture_or_a_sentence(kind):
    chance = random.Random(kind)
    whole = encoded(PIXELS, kind)
    sentences = []
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(chance.choice([1, 2, 10])):
            content[chance.randrange(len(content))] = chance.randrange(256)
        try:
            read_picture(bytes(content))
        except ConfigError as error:
            sentences.append(str(error))
    assert sentences
    assert all(sentence.endswith(".") for sentence in sentences)


# To the model


@pytest.mark.parametrize("size", [16, 32, 100])
def test_what_the_model_takes(size):
    result = to_model_input(Image.fromarray(PIXELS), size)
    assert (result.shape, result.dtype) == ((3, size, size), torch.uint8)


def test_a_picture_of_the_right_size_goes_in_unchanged():
    pixels = PIXELS[:16, :16].copy()
    assert np.array_equal(
        to_model_input(Image.fromarray(pixels), 16).permute(1, 2, 0).numpy(), pixels
    )


@pytest.mark.parametrize("shape", [(20, 60), (60, 20)])
def test_the_middle_square_is_taken(shape):
    pixels = RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)
    top, left = (shape[0] - 20) // 2, (shape[1] - 20) // 2
    result = to_model_input(Image.fromarray(pixels), 20).permute(1, 2, 0).numpy()
    assert np.array_equal(result, pixels[top : top + 20, left : left + 20])


def test_the_square_is_scaled():
    pixels = np.zeros((64, 192, 3), np.uint8)
    pixels[:, 64:128] = (10, 200, 30)  # the middle third
    pixels[:32, 64:128] = (250, 0, 90)
    result = to_model_input(Image.fromarray(pixels), 16).permute(1, 2, 0).numpy()
    inside = result[:, 3:13]  # the filter is three of the new pixels wide each way
    assert (inside[:5] == (250, 0, 90)).all()
    assert (inside[11:] == (10, 200, 30)).all()


def test_a_photograph_with_a_second_picture_in_it_is_read():
    """Many phones and cameras write a preview or a depth map behind the JPEG (MPO): it does not move."""
    pictures = [Image.new("RGB", (20, 10), color) for color in ("red", "blue")]
    picture, _ = read_picture(
        encoded(pictures[0], "MPO", save_all=True, append_images=pictures[1:])
    )
    assert picture.size == (20, 10)
    assert np.abs(np.asarray(picture).astype(int) - (255, 0, 0)).max() < 6


def test_damaged_exif_data_is_no_crash():
    entries = [
        (0x0112, 3, 1, b"\x06\0\0\0"),
        (0x014A, 2, 1, b"a\0\0\0"),
    ]  # the second should be a number and is text
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries))
    exif += b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries) + bytes(4)
    content = encoded(Image.new("RGB", (20, 10)), "JPEG", exif=exif)
    with pytest.raises(ConfigError, match="damaged"):
        read_picture(content)


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_says_nothing_makes_no_note(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert read_picture(encoded(Image.new("RGB", (20, 10)), "PNG", exif=exif))[1] == []


def test_a_transparent_gray_of_16_bits_is_shown_on_white():
    deep = Image.fromarray(np.full((16, 16), 1000, np.uint16))
    picture, notes = read_picture(encoded(deep, "PNG", transparency=1000))
    assert (np.asarray(picture) == 255).all()
    assert "Transparent parts are shown on white." in notes
