"""Cores, memory, processor and disk of this machine."""

import ctypes
import errno
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from .config import ConfigError
from .files import reason

ADVICE = (
    "Free space on the disk of this app, or set the variable VITDEMO_HOME to a folder on a disk "
    "that can be written, and start the app again."
)
ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)  # of such a disk


def available_cores() -> int:
    """Return the number of cores available to this process, at least 1.

    The operating system and a container may allow fewer cores than the machine has.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    try:
        # Microseconds of CPU time per period; the quota is "max" if there is no limit.
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError):
        return cores


def release_memory() -> None:
    """Return freed memory to the operating system.

    glibc otherwise keeps what a run has freed, separately for each thread. Does nothing on systems
    without glibc.
    """
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)


def processor() -> str:
    """Return the name of this machine's processor."""
    try:  # on Linux, where Python does not know the name
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


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
