"""Paths on disk, and writing files atomically. No torch here."""

import os
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[1]
SHIPPED = PROJECT / "checkpoints"  # trained models that ship with the app
CIFAR10_FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")
CIFAR10_ARRAYS = ("train.npz", "test.npz")  # the same as arrays: see data.cifar10


def home() -> Path:
    """Return the folder in the variable VITDEMO_HOME, or the project's folder."""
    return Path(os.environ.get("VITDEMO_HOME") or PROJECT)


def runs_folder() -> Path:
    """Return the folder with one subfolder per run."""
    return home() / "runs"


def data_folder() -> Path:
    """Return the folder of the full CIFAR-10."""
    return home() / "data"


def pretrained_folder() -> Path:
    """Return the folder of the models downloaded from torchvision."""
    return home() / "pretrained"


def full_set_on_disk() -> bool:
    """Whether all files of the full CIFAR-10 exist. Their digests are checked on loading."""
    folder = data_folder()
    pickles = all((folder / "cifar-10-batches-py" / name).is_file() for name in CIFAR10_FILES)
    arrays = all((folder / name).is_file() for name in CIFAR10_ARRAYS)
    return pickles or arrays


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that a kill at any moment leaves either the old file or the new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
