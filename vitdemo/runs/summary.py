"""A saved run without its history: what lists of runs show, as a row of the index of runs."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache

from ..config import ModelConfig, TrainConfig, config_from_dict
from ..files import json_text
from .about import NO_OWNER, About
from .run import ACTIVE, Run


@dataclass(frozen=True)
class RunSummary:
    """A saved run, but of its epochs only their number and the last validation accuracy."""

    id: str
    model: ModelConfig
    training: TrainConfig
    state: str
    message: str = ""
    epochs: int = 0  # complete
    accuracy: float | None = None  # as `Run.accuracy`
    has_weights: bool = False
    about: About = NO_OWNER
    origin: str = "local"

    @property
    def active(self) -> bool:
        """Whether it is waiting or running."""
        return self.state in ACTIVE


def summary_of(run: Run) -> RunSummary:
    """Return the summary of a run that was just read."""
    return RunSummary(
        run.id,
        run.model,
        run.training,
        run.state,
        run.message,
        len(run.history),
        run.accuracy,
        run.has_weights,
        run.about,
    )


def row_of(run: RunSummary) -> dict:
    """Return a summary as values of the columns that the index has for it."""
    about = run.about
    words = (run.id, about.name, *about.tags, about.nickname)
    return {
        "id": run.id,
        "state": run.state,
        "message": run.message,
        "model": json_text(asdict(run.model)),
        "training": json_text(asdict(run.training)),
        "epochs": run.epochs,
        "accuracy": run.accuracy,
        "has_weights": run.has_weights,
        "about": json_text(asdict(about)),
        "owner": about.owner,
        "published": about.published,
        "pinned": about.pinned,
        "words": "\n".join(words).casefold(),  # for searches
    }


def summary_in(row: Mapping) -> RunSummary:
    """Return the summary in a row of the index.

    Raises:
        ValueError, KeyError or TypeError: it was written by another version, or is damaged.
    """
    return RunSummary(
        row["id"],
        _config(ModelConfig, row["model"]),
        _config(TrainConfig, row["training"]),
        row["state"],
        row["message"],
        row["epochs"],
        row["accuracy"],
        bool(row["has_weights"]),
        _about(row["about"]),
    )


@lru_cache(maxsize=256)  # checking one takes longer than everything else in a row
def _config(kind: type, text: str):
    return config_from_dict(kind, json.loads(text))


@lru_cache(maxsize=256)
def _about(text: str) -> About:
    values = json.loads(text)
    return About(**values | {"tags": tuple(values["tags"])})
