"""What a student of the load test does and notes, with or without a browser."""

import random
import time
from dataclasses import dataclass, field

MINUTE = 60.0  # within which all press Train
EVERY = 10.0  # seconds between two moves of a slider


@dataclass
class Student:
    """What one student has seen; times in seconds."""

    first_epoch: float = 0.0
    end: float = 0.0
    curves: int = 0  # that had all epochs at the end
    forecasts: list[tuple[float, float]] = field(default_factory=list)  # when, and of what is left
    answers: list[float] = field(default_factory=list)


def settings(epochs: int, number: int) -> str:
    """Return the query string of the Train page for one of the students."""
    return f"train_images=600&validation_images=200&epochs={epochs}&seed={number}"


def wait_for_turn(begun: float, number: int) -> None:
    """Wait until this student presses Train: at a moment of the first minute, by its number."""
    time.sleep(max(0.0, begun + random.Random(number).random() * MINUTE - time.monotonic()))
