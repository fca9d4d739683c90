"""Files that are no picture for the app: name -> content."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

SIZES = [(0, 0), (0, 9), (9, 0), (7, 7), (2**31 - 1, 2**31 - 1), (65_535, 65_535), (10**6, 8)]


def pictures() -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file."""
    for kind in ("PNG", "JPEG", "WEBP"):
        whole = encoded(kind)
        for part in (1, 8, len(whole) // 4, len(whole) // 2, len(whole) - 1):
            yield f"{kind} cut after {part}.{kind.lower()}", whole[:part]
        for place in (4, 12, 20, len(whole) // 2, len(whole) - 20):
            damaged = bytearray(whole)
            damaged[place : place + 8] = b"\xff" * 8
            yield f"{kind} damaged at {place}.{kind.lower()}", bytes(damaged)
        yield f"{kind} after markup.{kind.lower()}", b"<script>alert(1)</script>" + whole
    for width, height in SIZES:
        yield f"PNG of {width} by {height}.png", png(width, height, zlib.compress(b"\0" * 100))
    yield "bomb.png", png(30_000, 30_000, zlib.compress(b"\0" * 10**7, 9))
    yield "text bomb.png", png(9, 9, zlib.compress(b"\0" * 90), bomb_chunk(b"zTXt", b"x\0\0"))
    yield "profile bomb.png", png(9, 9, zlib.compress(b"\0" * 90), bomb_chunk(b"iCCP", b"x\0\0"))
    yield from animated()
    yield from of_another_kind()


def encoded(kind: str, **options) -> bytes:
    """Return a picture of noise as a file of a kind."""
    noise = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, pixels: bytes, more: bytes = b"") -> bytes:
    """Return a PNG that states a size, whatever its pixels are."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + more + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def chunk(name: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def bomb_chunk(name: bytes, start: bytes) -> bytes:
    """Return a chunk that is unpacked to 200 MB."""
    return chunk(name, start + zlib.compress(b"\0" * 200 * 2**20, 1))


def animated() -> Iterator[tuple[str, bytes]]:
    """Yield pictures of several frames."""
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "green", "blue")]
    for kind in ("PNG", "WEBP", "GIF"):
        file = io.BytesIO()
        frames[0].save(file, kind, save_all=True, append_images=frames[1:])
        yield f"animated {kind}.png", file.getvalue()


def of_another_kind() -> Iterator[tuple[str, bytes]]:
    """Yield files of other kinds under the name of a picture."""
    for kind in ("GIF", "BMP", "TIFF", "ICO", "PPM"):
        yield f"{kind}.png", encoded(kind)
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    yield "vector.png", svg
    yield "page.png", b"<html><script>alert(1)</script></html>"
    yield "postscript.png", b"%!PS\n(/etc/passwd) run\n"
    yield "archive.png", b"PK\x03\x04" + b"\0" * 100
    yield "pickle.png", b"\x80\x04cos\nsystem\n(S'true'\ntR."
    yield "program.png", b"\x7fELF" + b"\0" * 200
    yield "empty.png", b""
    yield "zeros.png", b"\0" * 1000
    yield "<img src=x onerror=alert(1)>.png", b"x"
    yield "../../../etc/passwd.png", b"x"
    yield "[x](https://example.com) $x^2$.png", b"x"
    yield "x" * 3_000 + ".png", b"x"
    yield "21 MB.png", b"\x89PNG\r\n\x1a\n" + b"\0" * (21 * 2**20)
