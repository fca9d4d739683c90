"""Which number format this machine multiplies faster: 32-bit floats, or bfloat16 with half the bits."""

import time
from functools import lru_cache

import torch

from ..config import TrainConfig

ROUNDS = 5  # of each format, in turns; the quickest counts


def working_precision(config: TrainConfig) -> torch.dtype:
    """The format of the products in a training step: as configured, or what is faster here."""
    return fastest_precision() if config.precision == "auto" else getattr(torch, config.precision)


@lru_cache
def fastest_precision() -> torch.dtype:
    """The quicker of float32 and bfloat16 at the products of one block, forward and backward, measured once.

    By measurement, as a processor's name does not tell: some have fast bfloat16 products, others emulate them.
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
