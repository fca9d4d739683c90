"""The number format of matrix multiplications: float32, or bfloat16 with half the bits."""

import time
from functools import lru_cache

import torch

from ..config import TrainConfig

ROUNDS = 5  # timed rounds of each format; the fastest counts


def working_precision(config: TrainConfig) -> str:
    """Return the format of a training step: the configured one, or the faster on this machine."""
    return fastest_precision() if config.precision == "auto" else config.precision


@lru_cache
def fastest_precision() -> str:
    """Return the faster of float32 and bfloat16 for the multiplications of one encoder block.

    Measured once, forward and backward: some processors have bfloat16 units, others emulate them.
    """
    tokens = torch.randn(32, 4, 65, 16)
    weight = torch.randn(64, 256)
    seconds = {"float32": [], "bfloat16": []}
    for _ in range(1 + ROUNDS):
        for name, taken in seconds.items():
            dtype = getattr(torch, name)
            x, w = tokens.to(dtype).requires_grad_(), weight.to(dtype).requires_grad_()
            started = time.perf_counter()
            attended = (x @ x.transpose(-2, -1)).softmax(dim=-1) @ x  # (32, 4, 65, 16)
            (attended.transpose(1, 2).reshape(-1, 64) @ w).sum().backward()
            taken.append(time.perf_counter() - started)
    return min(seconds, key=lambda name: min(seconds[name][1:]))  # the first round warms up
