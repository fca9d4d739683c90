"""The original Transformer: encoder, masked decoder and cross-attention; what the ViT keeps."""

import numpy as np
import streamlit as st
from torch import nn

from ...config import ConfigError
from ...figures.numbers import numbers
from ...lessons.attention_by_hand import read_matrix
from ...lessons.encoder_decoder import (
    DIGITS,
    HEADS,
    LENGTH,
    STEPS,
    WIDTH,
    Reverser,
    SequenceAttention,
    attention_scores,
    trace_attention,
)
from ...lessons.paper import FEED_FORWARD_RATIO
from ..chart import chart
from ..wording import plain
from .example import FIRST_DIGITS, reverser
from .lesson import Lesson


def digits(lesson: Lesson) -> tuple[SequenceAttention, int] | None:
    """Run the small Transformer on digits that a visitor enters.

    Returns:
        Its attention, and the head to show, from 0; None if the input is not valid.
    """
    st.header("Sequence to sequence")
    st.markdown(
        "The original Transformer (Vaswani et al. 2017) translates text. Its **encoder** reads the "
        "input sequence, and its **decoder** writes the output sequence, one **token** (a word or "
        "part of a word) at a time. The Transformer on this page is a small one: "
        f"`torch.nn.Transformer` with one layer in each half, {HEADS} attention heads and "
        f"{WIDTH}-dimensional embeddings. Unlike the original, it has learned position embeddings "
        "and a final LayerNorm after each half. Its tokens are digits. It was trained on this "
        f"machine, for {STEPS} steps, to reverse a sequence of {LENGTH} digits."
    )
    left, right = st.columns(2)
    with left:
        help = f"{LENGTH} digits from 0 to {DIGITS - 1}, separated by spaces."
        text = lesson.write("digits", "Digits", FIRST_DIGITS, help, 80)
    with right:
        help = "The attention head shown below. Heads work in parallel, each with its own weights."
        head = lesson.choose("head", "Head", range(1, HEADS + 1), 1, help)
    try:
        found = trace_attention(reverser(), _read_digits(text))
    except ConfigError as error:
        st.error(plain(str(error)))
        return None
    with right:
        st.markdown(f"Output: **{' '.join(map(str, found.written))}**")
    lesson.code(
        Reverser,
        "`transformer` contains both halves; `mask` hides later positions from the decoder.",
    )
    return found, head - 1


def _read_digits(text: str) -> list[int]:
    row = read_matrix(text.replace("\n", " "), 1, LENGTH)[0]
    if not np.isin(row, range(DIGITS)).all():
        raise ConfigError(f"Not every number is a digit. Use whole numbers from 0 to {DIGITS - 1}.")
    return row.astype(int).tolist()


def encoder(lesson: Lesson, found: SequenceAttention, head: int) -> None:
    """Show the encoder's self-attention."""
    st.header("The encoder: every token attends to every token")
    left, right = st.columns([3, 2])
    with left:
        chart(
            numbers(found.encoder[head], most=1.0),
            key="encoder",
            alt=f"Encoder self-attention between the {LENGTH} digits, head {head + 1}.",
        )
    with right:
        st.markdown(
            "An encoder layer has two parts: **self-attention**, in which tokens exchange "
            "information, and a **feed-forward network**, which processes each token on its own. "
            "A residual connection adds the input of each part to its output, and the sum is "
            "normalized. A full encoder stacks several such layers, each with its own weights."
        )
        st.markdown(
            "Row: the **query** token, which attends. Column: the **key** token, which is attended "
            "to. Each number is an attention weight; every row sums to 1."
        )
        st.caption(
            "The Vision Transformer keeps this half, with image patches as tokens and three "
            "changes: LayerNorm comes before each part, not after the sum; the feed-forward "
            "network uses GELU instead of ReLU; position embeddings are learned, where the "
            "original has fixed sine and cosine functions (Dosovitskiy et al. 2021, section 3.1)."
        )
    lesson.code(
        trace_attention,
        "How this page gets the attention weights from PyTorch's layers: `encoder` is the matrix "
        "above.",
    )


