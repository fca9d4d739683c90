"""The optimizer, and the learning rate of each step."""

import math

import torch

from ..config import TrainConfig
from ..model import VisionTransformer


def _unwrapped(method):
    """Return a method of torch's Adam without its outer wrapper; there must be no second one below it."""
    inner = method.__wrapped__
    if hasattr(inner, "__wrapped__"):
        raise RuntimeError(
            f"torch {torch.__version__} wraps Adam.{inner.__name__} twice: see training/optimizer.py."
        )
    return inner


class Adam(torch.optim.Adam):
    """torch's Adam, without loading torch's compiler: that takes 150 MB and more than a second.

    torch wraps these methods so that the compiler skips them (`torch._compile._disable_dynamo`), and loads it for that at
    the first call. Nothing here is compiled, so each method is the one inside its wrapper. A test holds that the
    wrappers are the ones meant.
    """

    add_param_group = _unwrapped(torch.optim.Adam.add_param_group)
    state_dict = _unwrapped(torch.optim.Adam.state_dict)
    load_state_dict = _unwrapped(torch.optim.Adam.load_state_dict)
    step = torch.no_grad()(_unwrapped(torch.optim.Adam.step))


def make_optimizer(model: VisionTransformer, config: TrainConfig) -> torch.optim.Optimizer:
    """Return Adam, whose weight decay joins the gradient (L2), or AdamW, which decouples it (Loshchilov and Hutter 2019)."""
    return Adam(
        model.parameters(),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        decoupled_weight_decay=config.optimizer == "adamw",
        fused=True,
    )


def learning_rate(config: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """Return the rate of step 1, 2, …: a linear warm-up, then constant or half a cosine down to 0."""
    warmup = config.warmup_epochs * steps_per_epoch
    if step <= warmup:
        return config.learning_rate * step / warmup
    if config.schedule == "constant":
        return config.learning_rate
    # From 0 at the first step after the warm-up.
    done = (step - 1 - warmup) / (config.epochs * steps_per_epoch - warmup)
    return config.learning_rate * (1 + math.cos(math.pi * max(done, 0))) / 2
