"""The last results of each experiment, in a file that `python -m vitdemo.lessons.measure` writes.

A page shows them until a visitor runs the experiment on this machine.
"""

import json
import math
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from ..config import ModelConfig, TrainConfig
from ..config.settings import config_from_dict
from ..files import write_atomically
from .experiments import Experiment

FILE = Path(__file__).with_name("measured.json")
DIGITS = 6  # significant digits of a stored number


@dataclass(frozen=True)
class Measurement:
    """The results of an experiment, and where they come from."""

    date: str  # as in 2026-11-26
    machine: str  # its processor and cores
    seconds: float  # that the experiment took
    results: tuple[tuple, ...]


def read_measurement(name: str, experiment: Experiment, path: Path = FILE) -> Measurement | None:
    """Return the stored results of an experiment.

    None if there are none, if they were measured with other settings, or if they are damaged.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))[name]
        if not _fits(stored["settings"], experiment):
            return None
        results = tuple(map(tuple, stored["results"]))
        found = Measurement(stored["date"], stored["machine"], stored["seconds"], results)
        date.fromisoformat(found.date)
        like = Measurement("", "", 0.0, (experiment.like,) * experiment.total)
        return found if _is_like(asdict(found), asdict(like)) else None
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
    ):  # ConfigError is a ValueError
        return None


def write_measurement(
    name: str, experiment: Experiment, measurement: Measurement, path: Path = FILE
) -> None:
    """Store the results of an experiment in place of its last ones; keep those of all others."""
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    stored[name] = _rounded(asdict(measurement)) | {"settings": _settings(experiment)}
    lines = []
    for key, entry in sorted(stored.items()):
        results = ",\n   ".join(json.dumps(result) for result in entry["results"])
        rest = json.dumps({field: value for field, value in entry.items() if field != "results"})
        lines.append(f' "{key}": {rest[:-1]}, "results": [\n   {results}]}}')
    write_atomically(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def _settings(experiment: Experiment) -> dict:
    """Return everything that the results of an experiment depend on, as JSON holds it."""
    recipes = {
        name: {"model": asdict(model), "training": asdict(training)}
        for name, (model, training) in experiment.recipes.items()
    }
    return {"recipes": recipes, "numbers": experiment.numbers}


def _fits(settings: dict, experiment: Experiment) -> bool:
    """Whether stored settings are those of the experiment. A missing field has its default."""
    recipes = {
        name: (
            config_from_dict(ModelConfig, recipe["model"]),
            config_from_dict(TrainConfig, recipe["training"]),
        )
        for name, recipe in settings["recipes"].items()
    }
    return recipes == experiment.recipes and settings["numbers"] == experiment.numbers


def _is_like(value, like) -> bool:
    """Whether a value has the structure of another: its keys, its length, texts, finite numbers."""
    if isinstance(like, dict):
        return isinstance(value, dict) and all(
            key in value and _is_like(value[key], part) for key, part in like.items()
        )
    if isinstance(like, tuple):
        return (
            isinstance(value, list | tuple)
            and len(value) == len(like)
            and all(map(_is_like, value, like))
        )
    if isinstance(like, str):
        return isinstance(value, str)
    return type(value) in (int, float) and math.isfinite(value)


def _rounded(value):
    """Return JSON with fewer digits in its numbers."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
