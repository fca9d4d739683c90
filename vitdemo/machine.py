"""Cores, memory and the processor of this machine."""

import ctypes
import os
import platform
import sys
from pathlib import Path


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
