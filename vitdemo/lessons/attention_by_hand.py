"""Every step of softmax(QK^T / divisor) V, and the effects of the divisor and of heads."""

from dataclasses import dataclass

import numpy as np
import torch

from ..config import ConfigError
from ..model import Attention, VisionTransformer, copy_of

LARGEST = 1000.0  # magnitude of an entered number
QUERIES = 500  # random queries that show the effect of scaling
TOP = 0.1  # of them, with the largest gradients


@dataclass(frozen=True)
class Steps:
    """The intermediate results of attention over T tokens (section 1.3.3 of the paper)."""

    scores: np.ndarray  # QK^T (T, T): row = query token, column = key token
    scaled: np.ndarray  # (T, T): scores / divisor
    weights: np.ndarray  # (T, T): softmax of each row; rows sum to 1
    output: np.ndarray  # (T, d_v): weighted sums of the rows of V


def attention_steps(q: np.ndarray, k: np.ndarray, v: np.ndarray, divisor: float) -> Steps:
    """Compute attention step by step.

    Args:
        q: (T, d_k) queries.
        k: (T, d_k) keys.
        v: (T, d_v) values.
        divisor: sqrt(d_k) in the formula.
    """
    scores = q @ k.T
    scaled = scores / divisor
    weights = softmax(scaled)
    return Steps(scores, scaled, weights, weights @ v)


def softmax(rows: np.ndarray) -> np.ndarray:
    """Return e^x for every entry x, divided by the sum of its row."""
    # Subtracting the largest entry leaves the result unchanged and avoids overflow.
    powers = np.exp(rows - rows.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def read_matrix(text: str, rows: int, columns: int) -> np.ndarray:
    """Parse a matrix (rows, columns); its rows are separated by line breaks or semicolons.

    Raises:
        ConfigError: The text has another shape, or an entry is not a number within range.
    """
    lines = [line.replace(",", " ").split() for line in text.replace(";", "\n").splitlines()]
    lines = [line for line in lines if line]
    if len(lines) != rows or any(len(line) != columns for line in lines):
        shape = f"{columns} numbers" if rows == 1 else f"{rows} lines of {columns} numbers"
        raise ConfigError(f"Expected {shape}. Separate numbers by spaces, as in 1 0 -0.5.")
    matrix = np.array([[_number(word) for word in line] for line in lines])
    if not (np.abs(matrix) <= LARGEST).all():  # False for NaN
        raise ConfigError(
            f"A number is out of range. Use numbers from -{LARGEST:g} to {LARGEST:g}."
        )
    return matrix


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        message = f"{word!r} is not a number. Use numbers such as 1 or -0.5."
        raise ConfigError(message) from None


@dataclass(frozen=True)
class Scaling:
    """Scores and softmax of random queries and keys, for several d_k."""

    dims: tuple[int, ...]  # the d_k
    std: np.ndarray  # standard deviation of the scores; sqrt(d_k) is expected
    largest: np.ndarray  # largest weight of a query, mean over queries: from 1 / T (uniform) to 1
    # Frobenius norm of d weights / d query: over the queries
    median_gradient: np.ndarray
    mean_gradient: np.ndarray
    top_gradient: np.ndarray  # fraction of the sum that the TOP queries with the largest hold


def scaling(
    dims: tuple[int, ...], scaled: bool, tokens: int = 4, queries: int = QUERIES, seed: int = 0
) -> Scaling:
    """Draw queries and keys from N(0, 1) (Vaswani et al. 2017, section 3.2.1, footnote 4).

    Args:
        dims: the d_k to compare.
        scaled: whether the scores are divided by sqrt(d_k).
        tokens: number of keys T.
        queries: number of queries, each with its own keys.
        seed: random seed.
    """
    generator = np.random.default_rng(seed)
    found = []
    for d_k in dims:
        q = generator.normal(size=(queries, 1, d_k))
        k = generator.normal(size=(queries, tokens, d_k))
        divisor = np.sqrt(d_k) if scaled else 1.0
        scores = (q * k).sum(axis=-1)  # (queries, T)
        weights = softmax(scores / divisor)  # (queries, T)
        # Jacobian of softmax: d weight_i / d score_j = weight_i * ((i == j) - weight_j)
        by_score = weights[:, :, None] * (np.eye(tokens) - weights[:, None])  # (queries, T, T)
        by_query = by_score @ k / divisor  # (queries, T, d_k)
        gradient = np.sort(np.linalg.norm(by_query, axis=(1, 2)))  # (queries,), ascending
        top = gradient[-round(TOP * queries) :].sum() / gradient.sum()
        largest = weights.max(axis=-1).mean()
        found.append((scores.std(), largest, np.median(gradient), gradient.mean(), top))
    return Scaling(dims, *np.array(found).T)


@torch.no_grad()
def heads_by_hand(attention: Attention, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Compute multi-head attention head by head, from the weights of the module.

    Args:
        attention: the module, with H heads.
        x: (T, D) tokens.

    Returns:
        The attention weights of each head (H, T, T), and the output (T, D): the outputs of the
        heads, concatenated and projected.
    """
    weight, bias = attention.qkv.weight.numpy(), attention.qkv.bias.numpy()  # (3D, D), (3D,)
    qkv = x.numpy() @ weight.T + bias  # (T, 3D)
    q, k, v = np.split(qkv, 3, axis=1)  # each (T, D)
    H = attention.num_heads
    q_heads = np.split(q, H, axis=1)  # H matrices (T, D / H)
    k_heads = np.split(k, H, axis=1)
    v_heads = np.split(v, H, axis=1)
    divisor = 1 / attention.scale
    heads = [
        attention_steps(q_head, k_head, v_head, divisor)
        for q_head, k_head, v_head in zip(q_heads, k_heads, v_heads, strict=True)
    ]
    concatenated = np.concatenate([head.output for head in heads], axis=1)  # (T, D)
    output = concatenated @ attention.proj.weight.numpy().T + attention.proj.bias.numpy()  # (T, D)
    return np.stack([head.weights for head in heads]), output


def divided_by(model: VisionTransformer, divisor: float) -> VisionTransformer:
    """Return a copy with the same weights whose attention divides the scores by `divisor`."""
    copy = copy_of(model).eval()
    for block in copy.blocks:
        block.attn.scale = 1 / divisor
    return copy


def entropy(weights: torch.Tensor) -> float:
    """Return the mean entropy of the rows in bits: from 0 (one token) to log2(T) (uniform).

    Args:
        weights: (..., T), rows sum to 1.
    """
    return float(torch.special.entr(weights).sum(dim=-1).mean() / np.log(2))
