"""The Transformer that the ViT came from: encoder and decoder of `torch.nn.Transformer`, learning to turn digits round.

A task small enough to learn in a second, with an answer that one can check at a glance: 3 1 4 becomes 4 1 3.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..training.optimizer import Adam

LENGTH = 6  # digits
DIGITS = 10
START = DIGITS  # the token that the decoder begins with
WIDTH, HEADS = 32, 2
STEPS, BATCH, LEARNING_RATE = 300, 64, 3e-3


class Reverser(nn.Module):
    """One encoder layer reads the digits, one decoder layer writes them from the last to the first."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(DIGITS + 1, WIDTH)
        self.read_places = nn.Parameter(torch.randn(LENGTH, WIDTH) / 2)
        self.write_places = nn.Parameter(torch.randn(LENGTH, WIDTH) / 2)
        self.transformer = nn.Transformer(
            WIDTH, HEADS, 1, 1, 2 * WIDTH, dropout=0.0, batch_first=True
        )
        self.head = nn.Linear(WIDTH, DIGITS)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(LENGTH))

    def forward(self, digits: Tensor, written: Tensor) -> Tensor:
        """(B, LENGTH) digits and what is written so far, START first -> logits of each next digit (B, LENGTH, DIGITS)."""
        read, write = self.embed(digits) + self.read_places, self.embed(written) + self.write_places
        return self.head(self.transformer(read, write, tgt_mask=self.mask, tgt_is_causal=True))


def shifted(answer: Tensor) -> Tensor:
    """What the decoder sees while it learns: START, then the answer without its last digit. (B, LENGTH) -> (B, LENGTH)."""
    return torch.cat([torch.full_like(answer[:, :1], START), answer[:, :-1]], dim=1)


def learn_to_reverse(steps: int = STEPS, seed: int = 0) -> tuple[Reverser, list[float]]:
    """Train one on random digits.

    Returns:
        it, and the share of digits that were right in each step, of BATCH sequences that it saw for the first time.
    """
    with (
        torch.random.fork_rng()
    ):  # nn.Transformer draws its weights from the generator of the whole process
        torch.manual_seed(seed)
        model = Reverser()
    generator = torch.Generator().manual_seed(seed)
    optimizer = Adam(model.parameters(), LEARNING_RATE)
    shares = []
    for _ in range(steps):
        digits = torch.randint(DIGITS, (BATCH, LENGTH), generator=generator)
        answer = digits.flip(1)
        logits = model(digits, shifted(answer))
        shares.append(float((logits.argmax(dim=-1) == answer).float().mean()))
        loss = F.cross_entropy(logits.flatten(0, 1), answer.flatten())
        model.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval(), shares


@dataclass(frozen=True)
class Looks:
    """What one model did with one row of digits; L is LENGTH. The row of a matrix asks."""

    written: list[int]  # its answer, digit by digit
    encoder: np.ndarray  # (HEADS, L, L) attention of the digits to each other
    scores: np.ndarray  # (HEADS, L, L) of the decoder's own tokens, divided by sqrt(d_k)
    masked: np.ndarray  # (HEADS, L, L) the same, minus infinity for what is yet to come
    weights: np.ndarray  # (HEADS, L, L) their softmax
    cross: np.ndarray  # (HEADS, L, L) attention of the written digits to those read


@torch.no_grad()
def looks(model: Reverser, digits: list[int]) -> Looks:
    """Let the model write its answer, one digit after the other, and take its attention apart."""
    read = torch.tensor([digits])
    written = torch.full((1, LENGTH), START)
    for place in range(LENGTH):
        digit = model(read, written)[0, place].argmax()
        if place + 1 < LENGTH:
            written[0, place + 1] = digit
    answer = [*written[0, 1:].tolist(), int(digit)]

    (encoder,), (decoder,) = model.transformer.encoder.layers, model.transformer.decoder.layers
    x = model.embed(read) + model.read_places
    memory = model.transformer.encoder(x)
    y = model.embed(written) + model.write_places
    scores = scores_of(decoder.self_attn, y)
    masked = scores + model.mask
    weights = masked.softmax(dim=-1)
    y = decoder.norm1(y + decoder.self_attn(y, y, y, attn_mask=model.mask, need_weights=False)[0])
    cross = decoder.multihead_attn(y, memory, memory, average_attn_weights=False)[1]
    own = encoder.self_attn(x, x, x, average_attn_weights=False)[1]
    return Looks(answer, *(matrix[0].numpy() for matrix in (own, scores, masked, weights, cross)))


def scores_of(attention: nn.MultiheadAttention, x: Tensor) -> Tensor:
    """QK^T / sqrt(d_k) of each head, which torch's own module keeps to itself: (B, T, D) -> (B, H, T, T)."""
    B, T, D = x.shape
    q, k, _ = (
        F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
        .reshape(B, T, 3, attention.num_heads, -1)
        .unbind(2)
    )
    return q.transpose(1, 2) @ k.permute(0, 2, 3, 1) / (D // attention.num_heads) ** 0.5
