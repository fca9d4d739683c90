"""Attention with nothing hidden: every step of softmax(QK^T / divisor) V, and what the divisor and the heads do."""

from dataclasses import dataclass

import numpy as np
import torch

from ..config import ConfigError
from ..model import Attention, VisionTransformer, copy_of

LARGEST = 1000.0  # number that a matrix may hold
QUERIES = 500  # random ones, for what scaling does


@dataclass(frozen=True)
class Steps:
    """What attention computes on its way (annotation, section 1.3.3), for T tokens."""

    scores: np.ndarray  # QK^T (T, T): row = asking token
    scaled: np.ndarray  # (T, T): divided
    weights: np.ndarray  # (T, T): softmax of each row, which then sums to 1
    output: np.ndarray  # (T, d_v): the rows of V, weighted and added


def attention_steps(q: np.ndarray, k: np.ndarray, v: np.ndarray, divisor: float) -> Steps:
    """Step by step.

    Args:
        q: (T, d_k).
        k: (T, d_k).
        v: (T, d_v).
        divisor: sqrt(d_k) in the formula.
    """
    scores = q @ k.T
    scaled = scores / divisor
    weights = softmax(scaled)
    return Steps(scores, scaled, weights, weights @ v)


def softmax(rows: np.ndarray) -> np.ndarray:
    """e^x of each number, divided by the sum of its row."""
    powers = np.exp(
        rows - rows.max(axis=-1, keepdims=True)
    )  # less the largest, so that none overflows
    return powers / powers.sum(axis=-1, keepdims=True)


def read_matrix(text: str, rows: int, columns: int) -> np.ndarray:
    """Numbers that somebody typed, a line (or a part between semicolons) for each row: (rows, columns).

    Raises:
        ConfigError: too few or too many, or not numbers.
    """
    lines = [
        line.replace(",", " ").split()
        for line in text.replace(";", "\n").splitlines()
        if line.strip()
    ]
    if len(lines) != rows or any(len(line) != columns for line in lines):
        raise ConfigError(
            f"Write {rows} lines of {columns} numbers each, with spaces between, such as 1 0 -0.5."
        )
    try:
        matrix = np.array([[float(word) for word in line] for line in lines])
    except ValueError as error:
        raise ConfigError(f"Every entry must be a number such as 1 or -0.5 ({error}).") from error
    if not (np.abs(matrix) <= LARGEST).all():  # False for NaN
        raise ConfigError(f"Every number must be from -{LARGEST:g} to {LARGEST:g}.")
    return matrix


@dataclass(frozen=True)
class Scaling:
    """What softmax makes of scores of random queries and keys, over several d_k."""

    dims: tuple[int, ...]
    spread: np.ndarray  # standard deviation of the scores; sqrt(d_k) is expected
    largest: (
        np.ndarray
    )  # mean over rows of the largest weight; 1 / T would be even, 1 is all on one token
    gradient: (
        np.ndarray
    )  # median over rows of the size (Frobenius norm) of the weights' derivative by the query


def scaling(
    dims: tuple[int, ...], scaled: bool, tokens: int = 4, rows: int = QUERIES, seed: int = 0
) -> Scaling:
    """Draw queries and keys with mean 0 and variance 1 (Vaswani et al. 2017, section 3.2.1, footnote 4).

    Args:
        dims: the d_k.
        scaled: divide by sqrt(d_k), or not at all.
        tokens: T.
        rows: how many queries, each with keys of its own.
        seed: of the drawing.
    """
    generator = np.random.default_rng(seed)
    spread, largest, gradient = [], [], []
    for d_k in dims:
        q, k = generator.normal(size=(rows, 1, d_k)), generator.normal(size=(rows, tokens, d_k))
        scores = (q * k).sum(axis=-1)  # (rows, tokens)
        divisor = np.sqrt(d_k) if scaled else 1.0
        weights = softmax(scores / divisor)
        spread.append(scores.std())
        largest.append(weights.max(axis=-1).mean())
        jacobian = weights[:, :, None] * (
            np.eye(tokens) - weights[:, None]
        )  # d weights_i / d scores_j
        by_query = jacobian @ k / divisor  # (rows, tokens, d_k)
        gradient.append(np.median(np.linalg.norm(by_query, axis=(1, 2))))
    return Scaling(dims, np.array(spread), np.array(largest), np.array(gradient))


@torch.no_grad()
def heads_by_hand(attention: Attention, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """A multi-head attention computed head by head from its weights.

    Args:
        attention: the module.
        x: (T, D).

    Returns:
        The weights of each head (H, T, T), and the heads' outputs joined and projected (T, D).
    """
    q, k, v = (
        (attention.qkv.weight @ x.T + attention.qkv.bias[:, None])
        .numpy()
        .T.reshape(len(x), 3, -1)
        .swapaxes(0, 1)
    )
    d_k = q.shape[1] // attention.num_heads
    parts = [slice(head * d_k, (head + 1) * d_k) for head in range(attention.num_heads)]
    each = [
        attention_steps(q[:, part], k[:, part], v[:, part], 1 / attention.scale) for part in parts
    ]
    joined = np.concatenate([steps.output for steps in each], axis=1)
    projected = joined @ attention.proj.weight.numpy().T + attention.proj.bias.numpy()
    return np.stack([steps.weights for steps in each]), projected


def divided_by(model: VisionTransformer, number: float) -> VisionTransformer:
    """A copy of the model whose every attention divides its scores by another number; its weights are the same."""
    copy = copy_of(model).eval()
    for block in copy.blocks:
        block.attn.scale = 1 / number
    return copy


def entropy(weights: torch.Tensor) -> float:
    """Mean entropy of the rows, in bits: 0 is all on one token, log2(T) is even.

    Args:
        weights: (..., T), rows sum to 1.
    """
    return float(torch.special.entr(weights).sum(dim=-1).mean() / np.log(2))
