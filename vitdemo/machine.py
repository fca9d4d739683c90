"""Cores, memory, processor and disk of this machine."""

import ctypes
import errno
import os
import platform
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from .config import ConfigError
from .files import reason

try:
    import resource
except ImportError:  # on Windows
    resource = None

ADVICE = (
    "Free space on the disk of this app, or set the variable VITDEMO_HOME to a folder on a disk "
    "that can be written, and start the app again."
)
MEMORY_LIMITS = (  # of a container, in bytes, with control groups of version 2 and 1
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
M_ARENA_MAX = -8  # of glibc's malloc.h
ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)  # of such a disk


class DiskError(ConfigError):
    """The disk is full, or cannot be written. The message names no path."""


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


def available_memory() -> int:
    """Return the bytes of memory that this process may use: of the machine, container or limit."""
    try:
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, ValueError):  # on Windows
        found = [8 * 2**30]
    for file in MEMORY_LIMITS:
        with suppress(OSError, ValueError):  # "max": no limit
            found.append(int(Path(file).read_text()))
    if resource:
        limit, _ = resource.getrlimit(resource.RLIMIT_DATA)  # `ulimit -d`
        if limit != resource.RLIM_INFINITY:
            found.append(limit)
    return min(found)


def memory_in_use() -> int:
    """Return the bytes of memory that this process uses now; 0 where it is not known."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def busy_fraction(seconds: float) -> float:
    """Watch for some seconds how busy the cores are: 0 idle, 1 all in use.

    Counts every process of the machine on Linux, otherwise only this one.
    """
    started, before = time.process_time(), _ticks()
    time.sleep(seconds)
    idle, total = (now - then for now, then in zip(_ticks(), before, strict=True))
    if total:
        return 1 - idle / total
    return (time.process_time() - started) / (seconds * available_cores())


def _ticks() -> tuple[int, int]:
    """Return the idle and all clock ticks of the cores since the start; 0 where unknown."""
    try:
        first = Path("/proc/stat").read_text().splitlines()[0]  # cpu user nice system idle iowait …
        ticks = [int(number) for number in first.split()[1:9]]
        return ticks[3] + ticks[4], sum(ticks)
    except (OSError, ValueError, IndexError):
        return 0, 0


def release_memory() -> None:
    """Return freed memory to the operating system, as far as whole pages of it are free.

    glibc otherwise keeps what a run has freed. Does nothing on systems without glibc.
    """
    if glibc := _glibc():
        glibc.malloc_trim(0)


@lru_cache  # once for each process
def share_arenas() -> None:
    """Let all threads share as many arenas of memory as there are cores.

    glibc otherwise makes up to eight for each core, as threads come. Each reserves 64 MB and more,
    and keeps its own free pieces, which no other can use; a class of forty leaves 100 MB in them.
    Sharing takes some 5% of a run's time. Does nothing on systems without glibc.
    """
    if glibc := _glibc():
        glibc.mallopt(M_ARENA_MAX, available_cores())


def _glibc() -> ctypes.CDLL | None:
    """Return glibc, or None on another system."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") else None


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
        DiskError: the folder cannot be written, or has less space.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise DiskError(f"Nothing can be saved here: {reason(error)}. {ADVICE}") from error
    if free < needed:
        raise DiskError(
            f"This needs {needed / 2**20:,.0f} MB on the disk, and {free / 2**20:,.0f} MB are "
            f"free. {ADVICE}"
        )
