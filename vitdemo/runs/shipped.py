"""The trained models that ship with the project, as the runs that trained them."""

from dataclasses import replace

from ..config import ConfigError, ModelConfig, TrainConfig, config_from_dict
from ..files import SHIPPED
from . import checks
from .checkpoint import read_header
from .run import DAMAGED, Run

NAMES = ("hybrid", "vit")  # of the models that ship


def shipped_runs() -> list[Run]:
    """Return the models that ship; one that is missing or cannot be read is damaged."""
    names = {path.stem for path in SHIPPED.glob("*.safetensors")}
    return [_shipped(name) for name in sorted(names | set(NAMES))]


def _shipped(name: str) -> Run:
    run = Run(name, ModelConfig(), TrainConfig(), "finished", origin="shipped")
    try:
        model, card = read_header(run.weights)
        training = config_from_dict(TrainConfig, checks.renamed(card["training"]))
        history = checks.history(card["history"], training.epochs)
        threads = checks.count(card["threads"], "threads")
        precision = checks.precision(card.get("precision", ""))
    except (ValueError, KeyError, TypeError) as error:
        problem = str(error) if isinstance(error, ConfigError) else "its card is not that of a run"
        message = (
            f"The file {name}.safetensors in the folder checkpoints cannot be used: {problem} "
            "Restore it from the project, for example with git checkout checkpoints."
        )
        return replace(run, state=DAMAGED, message=message)
    run = replace(run, model=model, training=training, threads=threads, precision=precision)
    return replace(run, history=history)
