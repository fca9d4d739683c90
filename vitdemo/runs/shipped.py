"""The trained models that ship with the project, as the runs that trained them."""

from dataclasses import replace
from functools import lru_cache

from ..config import ConfigError, ModelConfig, TrainConfig, config_from_dict
from ..files import SHIPPED, stamp
from . import checks
from .checkpoint import read_header
from .run import DAMAGED, Run

NAMES = ("hybrid", "vit")  # of the models that ship


def shipped_runs() -> list[Run]:
    """Return the models that ship; one that is missing or cannot be read is damaged."""
    names = {path.stem for path in SHIPPED.glob("*.safetensors")}
    return [
        _shipped(name, stamp(SHIPPED / f"{name}.safetensors"))
        for name in sorted(names | set(NAMES))
    ]


@lru_cache(maxsize=64)  # a page lists them at each rerun, and checking them takes milliseconds
def _shipped(name: str, stamp: tuple | None) -> Run:
    run = Run(name, ModelConfig(), TrainConfig(), "finished", origin="shipped")
    try:
        model, card = read_header(run.weights)
        training = config_from_dict(TrainConfig, checks.renamed(card["training"]))
        history = checks.history(card["history"], training.epochs)
        threads = checks.count(card["threads"], "threads")
        precision = checks.precision(card.get("precision", ""))
        classes = checks.classes(card.get("classes"), model.num_classes)
    except (ValueError, KeyError, TypeError) as error:
        return replace(run, state=DAMAGED, message=_problem(run, error))
    run = replace(run, model=model, training=training, threads=threads, precision=precision)
    return replace(run, history=history, classes=classes)


def _problem(run: Run, error: Exception) -> str:
    """Return what is wrong with the file of a model that ships, and what to do."""
    if not run.weights.exists():
        problem = "is missing: this copy of the project is incomplete."
    elif isinstance(error, ConfigError):
        problem = f"cannot be used. {error}"
    else:
        problem = f"cannot be used: its card is not that of a run ({error})."
    restore = "Restore it, for example with git checkout checkpoints."
    return f"The file checkpoints/{run.weights.name} {problem} {restore}"
