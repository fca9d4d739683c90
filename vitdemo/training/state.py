"""The state of a training run at the start of an epoch: in memory, and in a file to resume from."""

import io
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ..config import ConfigError, TrainConfig
from ..files import write_atomically
from ..model import VisionTransformer, copy_of
from .optimizer import make_optimizer


@dataclass
class TrainState:
    """Everything that changes while a model is trained."""

    model: VisionTransformer  # takes the optimizer's steps
    ema_model: VisionTransformer  # the moving average of its weights; without EMA, the same model
    optimizer: torch.optim.Optimizer
    config: TrainConfig
    epoch: int = 0  # current epoch, from 1
    step: int = 0  # optimizer steps taken


def new_state(model: VisionTransformer, config: TrainConfig) -> TrainState:
    """Return the state before the first epoch.

    `model` is the caller's, which holds the moving average if there is one. Then a copy is trained.
    """
    trained = copy_of(model) if config.ema_decay else model
    return TrainState(trained, model, make_optimizer(trained, config), config)


def save_state(path: Path, state: TrainState) -> None:
    """Write the state, so that a kill at any moment leaves either the old file or the new one."""
    content = {
        "epoch": state.epoch,
        "step": state.step,
        "of": _configs(state),
        "model": state.model.state_dict(),
        "ema_model": state.ema_model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
    }
    file = io.BytesIO()
    torch.save(content, file)
    write_atomically(path, file.getvalue())


def load_state(path: Path, state: TrainState) -> None:
    """Restore a saved state into `state`. Does nothing if there is no such file.

    Raises:
        ConfigError: the file is damaged, or belongs to a run with other settings.
    """
    if not path.exists():
        return
    content = path.read_bytes()
    try:
        saved = torch.load(io.BytesIO(content), weights_only=True)
        fits = saved["of"] == _configs(state)
        if fits:
            state.model.load_state_dict(saved["model"])
            state.ema_model.load_state_dict(saved["ema_model"])
            state.optimizer.load_state_dict(saved["optimizer"])
        state.epoch, state.step = saved["epoch"], saved["step"]
    except Exception as error:  # torch.load documents no exceptions, and there are many kinds
        raise ConfigError(
            f"{path.name} is not a complete training state. Start a new run."
        ) from error
    if not fits:
        raise ConfigError(
            f"{path.name} belongs to a run with other settings. Use those, or start a new run."
        )


def _configs(state: TrainState) -> list[dict]:
    return [asdict(state.model.config), asdict(state.config)]
