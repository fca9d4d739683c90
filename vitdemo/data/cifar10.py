"""CIFAR-10 in memory: the bundled sample or the full set, as uint8; normalization on the way out."""

from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..config import SETTINGS, ConfigError
from ..files import data_folder, full_set_on_disk

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SAMPLE = {"train": 5_000, "test": 1_000}  # the images that ship
FULL = {"train": 50_000, "test": 10_000}
SHEETS = Path(__file__).parent / "sheets"
MEAN, STD = 0.5, 0.5  # of every channel, as in the annotation's loader (section 1.5.1)


@dataclass(frozen=True)
class Split:
    """Images and what they show."""

    images: Tensor  # (N, 3, 32, 32) uint8
    labels: Tensor  # (N,) int64, an index into CLASSES

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: slice | Tensor) -> "Split":
        return Split(self.images[chosen], self.labels[chosen])


@dataclass(frozen=True)
class Data:
    """What a training learns from and what it is checked on."""

    train: Split
    validation: Split


def load_cifar10(
    train_images: int = 600, validation_images: int = 200, validation_from: str = "test"
) -> Data:
    """The first images of CIFAR-10 (Krizhevsky 2009), from the bundled sample where it is enough, else the full set.

    Args:
        train_images: how many of the 5,000 that ship, or of the 50,000 of the full set.
        validation_images: how many of the 1,000 (10,000) test images.
        validation_from: "test" as in the annotation, or "train": the training images after the first `train_images`,
            for choosing recipes without looking at test images.

    Raises:
        ConfigError: more images than there are, or the full set is needed and not on this machine.
    """
    for name, count in (("train_images", train_images), ("validation_images", validation_images)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ConfigError(
                f"{name} must be a whole number from 1 to {SETTINGS[name].limits[1]:,}, not {count!r}."
            )
    if validation_from not in ("test", "train"):
        raise ConfigError(f"validation_from must be test or train, not {validation_from!r}.")
    held_out = validation_from == "train"
    needed = {
        "train": train_images + held_out * validation_images,
        "test": 0 if held_out else validation_images,
    }
    for part, count in needed.items():
        if count > FULL[part]:
            raise ConfigError(
                f"CIFAR-10 has {FULL[part]:,} {part} images, not the {count:,} asked for: use fewer."
            )
        if count > SAMPLE[part] and not full_set_on_disk():
            raise ConfigError(
                f"{count:,} {part} images are asked for and {SAMPLE[part]:,} ship with the project: use fewer, or "
                "fetch the full CIFAR-10 first (the button on the Train page, or `--full` in the shell)."
            )
    split = {
        part: _full(part) if count > SAMPLE[part] else _sample(part)
        for part, count in needed.items()
    }
    train = split["train"][:train_images]
    validation = (
        split["train"][train_images : needed["train"]]
        if held_out
        else split["test"][:validation_images]
    )
    return Data(train, validation)


@lru_cache
def _sample(part: str) -> Split:
    """The bundled sheet of 100 images a row, cut into images."""
    with Image.open(SHEETS / f"{part}.png") as sheet:
        pixels = np.asarray(sheet)  # (rows * 32, columns * 32, 3)
    rows, columns = pixels.shape[0] // 32, pixels.shape[1] // 32
    images = (
        pixels.reshape(rows, 32, columns, 32, 3).transpose(0, 2, 4, 1, 3).reshape(-1, 3, 32, 32)
    )
    labels = [int(digit) for digit in (SHEETS / f"{part}.txt").read_text().strip()]
    return Split(torch.from_numpy(np.ascontiguousarray(images)), torch.tensor(labels))


def download_full_set() -> None:
    """Fetch the full CIFAR-10 (170 MB) through torchvision, which checks its digests; nothing is done if it is there.

    Where its host cannot be reached, `train.npz` and `test.npz` in the same folder do as well: x (N, 32, 32, 3) uint8
    and y (N,), in the original order.

    Raises:
        ConfigError: it could not be fetched; the sample that ships still works.
    """
    if full_set_on_disk():
        return
    from torchvision.datasets import CIFAR10

    try:
        CIFAR10(data_folder(), download=True)
    except (OSError, RuntimeError, EOFError, HTTPException) as error:
        raise ConfigError(
            "The full CIFAR-10 could not be fetched: check the network connection and try again. "
            f"The {SAMPLE['train']:,} training images that ship with the project work without it. "
            f"(The reason given: {getattr(error, 'reason', error)})"
        ) from error
    _full.cache_clear()


@lru_cache
def _full(part: str) -> Split:
    folder = data_folder()
    arrays = folder / f"{part}.npz"
    try:
        if arrays.is_file():
            with np.load(arrays, allow_pickle=False) as file:
                images, labels = file["x"], file["y"]
        else:
            from torchvision.datasets import CIFAR10

            dataset = CIFAR10(folder, train=part == "train")
            images, labels = dataset.data, dataset.targets
        split = Split(
            torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))),
            torch.tensor(labels).long(),
        )
    except (RuntimeError, OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise ConfigError(
            f"The full CIFAR-10 in {folder} is damaged: delete that folder and fetch it again."
        ) from error
    return split


def normalize(images: Tensor) -> Tensor:
    """uint8 0 to 255 -> float -1 to 1: (x / 255 - 0.5) / 0.5, as in the annotation's loader (section 1.5.1)."""
    return (images.float() / 255 - MEAN) / STD
