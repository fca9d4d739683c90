"""Runs that this process has just changed on disk, for the index of runs, which reads them again.

The index finds every change by itself, but not at once in a run that no page shows.
"""

_changed: dict[str, None] = {}  # ids; a dict forgets nothing while several threads write


def note(run_id: str) -> None:
    """Note that the files of a run were written or deleted."""
    _changed[run_id] = None


def take() -> list[str]:
    """Return the runs noted since the last call."""
    taken = list(_changed)
    for run_id in taken:
        _changed.pop(run_id, None)
    return taken
