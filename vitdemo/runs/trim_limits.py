"""Limits of what is kept on disk, from the environment. Nothing here imports torch."""

import os
from dataclasses import dataclass
from math import inf

from ..config import ConfigError


@dataclass(frozen=True)
class Limits:
    """How long, how many and how much is kept; infinite where there is no limit."""

    days: float = inf  # since the last epoch
    runs: float = inf  # of all runs, also of those that stay in any case
    gigabytes: float = inf  # the same


def limits() -> Limits:
    """Return the limits in VITDEMO_KEEP_DAYS, VITDEMO_KEEP_RUNS and VITDEMO_KEEP_GB.

    Raises:
        ConfigError: one is not a number above 0.
    """
    names = ("VITDEMO_KEEP_DAYS", "VITDEMO_KEEP_RUNS", "VITDEMO_KEEP_GB")
    return Limits(*(_limit(name) for name in names))


def _limit(name: str) -> float:
    text = os.environ.get(name, "").strip()
    if not text:
        return inf
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:  # a comparison with NaN is False
        raise ConfigError(
            f"{name} is {text[:40]!r}. Set it to a number above 0, or unset it to keep all runs."
        )
    return value
