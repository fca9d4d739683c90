"""Paths on disk, writing files atomically, and removing what a kill left. No torch here."""

import json
import math
import os
import stat
import tempfile
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from .config import ConfigError

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None

PROJECT = Path(__file__).parents[1]
SHIPPED = PROJECT / "checkpoints"  # trained models that ship with the app
CIFAR10_FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")
CIFAR10_ARRAYS = ("train.npz", "test.npz")  # the same as arrays: see data.cifar10
QUIET = 60.0  # seconds without a write after which a download counts as dead


def home() -> Path:
    """Return the folder in the variable VITDEMO_HOME, or the project's folder."""
    return Path(os.environ.get("VITDEMO_HOME") or PROJECT)


def runs_folder() -> Path:
    """Return the folder with one subfolder per run."""
    return home() / "runs"


def index_file() -> Path:
    """Return the index of the runs, which may be deleted: `runs.index` makes it again.

    It has a folder of its own: files beside the runs would look like a change of the runs.
    """
    return home() / "index" / "runs.sqlite"


def data_folder() -> Path:
    """Return the folder of the full CIFAR-10."""
    return home() / "data"


def pretrained_folder() -> Path:
    """Return the folder of the models downloaded from torchvision."""
    return home() / "pretrained"


@lru_cache
def _temporary() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="vitdemo-")


def own_models_folder() -> Path:
    """Return the folder of the models that visitors open, which is deleted when the app ends."""
    return Path(_temporary().name)


def full_set_on_disk() -> bool:
    """Whether all files of the full CIFAR-10 exist. Their digests are checked on loading."""
    folder = data_folder()
    pickles = all((folder / "cifar-10-batches-py" / name).is_file() for name in CIFAR10_FILES)
    arrays = all((folder / name).is_file() for name in CIFAR10_ARRAYS)
    return pickles or arrays


def check_output(path: Path, option: str, suffix: str = "") -> None:
    """Make the folder of a file that is written later, and check that it can be written.

    Raises:
        ConfigError: it cannot, or its name does not end in `suffix`; the message names `option`.
    """
    if path.suffix != suffix and suffix:
        raise ConfigError(f"{option} {path} does not end in {suffix}. Add {suffix} to the name.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.open("ab").close()
        else:
            tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise ConfigError(
            f"{option} {path} cannot be written ({error.strerror}). Give another path."
        ) from error


def json_text(value, indent: int | None = None) -> str:
    """Return strict JSON: NaN and infinity, which JSON does not have, become null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value):
    """Return the value with None for each number that is not finite, also in lists and dicts."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def stamp(path: str | Path) -> tuple | None:
    """Return a cache key that changes with a file, or None if there is no such file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    # A file that is replaced has another inode; ctime changes even where mtime is copied.
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def is_plain(path: str | Path) -> bool:
    """Return whether a path is a file itself: no link, which may lead out of its folder, no pipe.

    Opening a pipe waits for whoever writes to it, forever if nobody does.
    """
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def read_small(path: Path, most: int) -> str:
    """Return the text of a file of at most this many bytes.

    Raises:
        ValueError: it is larger.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    if size > most:
        raise ValueError(f"{path.name} has {size / 2**20:,.0f} MB")
    return path.read_text()


def reason(error: Exception) -> str:
    """Return what went wrong, without the path that an error of the system names."""
    found = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    if isinstance(found, Exception):  # why a URL could not be opened
        return reason(found)
    return found or type(error).__name__


def lock(descriptor: int, shared: bool = False) -> bool | None:
    """Lock an open file until it is closed or its process ends, however it ends.

    Args:
        descriptor: of the file.
        shared: whether others may hold a shared lock at the same time.

    Returns:
        whether it is locked now; None on a system or disk that has no such locks.
    """
    if fcntl is None:
        return None
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that a kill at any moment leaves either the old file or the new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            lock(descriptor)  # nobody takes it for the leftover of a kill
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def remove_leftovers() -> None:
    """Remove the part files of writes and downloads left by a kill, but none in use."""
    runs, pretrained = runs_folder(), pretrained_folder()
    parts = [*runs.glob("*/.*.part"), *runs.glob("*/snapshots/.*.part")]
    parts += [*pretrained.glob(".*.part"), *pretrained.glob("*.partial"), *pretrained.glob("*.pth")]
    for path in parts:
        with suppress(OSError):  # another process may remove it, too
            if is_plain(path) and _is_abandoned(path):
                path.unlink()


def _is_abandoned(path: Path) -> bool:
    """Return whether nobody writes the file any more: whoever does so holds its lock."""
    quiet = time.time() - path.stat().st_mtime
    with path.open("rb") as file:
        locked = lock(file.fileno()) if path.suffix == ".part" else None  # torch locks nothing
    if locked is None:
        return quiet > QUIET
    return locked and quiet > 1  # who writes it locks it right after it is made
