"""The state of a training run at the start of an epoch: in memory, and in a file to resume from."""

import io
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from ..config import ConfigError, TrainConfig, config_from_dict
from ..files import is_plain, write_atomically
from ..model import VisionTransformer, copy_of
from .optimizer import make_optimizer
from .settled import is_same, settled


@dataclass
class TrainState:
    """Everything that changes while a model is trained."""

    model: VisionTransformer  # takes the optimizer's steps
    ema_model: VisionTransformer  # the moving average of its weights; without EMA, the same model
    optimizer: torch.optim.Optimizer
    config: TrainConfig  # settled
    epoch: int = 0  # current epoch, from 1
    step: int = 0  # optimizer steps taken


def new_state(model: VisionTransformer, config: TrainConfig) -> TrainState:
    """Return the state before the first epoch.

    `model` is the caller's, which holds the moving average if there is one. Then a copy is trained.
    """
    trained = copy_of(model) if config.ema_decay else model
    return TrainState(trained, model, make_optimizer(trained, config), settled(config))


def save_state(path: Path, state: TrainState) -> None:
    """Write the state, so that a kill at any moment leaves either the old file or the new one."""
    write_atomically(path, state_content(state))


def state_content(state: TrainState) -> bytes:
    """Return the state as a file holds it."""
    content = {
        "epoch": state.epoch,
        "step": state.step,
        "of": [asdict(state.model.config), asdict(state.config)],
        "model": state.model.state_dict(),
        "ema_model": state.ema_model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
    }
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def load_state(path: Path, state: TrainState, config: TrainConfig) -> None:
    """Restore a saved state into `state`. Does nothing if there is no such file.

    Args:
        path: file from `save_state`.
        state: new state of the same model.
        config: the recipe as given. What it leaves open stays as it was decided for the saved run.

    Raises:
        ConfigError: the file is damaged, or belongs to a run with other settings.
    """
    if is_plain(path):
        restore(path.read_bytes(), path.name, state, config)


def restore(content: bytes, name: str, state: TrainState, config: TrainConfig) -> None:
    """Restore the content of a state file with this name into `state`, as `load_state`."""
    try:
        saved = torch.load(io.BytesIO(content), weights_only=True)
        recipe = config_from_dict(TrainConfig, saved["of"][1])
        fits = saved["of"][0] == asdict(state.model.config) and is_same(recipe, config)
        if fits:
            # As saved, not settled again: earlier versions did not shorten a warm-up.
            precision = next(p for p in (recipe.precision, state.config.precision) if p != "auto")
            state.config = replace(recipe, precision=precision)
            state.model.load_state_dict(saved["model"])
            state.ema_model.load_state_dict(saved["ema_model"])
            state.optimizer.load_state_dict(saved["optimizer"])
        state.epoch, state.step = saved["epoch"], saved["step"]
    except Exception as error:  # torch.load documents no exceptions, and there are many kinds
        raise ConfigError(f"{name} is not a complete training state. Start a new run.") from error
    if not fits:
        raise ConfigError(
            f"{name} belongs to a run with other settings. Use those, or start a new run."
        )
