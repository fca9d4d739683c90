"""The lock of a run: one process at a time trains it, and others see whether it is still at work.

The file `lock` in the folder of a run says who trains it; it was last changed when the trainer was
last alive. The operating system holds the lock for the trainer and drops it when the process ends,
however it ends, so a run that was killed is never taken for one that trains. This works between
processes, and between containers that share a folder.
"""

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..config import ConfigError
from ..files import is_plain, lock, reason

ATTEMPTS, PAUSE = 20, 0.05  # seconds; whoever looks whether a run trains locks it for a moment, too
EVERY = 1.0  # seconds between two signs of life
# Follow no link, which may lead out of the folder, and wait for no pipe. Windows has neither.
OWN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
SILENCE = 60.0  # seconds without one that count as death where the system has no locks (Windows)


@contextmanager
def hold(folder: Path) -> Iterator[Callable[[], None]]:
    """Hold the lock of the run in this folder while it trains; remove it at the end.

    Yields:
        a function to call often, which notes that the trainer is alive.

    Raises:
        ConfigError: another process or thread trains the run.
        OSError: the disk is full or cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "lock"
    descriptor = _locked(path)
    try:
        who = {"process": os.getpid(), "machine": platform.node()}
        with suppress(OSError):  # a full disk
            os.ftruncate(descriptor, 0)
            os.write(descriptor, json.dumps(who).encode())
        noted = time.monotonic()

        def alive() -> None:
            nonlocal noted
            if time.monotonic() - noted > EVERY:
                noted = time.monotonic()
                with suppress(OSError):
                    os.utime(path)

        yield alive
    finally:
        with suppress(OSError):  # Windows removes no open file
            path.unlink()  # while it is locked, so that nobody else's is removed
        os.close(descriptor)
        if os.name == "nt":
            path.unlink(missing_ok=True)


def _locked(path: Path) -> int:
    """Return a descriptor of the lock's file, which is then locked."""
    for _ in range(ATTEMPTS):
        recent = _is_recent(path)
        descriptor = _opened(path, os.O_RDWR | os.O_CREAT)
        locked = lock(descriptor)
        if not recent if locked is None else locked and _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)
        time.sleep(PAUSE)
    raise ConfigError(
        f"Run {path.parent.name} is being trained by another process, for example in the shell. "
        "Wait until it ends, or stop it there."
    )


def _opened(path: Path, flags: int) -> int:
    """Open the lock's file, which may be new.

    Raises:
        OSError: the disk takes no new file.
        ConfigError: what lies there cannot be locked.
    """
    try:
        if is_plain(path) or not os.path.lexists(path):
            return os.open(path, flags | OWN, 0o644)
        problem = "it is not a file"
    except OSError as error:
        if not os.path.lexists(path):
            raise  # the disk is full or read-only
        problem = reason(error)
    raise ConfigError(
        f"Run {path.parent.name} cannot be locked for training ({problem}). "
        "Delete the file lock in its folder."
    )


def _is_at(descriptor: int, path: Path) -> bool:
    """Check that the file was not removed just before it was locked."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def is_held(folder: Path) -> bool:
    """Return whether a process or thread that is alive trains the run in this folder."""
    path = folder / "lock"
    try:
        descriptor = os.open(path, os.O_RDONLY | OWN)
    except OSError:
        return False
    try:
        locked = lock(descriptor, shared=True)  # others may look at the same time
        return _is_recent(path) if locked is None else not locked
    finally:
        os.close(descriptor)


def last_alive(folder: Path) -> float | None:
    """Return when the trainer was last alive, in seconds since 1970, or None if it has ended."""
    try:
        return (folder / "lock").stat().st_mtime
    except OSError:
        return None


def _is_recent(path: Path) -> bool:
    return time.time() - (last_alive(path.parent) or 0.0) < SILENCE
