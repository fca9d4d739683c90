"""Where things lie on disk, and writing them so that a kill leaves either the old file or the new one. No torch here."""

import os
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[1]
SHIPPED = PROJECT / "checkpoints"  # the trained models that ship with the app
CIFAR10_FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")
CIFAR10_ARRAYS = (
    "train.npz",
    "test.npz",
)  # another form of the same: x (N, 32, 32, 3) uint8 and y (N,)


def home() -> Path:
    """Return the folder VITDEMO_HOME, or the project's own."""
    return Path(os.environ.get("VITDEMO_HOME") or PROJECT)


def runs_folder() -> Path:
    """Return the folder that holds one folder for each run."""
    return home() / "runs"


def data_folder() -> Path:
    """Return the folder of the full CIFAR-10."""
    return home() / "data"


def pretrained_folder() -> Path:
    """Return the folder of the models downloaded from torchvision."""
    return home() / "pretrained"


def full_set_on_disk() -> bool:
    """Say whether all files of the full CIFAR-10 are there (their digests are checked when it is loaded)."""
    batches = all(
        (data_folder() / "cifar-10-batches-py" / name).is_file() for name in CIFAR10_FILES
    )
    return batches or all((data_folder() / name).is_file() for name in CIFAR10_ARRAYS)


def write_atomically(path: str | Path, content: bytes) -> None:
    """Put `content` at `path` so that a kill at any moment leaves either the old file or the new one."""
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
