"""Make the PNG sheets that ship with the project from CIFAR-10's official binary files.

    python -m vitdemo.data.sheets.make_sheets FOLDER

FOLDER is cifar-10-batches-bin from cifar-10-binary.tar.gz (on Krizhevsky's CIFAR-10 page). It holds
records of one label byte and 3,072 pixel bytes: a red, a green and a blue plane of 32 rows. The
SHA-1 of each file is checked first.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
COLUMNS = 100  # images in one row of a sheet
SHEETS = {  # sheet: official file, its SHA-1, number of images that ship
    "train": ("data_batch_1.bin", "aadd24acce27caa71bf4b10992e9e7b2d74c2540", 5_000),
    "test": ("test_batch.bin", "67eb016db431130d61cd03c7ad570b013799c88c", 1_000),
}


def make_sheet(records: bytes, count: int) -> tuple[Image.Image, str]:
    """Return the first `count` images as one sheet, row by row, and their labels as digits."""
    table = np.frombuffer(records, np.uint8).reshape(-1, 1 + 3 * 32 * 32)[:count]
    tiles = table[:, 1:].reshape(-1, COLUMNS, 3, 32, 32)  # rows, columns, C, H, W
    pixels = tiles.transpose(0, 3, 1, 4, 2).reshape(-1, COLUMNS * 32, 3)
    labels = "".join(str(label) for label in table[:, 0])
    return Image.fromarray(np.ascontiguousarray(pixels)), labels


def main(folder: Path) -> None:
    """Write the sheets and their labels next to this file."""
    for name, (file, sha1, count) in SHEETS.items():
        records = (folder / file).read_bytes()
        found = hashlib.sha1(records).hexdigest()
        if found != sha1:
            sys.exit(f"{file} has SHA-1 {found}, not the official {sha1}. Download it again.")
        sheet, labels = make_sheet(records, count)
        sheet.save(HERE / f"{name}.png", optimize=True)
        (HERE / f"{name}.txt").write_text(labels + "\n")
        print(f"{name}: {count:,} images, {(HERE / f'{name}.png').stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
