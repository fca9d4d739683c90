"""The number format of matrix multiplications: float32, or bfloat16 with half the bits."""

import time
from functools import lru_cache

import torch

from ..config import TrainConfig

ROUNDS = 5  # timed rounds of each format; the fastest counts


def working_precision(config: TrainConfig) -> torch.dtype:
    """Return the format of a training step: the configured one, or the faster on this machine."""
    if config.precision == "auto":
        return fastest_precision()
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[config.precision]


@lru_cache
def fastest_precision() -> torch.dtype:
    """Return the faster of float32 and bfloat16 for the multiplications of one encoder block.

    Measured once, forward and backward: some processors have bfloat16 units, others emulate them.
    """
    tokens = torch.randn(32, 4, 65, 16)
    weight = torch.randn(64, 256)
    seconds = {torch.float32: [], torch.bfloat16: []}
    for _ in range(1 + ROUNDS):
        for dtype, taken in seconds.items():
            x, w = tokens.to(dtype).requires_grad_(), weight.to(dtype).requires_grad_()
            started = time.perf_counter()
            attended = (x @ x.transpose(-2, -1)).softmax(dim=-1) @ x  # (32, 4, 65, 16)
            (attended.transpose(1, 2).reshape(-1, 64) @ w).sum().backward()
            taken.append(time.perf_counter() - started)
    return min(seconds, key=lambda dtype: min(seconds[dtype][1:]))  # the first round warms up
