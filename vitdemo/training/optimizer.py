"""The optimizer, and the learning rate of each step."""

import math

import torch

from ..config import TrainConfig
from ..model import VisionTransformer

WRAPPERS = {  # functions of torch that wrap a method of its Adam, by their names in torch's source
    "_disable_dynamo.<locals>.inner",
    "_use_grad_for_differentiable.<locals>._use_grad",
    "Optimizer.profile_hook_step.<locals>.wrapper",  # added when the first Adam is made
}


def _unwrapped(method):
    """Return a method of torch's Adam without its WRAPPERS.

    Raises:
        RuntimeError: it has another wrapper, which may not be left out.
    """
    while hasattr(method, "__wrapped__"):
        wrapper = method.__code__.co_qualname
        if wrapper not in WRAPPERS:
            raise RuntimeError(
                f"torch {torch.__version__} wraps Adam.{method.__name__} in {wrapper}. "
                "Check whether vitdemo/training/optimizer.py may leave it out."
            )
        method = method.__wrapped__
    return method


class Adam(torch.optim.Adam):
    """torch's Adam without loading torch's compiler, which takes 150 MB and more than a second.

    torch wraps these methods to keep the compiler out of them, and loads it for that on first use.
    Nothing is compiled here, so the methods inside the wrappers are used. Steps alone, as in the
    lessons, never load the compiler then; a run does with torchmetrics.
    """

    add_param_group = _unwrapped(torch.optim.Adam.add_param_group)
    state_dict = _unwrapped(torch.optim.Adam.state_dict)
    load_state_dict = _unwrapped(torch.optim.Adam.load_state_dict)
    step = torch.no_grad()(_unwrapped(torch.optim.Adam.step))


def make_optimizer(model: VisionTransformer, config: TrainConfig) -> torch.optim.Optimizer:
    """Return Adam or AdamW (Loshchilov and Hutter 2019).

    Adam adds the weight decay to the gradient (L2), AdamW shrinks the weights directly.
    """
    return Adam(
        model.parameters(),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        decoupled_weight_decay=config.optimizer == "adamw",
        fused=True,
    )


def learning_rate(config: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """Return the rate of step 1, 2, …: linear warm-up, then constant or a half cosine to 0."""
    warmup = config.warmup_epochs * steps_per_epoch
    if step <= warmup:
        return config.learning_rate * step / warmup
    if config.schedule == "constant":
        return config.learning_rate
    # From 0 at the first step after the warm-up.
    done = (step - 1 - warmup) / (config.epochs * steps_per_epoch - warmup)
    return config.learning_rate * (1 + math.cos(math.pi * max(done, 0))) / 2
