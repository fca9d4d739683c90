"""A log for a server that many people use: one JSON line on standard error for each event of a run.

    {"time": "2026-11-27T17:10:09+00:00", "event": "ended", "run": "20261127-…", "owner": "5f2c…",
     "state": "finished", "epochs": 3, "seconds": 41.3}

`seconds` counts from the moment in which the run was submitted. `owner` is the hash of a person's
secret, as in the files of the run. The logger is silent until `log_to_stderr` is called.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it loads torch, and pages call `log_to_stderr` before that
    from ..runs.run import Run

LOGGER = logging.getLogger("vitdemo.runs")


@lru_cache  # once
def log_to_stderr() -> None:
    """Write events to standard error from now on."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


def log_event(event: str, run: Run, seconds: float) -> None:
    """Log an event of a run, some seconds after it was submitted."""
    LOGGER.info(
        json.dumps(
            {
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "event": event,
                "run": run.id,
                "owner": run.about.owner,
                "state": run.state,
                "epochs": len(run.history),
                "seconds": round(seconds, 3),
            }
        )
    )
