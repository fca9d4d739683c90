"""Whether the disk takes what is to be written, and what a kill left on it. No torch here."""

import errno
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from .config import ConfigError
from .files import lock, pretrained_folder, reason, runs_folder

ADVICE = (
    "Free space on the disk of this app, or set the variable VITDEMO_HOME to a folder on a disk "
    "that can be written, and start the app again."
)
ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)  # of such a disk
QUIET = 60.0  # seconds without a write after which a download counts as dead


def check_disk(folder: Path, needed: int) -> None:
    """Refuse to begin what the disk cannot take.

    Args:
        folder: where it will be written; it is made.
        needed: bytes.

    Raises:
        ConfigError: the folder cannot be written, or has less space. The message names no path.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise ConfigError(f"Nothing can be saved here: {reason(error)}. {ADVICE}") from error
    if free < needed:
        raise ConfigError(
            f"This needs {needed / 2**20:,.0f} MB on the disk, and {free / 2**20:,.0f} MB are "
            f"free. {ADVICE}"
        )


def remove_leftovers() -> None:
    """Remove the part files of writes and downloads left by a kill, but none in use."""
    runs, pretrained = runs_folder(), pretrained_folder()
    parts = [*runs.glob("*/.*.part"), *runs.glob("*/snapshots/.*.part")]
    parts += [*pretrained.glob(".*.part"), *pretrained.glob("*.partial"), *pretrained.glob("*.pth")]
    for path in parts:
        with suppress(OSError):  # another process may remove it, too
            if _is_abandoned(path):
                path.unlink()


def _is_abandoned(path: Path) -> bool:
    """Return whether nobody writes the file any more: whoever does so holds its lock."""
    quiet = time.time() - path.stat().st_mtime
    with path.open("rb") as file:
        locked = lock(file.fileno()) if path.suffix == ".part" else None  # torch locks nothing
    return (
        quiet > QUIET if locked is None else locked and quiet > 1
    )  # locked right after it is made
