"""What this process may use of the machine: cores and memory, and the name of the processor."""

import ctypes
import os
import platform
import sys
from pathlib import Path


def available_cores() -> int:
    """Return the number of cores that the operating system and a container's limit leave to this process; at least 1."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = (
            Path("/sys/fs/cgroup/cpu.max").read_text().split()
        )  # "max 100000" where there is no limit
        return max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError):
        return cores


def release_memory() -> None:
    """Return freed memory to the operating system.

    glibc otherwise keeps what a training run freed, separately for each of its threads. Does nothing on other systems.
    """
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)


def processor() -> str:
    """Return the name of this machine's processor."""
    try:
        lines = (
            Path("/proc/cpuinfo").read_text().splitlines()
        )  # Linux; elsewhere Python knows the name
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
