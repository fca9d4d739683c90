"""What one person may ask of a server that many people use; the teacher can change it."""

from dataclasses import dataclass

from ..config import ConfigError, ModelConfig, TrainConfig
from ..machine import available_cores
from . import pace
from .executor import EXECUTOR


@dataclass
class Limits:
    """Limits for each person. They do not hold on a server that only one person uses."""

    waiting: int = 5  # runs that wait
    minutes: float = 15.0  # of this machine for one run, if it had the machine for itself


def minutes_of(model: ModelConfig, training: TrainConfig) -> float:
    """Return the expected minutes of a run that has the machine for itself."""
    speedup = (EXECUTOR.threads or available_cores()) ** pace.SHARE
    return training.epochs * pace.epoch_seconds(model, training) / speedup / 60


def check_budget(model: ModelConfig, training: TrainConfig) -> None:
    """Refuse a run that would take too much of the machine.

    Raises:
        ConfigError: it would; the message says how many epochs would fit.
    """
    minutes = minutes_of(model, training)
    if minutes <= LIMITS.minutes:
        return
    fitting = int(training.epochs * LIMITS.minutes / minutes)
    advice = f"Choose at most {fitting} epochs" if fitting else "Choose fewer images"
    raise ConfigError(
        f"This run would take about {minutes:,.0f} min of this machine, and each run may take "
        f"{LIMITS.minutes:g} min, as others wait, too. {advice}, or a smaller model."
    )


LIMITS = Limits()  # of this process
