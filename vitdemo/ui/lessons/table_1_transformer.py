"""The original Transformer's side of Table 1, with the small model that reverses digits.

One function per row. Each returns a figure, its alt text, and an explanation in Markdown.
"""

from dataclasses import dataclass

import numpy as np
from torch.nn import functional as F

from ...figures.numbers import numbers, shades, two_lines
from ...lessons.encoder_decoder import (
    BATCH,
    DIGITS,
    LENGTH,
    WIDTH,
    Reverser,
    SequenceAttention,
    trace_attention,
)
from .example import FIRST_DIGITS, reverser, trained_reverser
from .table_1_vit import HEIGHT, Cell, log_spaced


@dataclass(frozen=True)
class Example:
    """The trained Transformer and its attention for one sequence."""

    model: Reverser
    digits: list[int]
    attention: SequenceAttention


def example() -> Example:
    """Return the small Transformer with the sequence that the lesson pages begin with."""
    digits = [int(digit) for digit in FIRST_DIGITS.split()]
    return Example(reverser(), digits, trace_attention(reverser(), digits))


def embedding_table(example: Example) -> Cell:
    """Show the embedding table."""
    table = example.model.embed.weight.detach().numpy()
    alt = f"A table of {len(table)} rows with {table.shape[1]} numbers each."
    text = (
        "Words or parts of words; here digits. An **embedding table** has one row of "
        f"{WIDTH} learned numbers for each of the {DIGITS} digits and for the start token: "
        f"{len(table)} rows. This is the whole vocabulary: no other token has an embedding. "
        "Vocabularies of parts of words, such as the byte-pair encoding of the original, read an "
        "unknown word in several known pieces."
    )
    return shades(table, HEIGHT), alt, text


def length(example: Example) -> Cell:
    """Show the sequence."""
    alt = f"The digits {' '.join(map(str, example.digits))}."
    text = (
        f"The number of tokens depends on the text: {LENGTH} digits here. A sentence with twice as "
        "many words has about twice as many tokens. In a batch, shorter sequences are extended "
        "with padding tokens, which are masked."
    )
    return numbers(np.array([example.digits], dtype=float), decimals=0), alt, text


def positions(example: Example) -> Cell:
    """Compare all position embeddings with each other."""
    embeddings = example.model.source_positions.detach()
    directions = F.normalize(embeddings - embeddings.mean(dim=0), dim=1)
    similarity = (directions @ directions.T).numpy()
    alt = (
        f"Similarity of {LENGTH} positions, on average {np.diag(similarity, 1).mean():.2f} "
        "between neighbors."
    )
    text = (
        f"One position embedding per position in the sequence, {LENGTH} × {WIDTH} numbers. The "
        "matrix shows the cosine similarity of each pair. Here they are learned; the original "
        "Transformer used fixed sine and cosine functions (Vaswani et al. 2017), which need no "
        "training."
    )
    return numbers(similarity, signed=True), alt, text


def cross_attention(example: Example) -> Cell:
    """Show the cross-attention, as there is no CLS token."""
    text = (
        "The original Transformer has no CLS token. Its output is a sequence, and each output "
        "position (row) gathers information from the input tokens (columns) by cross-attention "
        "(shown: mean of all heads). BERT (Devlin et al. 2019) introduced CLS to classify text, "
        "and the ViT adopted it."
    )
    return numbers(example.attention.cross.mean(axis=0)), "Cross-attention, mean of heads.", text


def inductive_bias(example: Example) -> Cell:
    """Show the scores with the causal mask."""
    alt = "Masked scores of head 1, minus infinity above the diagonal."
    text = (
        "The decoder is built for sequences: its causal mask hides all later tokens (shown: scores "
        "of head 1, minus infinity above the diagonal). The encoder has no mask; it knows the "
        "order only from the position embeddings. The original's sines and cosines build some "
        "order in: nearby positions get similar vectors, and a shift is a linear map (Vaswani et "
        "al. 2017, section 3.5). This small model learned its position embeddings."
    )
    return numbers(example.attention.masked[0], signed=True, decimals=1), alt, text


def data(example: Example) -> Cell:
    """Show the accuracy over the number of sequences seen."""
    _, accuracies = trained_reverser()
    points = log_spaced(list(enumerate(accuracies, start=1)))
    seen = tuple(step * BATCH for step, _ in points)
    accuracy = np.array([accuracy for _, accuracy in points])
    figure = two_lines(
        seen, {"digits": accuracy}, "sequences seen", "accuracy", HEIGHT, log_axes="x", most=1.02
    ).update_yaxes(tickformat=".0%")
    alt = (
        f"Fraction of correct digits: {accuracy[0]:.0%} at first, {accuracy[-1]:.0%} after "
        f"{seen[-1]:,} sequences."
    )
    text = (
        f"It depends on the task. This model learned to reverse digits from {seen[-1]:,} sequences "
        "(accuracy: fraction of correct digits); machine translation takes millions of sentences. "
        "The paper claims only that the original Transformer *can* perform well on smaller "
        "datasets."
    )
    return figure, alt, text


def scope(example: Example) -> Cell:
    """Show the masked self-attention of the decoder."""
    weights = example.attention.weights[0]
    text = (
        "In the encoder, the whole text. In the decoder, only the tokens up to the current "
        f"position: {int((weights > 0).sum())} of {weights.size} attention weights (head 1) are "
        "above 0."
    )
    return numbers(weights), "Masked self-attention of head 1.", text
