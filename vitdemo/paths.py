"""Where this project keeps what it makes and fetches. No torch here."""

import os
from pathlib import Path

CIFAR10_FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")
CIFAR10_ARRAYS = ("train.npz", "test.npz")  # another form of the same: x (N, 32, 32, 3) uint8 and y (N,)


def home() -> Path:
    """The folder VITDEMO_HOME, or the project's own; runs/, data/ and pretrained/ lie in it."""
    return Path(os.environ.get("VITDEMO_HOME") or Path(__file__).parents[1])


def full_set_on_disk() -> bool:
    """Whether all files of the full CIFAR-10 are there (their digests are checked when it is loaded)."""
    batches = all((home() / "data" / "cifar-10-batches-py" / name).is_file() for name in CIFAR10_FILES)
    return batches or all((home() / "data" / name).is_file() for name in CIFAR10_ARRAYS)
