"""Where a training stands, in a file, so that it can go on after a stop or a kill."""

import io
from dataclasses import asdict
from pathlib import Path

import torch

from ..config import ConfigError, TrainConfig
from ..files import write_atomically
from ..model import VisionTransformer


def save_state(
    path: Path,
    epoch: int,
    model: VisionTransformer,
    learner: VisionTransformer,
    optimizer: torch.optim.Optimizer,
    config: TrainConfig,
) -> None:
    """Write what the epoch after `epoch` begins with; a kill at any moment leaves the old state or the new one."""
    state = {
        "epoch": epoch,
        "of": [asdict(model.config), asdict(config)],
        "model": model.state_dict(),
        "learner": learner.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    file = io.BytesIO()
    torch.save(state, file)
    write_atomically(path, file.getvalue())


def load_state(
    path: Path,
    model: VisionTransformer,
    learner: VisionTransformer,
    optimizer: torch.optim.Optimizer,
    config: TrainConfig,
) -> int:
    """Put a state back and return the number of its epoch; 0 where there is no such file.

    Raises:
        ConfigError: the file is damaged, or of a training with other settings.
    """
    if not path.exists():
        return 0
    content = path.read_bytes()
    try:
        state = torch.load(io.BytesIO(content), weights_only=True)
        fits = state["of"] == [asdict(model.config), asdict(config)]
        if fits:
            model.load_state_dict(state["model"])
            learner.load_state_dict(state["learner"])
            optimizer.load_state_dict(state["optimizer"])
        epoch = state["epoch"]
    except Exception as error:  # torch names no errors for a damaged file, and they are of many kinds
        raise ConfigError(f"{path.name} is not a whole training state: begin a new run.") from error
    if not fits:
        raise ConfigError(
            f"{path.name} is the state of a training with other settings: go on with those, or begin a new run."
        )
    return epoch