def decoder(lesson: Lesson, found: SequenceAttention, head: int) -> None:
    """Show the decoder's self-attention before the mask, after it, and after the softmax."""
    st.header("The decoder: masked attention")
    written = [str(digit) for digit in found.written]
    st.markdown(
        "During training, the decoder receives the entire correct output at once, behind a start "
        f"token (**teacher forcing**): for the output {' '.join(written)}, its input is START "
        f"{' '.join(written[:-1])}. From START it must predict {written[0]}, which stands right "
        "beside it: it could simply attend to it and copy it. The **causal mask** prevents this: "
        "it sets the attention scores of all later positions to minus infinity **before** the "
        "softmax, which turns scores into weights that sum to 1 (see the next page). Because "
        "$e^{-\\infty} = 0$, the weights of later positions are exactly 0."
    )
    if lesson.predict(
        "mask",
        "What is the largest attention weight in row 1 of the masked attention matrix?",
        {f"1/{LENGTH}": 1 / LENGTH, "1/2": 0.5, "1": 1.0},
        lambda: found.weights[head][0].max(),
        "{:.2f}: the start token can attend only to itself, and the weights of a row sum to 1.",
    ):
        _mask_steps(found, head)
    lesson.code(
        attention_scores,
        "The scores before masking, from the weights (`in_proj_weight`) of PyTorch's module.",
    )


def _mask_steps(found: SequenceAttention, head: int) -> None:
    steps = (
        (
            "1. Scores",
            numbers(found.scores[head], signed=True, decimals=1),
            "Dot products of queries (rows) and keys (columns), divided by √d_k, where d_k is the "
            "number of entries in a query. Later positions are included.",
        ),
        (
            "2. Masked scores",
            numbers(found.masked[head], signed=True, decimals=1),
            "Above the diagonal, at the later positions: minus infinity.",
        ),
        (
            "3. Softmax",
            numbers(found.weights[head], most=1.0),
            "Above the diagonal: exactly 0. Every row still sums to 1.",
        ),
    )
    for column, (title, figure, caption) in zip(st.columns(3), steps, strict=True):
        with column:
            st.markdown(f"**{title}**")
            chart(figure, key=title, alt=f"{title}, a {LENGTH} by {LENGTH} matrix.")
            st.caption(caption)
    sums = ", ".join(f"{total:.2f}" for total in found.weights[head].sum(axis=1))
    st.caption(f"Row sums after the softmax: {sums}.")


def cross(lesson: Lesson, found: SequenceAttention, head: int) -> None:
    """Show the attention of the decoder to the encoder's output."""
    st.header("Cross-attention: the decoder attends to the encoder's output")
    if not lesson.predict(
        "cross",
        f"When the decoder writes its first digit, which of the {LENGTH} input digits does it "
        "attend to most?",
        {"the first": 1, "the third": 3, "the last": LENGTH},
        lambda: float(found.cross.mean(axis=0)[0].argmax() + 1),
        "The digit at position {:.0f}: the reversed sequence begins with it.",
    ):
        return
    left, right = st.columns([3, 2])
    with left:
        chart(
            numbers(found.cross[head], most=1.0),
            key="cross",
            alt=f"Cross-attention from output positions to input digits, head {head + 1}.",
        )
    with right:
        st.markdown(
            "Row: output position (query). Column: input digit (key). Queries come from the "
            "decoder; keys and values come from the encoder's output. The bright diagonal from top "
            "right to bottom left reverses the sequence. The model was never told where to attend; "
            "it learned this pattern because it leads to correct outputs."
        )


def why_no_decoder(lesson: Lesson) -> None:
    """Explain what the ViT drops, and count what that saves."""
    st.header("Why the Vision Transformer has no decoder")
    st.markdown(
        "A decoder generates a sequence token by token. Classification does not need one: a single "
        "vector that represents the image is enough, followed by a linear layer with one output "
        "per class. The ViT takes this vector from an extra token, **CLS** (the classification "
        "token), which passes through the encoder together with the patches. There is no mask, "
        "because all patches are available at once, and no cross-attention, because there is no "
        "second sequence."
    )
    model = reverser().transformer
    encoder_size = _parameters(model.encoder.layers[0])
    decoder_size = _parameters(model.decoder.layers[0])
    hidden, original = model.encoder.layers[0].linear1.out_features, FEED_FORWARD_RATIO * WIDTH
    wider = _parameters(nn.TransformerDecoderLayer(WIDTH, HEADS, original)) / _parameters(
        nn.TransformerEncoderLayer(WIDTH, HEADS, original)
    )
    lesson.predict(
        "size",
        "How many parameters does a decoder layer of this model have, compared with an encoder "
        "layer?",
        {"the same number": 1.0, "one and a half times as many": 1.5, "three times as many": 3.0},
        lambda: decoder_size / encoder_size,
        f"{{:.3g}} times as many: {decoder_size:,} versus {encoder_size:,}. A decoder layer has a "
        "second attention module, for cross-attention, and a LayerNorm for it. The hidden layer of "
        f"the feed-forward network is {hidden // WIDTH} times as wide as the embeddings here. With "
        f"the {FEED_FORWARD_RATIO} times of the original Transformer, the factor would be "
        f"{wider:.2f}.",
    )


def _parameters(layer: nn.Module) -> int:
    return sum(parameter.numel() for parameter in layer.parameters())
