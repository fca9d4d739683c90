"""How many processor cores this process may use."""

import os
from pathlib import Path


def available_cores() -> int:
    """Cores that the operating system and a container's limit leave to this process; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()  # "max 100000" where there is no limit
        return max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError):
        return cores
