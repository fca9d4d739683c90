"""CIFAR-10 in memory, as uint8: the sample that ships, or the full set after its download."""

from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from ..config import SETTINGS, ConfigError
from ..files import data_folder, full_set_on_disk, reason
from ..machine import check_disk
from .classes import checked_names
from .split import Split

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SAMPLE = {"train": 5_000, "test": 1_000}  # images that ship
FULL = {"train": 50_000, "test": 10_000}
SHEETS = Path(__file__).parent / "sheets"
ARCHIVE = "cifar-10-python.tar.gz"  # what torchvision downloads
ARCHIVE_BYTES = 170_498_071
MEAN, STD = 0.5, 0.5  # for every channel, as in the paper's code (section 1.5.1)


@dataclass(frozen=True)
class Data:
    """The training and validation images of a run."""

    train: Split
    validation: Split
    classes: tuple[str, ...] = ()  # names of the labels 0, 1, … where they have names

    def __post_init__(self):
        """Check the names.

        Raises:
            ConfigError: they are not texts, or too long.
        """
        object.__setattr__(self, "classes", checked_names(self.classes))


def load_cifar10(
    train_images: int = 600, validation_images: int = 200, validation_from: str = "test"
) -> Data:
    """Return the first images of CIFAR-10 (Krizhevsky 2009).

    They come from the sample that ships if it has enough, otherwise from the full set.

    Args:
        train_images: number of training images; 5,000 ship, the full set has 50,000.
        validation_images: number of validation images; 1,000 test images ship, the full set has
            10,000.
        validation_from: "test", as in the paper, or "train": the training images after the first
            `train_images`, for choosing recipes without looking at test images.

    Raises:
        ConfigError: CIFAR-10 has fewer images, or the full set is needed and not on this machine.
    """
    for name, count in (("train_images", train_images), ("validation_images", validation_images)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            most = SETTINGS[name].limits[1]
            raise ConfigError(f"{name} must be a whole number from 1 to {most:,}, not {count!r}.")
    if validation_from not in ("test", "train"):
        raise ConfigError(f"validation_from must be test or train, not {validation_from!r}.")
    if validation_from == "train":
        images = _first("train", train_images + validation_images)
        return Data(images[:train_images], images[train_images:], CLASSES)
    return Data(_first("train", train_images), _first("test", validation_images), CLASSES)


def _first(part: str, count: int) -> Split:
    """Return the first images of "train" or "test"."""
    name = {"train": "training", "test": "test"}[part]
    if count > FULL[part]:
        raise ConfigError(
            f"CIFAR-10 has {FULL[part]:,} {name} images, and {count:,} are needed. Use fewer."
        )
    if count <= SAMPLE[part]:
        return _sample(part)[:count]
    if not full_set_on_disk():
        raise ConfigError(
            f"{count:,} {name} images are needed, and {SAMPLE[part]:,} ship with the project. "
            "Use fewer, or download the full CIFAR-10 first: with the button on the Train page, "
            "or with `--full` in the shell."
        )
    return _full(part)[:count]


@lru_cache
def _sample(part: str) -> Split:
    """Return the images of a PNG sheet, which has 100 of them in each row."""
    try:
        with Image.open(SHEETS / f"{part}.png") as sheet:
            pixels = np.asarray(sheet)  # (rows * 32, columns * 32, 3)
        rows, columns = pixels.shape[0] // 32, pixels.shape[1] // 32
        tiles = pixels.reshape(rows, 32, columns, 32, 3).transpose(0, 2, 4, 1, 3)
        labels = [int(digit) for digit in (SHEETS / f"{part}.txt").read_text().strip()]
        return Split(tiles.reshape(-1, 3, 32, 32), labels)
    except (OSError, ValueError, IndexError) as error:
        raise ConfigError(
            f"The images in vitdemo/data/sheets/{part}.png, or their labels in {part}.txt, are "
            "missing or damaged: this copy of the project is incomplete. Restore them, for example "
            "with git checkout vitdemo/data/sheets."
        ) from error


def download_full_set() -> None:
    """Download the full CIFAR-10 (170 MB) with torchvision, which checks its digests.

    Does nothing if it is on this machine already. Where its host cannot be reached, `train.npz` and
    `test.npz` in the same folder do as well: x (N, 32, 32, 3) uint8 and y (N,), in the original
    order.

    Raises:
        ConfigError: the download failed; the sample that ships still works.
    """
    if full_set_on_disk():
        return
    check_disk(data_folder(), 2 * ARCHIVE_BYTES)  # it is unpacked beside itself
    from torchvision.datasets import CIFAR10

    try:
        CIFAR10(data_folder(), download=True)
    except (OSError, RuntimeError, EOFError, HTTPException) as error:
        raise ConfigError(
            f"The download of CIFAR-10 failed ({reason(error)}). Check the "
            f"network connection and try again. The {SAMPLE['train']:,} training images that ship "
            "with the project work without it."
        ) from error
    _full.cache_clear()


def downloaded_bytes() -> int:
    """Return how much of the archive of ARCHIVE_BYTES is on disk."""
    archive = data_folder() / ARCHIVE
    return archive.stat().st_size if archive.exists() else 0


@lru_cache
def _full(part: str) -> Split:
    """Return all images of "train" or "test" from the full set on disk."""
    folder = data_folder()
    arrays = folder / f"{part}.npz"
    try:
        if arrays.is_file():
            with np.load(arrays, allow_pickle=False) as file:
                images, labels = file["x"], file["y"]
            _check_arrays(images, labels, FULL[part])
        else:
            from torchvision.datasets import CIFAR10

            dataset = CIFAR10(folder, train=part == "train")
            images, labels = dataset.data, dataset.targets
        return Split(images, labels)
    except Exception as error:  # damaged bytes end in errors of zlib, zipfile, tokenize and others
        raise ConfigError(
            "The full CIFAR-10 on this machine is damaged. Delete the folder data, beside app.py "
            "or in VITDEMO_HOME, and download it again."
        ) from error


def _check_arrays(images: np.ndarray, labels: np.ndarray, count: int) -> None:
    """Refuse arrays that are not all images of the data set, with a label from 0 to 9 each.

    Raises:
        ValueError: the message says what differs.
    """
    if (images.shape, images.dtype) != ((count, 32, 32, 3), np.uint8):
        raise ValueError(f"x is {images.dtype} {images.shape}")
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise ValueError(f"y is {labels.dtype} {labels.shape}")
    if not np.isin(labels, range(len(CLASSES))).all():
        raise ValueError("y has labels that are not from 0 to 9")


def normalize(images: Tensor) -> Tensor:
    """Map uint8 0 to 255 to floats -1 to 1: (x / 255 - 0.5) / 0.5 (the paper, section 1.5.1)."""
    return (images.float() / 255 - MEAN) / STD


def pixels_of(images: Tensor) -> np.ndarray:
    """Return an image (C, H, W), or a batch of images, as (H, W, C) for Pillow and Plotly."""
    return images.movedim(-3, -1).numpy()
