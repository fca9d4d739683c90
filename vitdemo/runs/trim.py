"""Trim saved runs by age, number and bytes, as the variables of the environment say.

The oldest are deleted first. Runs that are pinned, shared, published or in training stay, and those
of which that is not known.
"""

import os
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from math import inf
from pathlib import Path

from ..config import ConfigError
from ..files import runs_folder
from .about import read_about
from .delete import delete_run
from .index import run_index
from .run import DAMAGED
from .summary import RunSummary
from .trim_limits import Limits, limits

DAY, GIGABYTE = 86_400, 10**9


def trim(active: Collection[str] = ()) -> list[str]:
    """Delete the oldest runs until the rest are within the limits. Without limits, do nothing.

    It may take long: call it on a thread of its own.

    Args:
        active: ids of runs that this process trains, or will resume.

    Returns:
        ids of the runs that were deleted.
    """
    try:
        kept = limits()
    except ConfigError as error:  # a run that just ended is not to blame; pages show it
        print(error, file=sys.stderr)
        return []
    if kept == Limits():
        return []
    return [run_id for run_id in _too_old_or_many(kept, active) if _is_deleted(run_id)]


def _too_old_or_many(kept: Limits, active: Collection[str]) -> Iterator[str]:
    """Yield what is to be deleted, oldest first."""
    runs = {run.id: run for run in run_index().everything()}
    saved = {run_id: _last_saved(runs_folder() / run_id) for run_id in runs}
    sizes = dict.fromkeys(runs, 0)
    if kept.gigabytes < inf:
        sizes = {run_id: _bytes(runs_folder() / run_id) for run_id in runs}
    number, size, now = len(runs), sum(sizes.values()), time.time()
    for run_id in sorted(runs, key=lambda run_id: (saved[run_id], run_id)):
        if run_id in active or not _may_go(runs[run_id]):
            continue
        is_old = now - saved[run_id] > kept.days * DAY or number > kept.runs
        if (is_old and runs[run_id].state != DAMAGED) or size > kept.gigabytes * GIGABYTE:
            number, size = number - 1, size - sizes[run_id]
            yield run_id


def _may_go(run: RunSummary) -> bool:
    """Whether a run is neither kept nor in training."""
    if run.state == DAMAGED:
        try:
            return not read_about(runs_folder() / run.id).is_kept
        except (OSError, ValueError, RecursionError):  # nobody knows
            return False
    return not run.about.is_kept and not run.active


def _last_saved(folder: Path) -> float:
    """Return when a run was last saved, in seconds since 1970; a copy is as old as its files."""
    for name in ("config.json", "weights.safetensors", "metrics.jsonl", ""):
        with suppress(OSError):
            return (folder / name).stat().st_mtime
    return time.time()


def _bytes(folder: Path) -> int:
    """Return the size of all files in the folder of a run."""
    size = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # deleted just now
                size += os.stat(f"{root}/{name}").st_size
    return size


def _is_deleted(run_id: str) -> bool:
    """Delete a run, and return whether it is gone; one that is trained just now stays."""
    try:
        delete_run(run_id)
    except ConfigError:
        return False
    return True
