"""The optimiser of a training and the learning rate of each of its steps."""

import math

import torch

from ..config import TrainConfig
from ..model import VisionTransformer


class Adam(torch.optim.Adam):
    """torch's own, without torch's compiler, which it loads at its first use: 150 MB and more than a second.

    Nothing here is compiled. Each method is the one inside the wrapper that would load it.
    """

    add_param_group = torch.optim.Adam.add_param_group.__wrapped__
    state_dict = torch.optim.Adam.state_dict.__wrapped__
    load_state_dict = torch.optim.Adam.load_state_dict.__wrapped__
    step = torch.no_grad()(torch.optim.Adam.step.__wrapped__)


def make_optimizer(model: VisionTransformer, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam, whose decay joins the gradient (L2), or AdamW, whose decay does not (Loshchilov and Hutter 2019)."""
    return Adam(
        model.parameters(),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        decoupled_weight_decay=config.optimizer == "adamw",
        fused=True,
    )


def learning_rate(config: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """The rate of step 1, 2, …: a straight line up during the warm-up, then constant or half a cosine down to 0."""
    warmup = config.warmup_epochs * steps_per_epoch
    if step <= warmup:
        return config.learning_rate * step / warmup
    if config.schedule == "constant":
        return config.learning_rate
    done = (step - 1 - warmup) / (config.epochs * steps_per_epoch - warmup)  # 0 at the first step after the warm-up
    return config.learning_rate * (1 + math.cos(math.pi * max(done, 0))) / 2
