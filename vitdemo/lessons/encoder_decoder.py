"""A small version of the original Transformer: `torch.nn.Transformer` that reverses digits.

The task is learned within seconds, and its answer can be checked at a glance: 3 1 4 becomes 4 1 3.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..training.optimizer import Adam

LENGTH = 6  # digits in a sequence
DIGITS = 10
START = DIGITS  # the start token of the decoder
WIDTH, HEADS = 32, 2
STEPS, BATCH, LEARNING_RATE = 300, 64, 3e-3


class Reverser(nn.Module):
    """A Transformer with one encoder layer and one decoder layer that reverses digits."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(DIGITS + 1, WIDTH)
        self.source_positions = nn.Parameter(torch.randn(LENGTH, WIDTH) / 2)
        self.target_positions = nn.Parameter(torch.randn(LENGTH, WIDTH) / 2)
        self.transformer = nn.Transformer(
            WIDTH, HEADS, 1, 1, 2 * WIDTH, dropout=0.0, batch_first=True
        )
        self.head = nn.Linear(WIDTH, DIGITS)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(LENGTH))

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Return the logits of each next digit (B, LENGTH, DIGITS).

        Args:
            source: (B, LENGTH) digits to reverse.
            target: (B, LENGTH) input of the decoder: START, then the digits written so far.
        """
        x = self.embed(source) + self.source_positions
        y = self.embed(target) + self.target_positions
        return self.head(self.transformer(x, y, tgt_mask=self.mask, tgt_is_causal=True))


def shift_right(answer: Tensor) -> Tensor:
    """Return the decoder's input during training: START, then all digits but the last.

    (B, LENGTH) -> (B, LENGTH).
    """
    return torch.cat([torch.full_like(answer[:, :1], START), answer[:, :-1]], dim=1)


def train_reverser(steps: int = STEPS, seed: int = 0) -> tuple[Reverser, list[float]]:
    """Train a `Reverser` on random sequences of digits.

    Returns:
        The model, and the accuracy (fraction of correct digits) on the batch of each step, before
        the model is updated with it.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # nn.Transformer draws its weights from the global generator
        model = Reverser()
    generator = torch.Generator().manual_seed(seed)
    optimizer = Adam(model.parameters(), LEARNING_RATE)
    accuracies = []
    for _ in range(steps):
        digits = torch.randint(DIGITS, (BATCH, LENGTH), generator=generator)
        answer = digits.flip(1)
        logits = model(digits, shift_right(answer))
        accuracies.append(float((logits.argmax(dim=-1) == answer).float().mean()))
        loss = F.cross_entropy(logits.flatten(0, 1), answer.flatten())
        model.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval(), accuracies


@dataclass(frozen=True)
class SequenceAttention:
    """The output of a `Reverser` for one sequence, and its attention; L is LENGTH.

    Each matrix: row = query token, column = key token.
    """

    written: list[int]  # the output, digit by digit
    encoder: np.ndarray  # (HEADS, L, L) attention between the input digits
    scores: np.ndarray  # (HEADS, L, L) of the decoder's self-attention, divided by sqrt(d_k)
    masked: np.ndarray  # (HEADS, L, L) the scores, minus infinity at later positions
    weights: np.ndarray  # (HEADS, L, L) softmax of the masked scores
    cross: np.ndarray  # (HEADS, L, L) attention of the output positions to the input digits


@torch.no_grad()
def greedy_decode(model: Reverser, source: Tensor) -> Tensor:
    """Write the output digit by digit, each time the most probable one.

    (1, LENGTH) digits -> (1, LENGTH + 1): START, then the output.
    """
    written = torch.full((1, LENGTH + 1), START)
    for position in range(LENGTH):
        logits = model(source, written[:, :-1])
        written[0, position + 1] = logits[0, position].argmax()
    return written


@torch.no_grad()
def trace_attention(model: Reverser, digits: list[int]) -> SequenceAttention:
    """Run the model on one sequence and return the attention of its layers."""
    source = torch.tensor([digits])
    written = greedy_decode(model, source)
    encoder_layer = model.transformer.encoder.layers[0]
    decoder_layer = model.transformer.decoder.layers[0]

    x = model.embed(source) + model.source_positions
    encoder = encoder_layer.self_attn(x, x, x, average_attn_weights=False)[1]
    memory = model.transformer.encoder(x)

    y = model.embed(written[:, :-1]) + model.target_positions
    scores = attention_scores(decoder_layer.self_attn, y)
    masked = scores + model.mask
    update = decoder_layer.self_attn(y, y, y, attn_mask=model.mask, need_weights=False)[0]
    y = decoder_layer.norm1(y + update)
    cross = decoder_layer.multihead_attn(y, memory, memory, average_attn_weights=False)[1]
    return SequenceAttention(
        written=written[0, 1:].tolist(),
        encoder=encoder[0].numpy(),
        scores=scores[0].numpy(),
        masked=masked[0].numpy(),
        weights=masked[0].softmax(dim=-1).numpy(),
        cross=cross[0].numpy(),
    )


def attention_scores(attention: nn.MultiheadAttention, x: Tensor) -> Tensor:
    """Return QK^T / sqrt(d_k) of each head, which PyTorch's module does not return.

    (B, T, D) -> (B, H, T, T).
    """
    B, T, D = x.shape
    H, d_k = attention.num_heads, D // attention.num_heads
    qkv = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)  # (B, T, 3D)
    q, k, _ = qkv.reshape(B, T, 3, H, d_k).permute(2, 0, 3, 1, 4)  # each (B, H, T, d_k)
    return q @ k.transpose(-2, -1) / d_k**0.5
