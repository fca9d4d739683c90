"""The Transformer it came from: encoder, masked decoder, cross-attention, and why the ViT keeps the encoder alone."""

import numpy as np
import streamlit as st

from ...config import ConfigError
from ...figures.numbers import numbers
from ...lessons.attention_by_hand import read_matrix
from ...lessons.encoder_decoder import (
    DIGITS,
    HEADS,
    LENGTH,
    STEPS,
    WIDTH,
    Looks,
    Reverser,
    learn_to_reverse,
    looks,
    scores_of,
)
from ..chart import chart
from .lesson import Lesson

FIRST = "3 1 4 1 5 9"


@st.cache_resource(show_spinner="A small Transformer learns to turn digits round …")
def learned() -> tuple[Reverser, list[float]]:
    """One for all visitors, and how it learned."""
    return learn_to_reverse()


def reverser() -> Reverser:
    """The small Transformer, when it has learned."""
    return learned()[0]


def digits(lesson: Lesson) -> tuple[Looks, int] | None:
    """A sequence to play with, and what the model writes. Returns how it looked, and the head to show, from 0."""
    st.header("A sequence in, a sequence out")
    st.markdown(
        "The Transformer of 2017 translates: an **encoder** reads a sequence, a **decoder** writes another, one token "
        f"after the other. Here a small one, `torch.nn.Transformer` with one layer each, {HEADS} heads and {WIDTH} numbers "
        f"a token, has learned in {STEPS} steps, on this machine, to write {LENGTH} digits in reverse order."
    )
    left, right = st.columns(2)
    with left:
        text = lesson.write(
            "digits",
            "Digits",
            FIRST,
            f"{LENGTH} digits from 0 to {DIGITS - 1}, with spaces between.",
            80,
        )
    with right:
        head = lesson.choose(
            "head", "Head", range(1, HEADS + 1), 1, "Whose attention is shown below."
        )
    try:
        row = read_matrix(text.replace("\n", " "), 1, LENGTH)[0]
        if not np.isin(row, range(DIGITS)).all():
            raise ConfigError(f"Every entry must be a whole number from 0 to {DIGITS - 1}.")
    except ConfigError as error:
        st.error(str(error))
        return None
    found = looks(reverser(), row.astype(int).tolist())
    with right:
        st.markdown(f"It writes **{' '.join(map(str, found.written))}**.")
    lesson.code(
        Reverser, "`transformer` holds both stacks; `mask` keeps the decoder from looking ahead."
    )
    return found, head - 1


def encoder(lesson: Lesson, found: Looks, head: int) -> None:
    """Every token looks at every other."""
    st.header("The encoder: everybody looks at everybody")
    left, right = st.columns([3, 2])
    with left:
        chart(
            numbers(found.encoder[head], most=1.0),
            key="encoder",
            alt=f"Attention of the digits to each other, head {head + 1}.",
        )
    with right:
        st.markdown(
            "An encoder layer is attention, then a feed-forward network for each token alone, each with a residual "
            "connection and a normalization. Row: the digit that asks. Column: the digit that it takes from. Rows sum to "
            "1. A stack has several such layers, each with weights of its own."
        )
        st.caption(
            "This is the part that the Vision Transformer keeps: its tokens are patches in place of digits."
        )
    lesson.code(
        looks,
        "How the matrices of this page are taken out of torch's layers: `own` is the encoder's.",
    )


def decoder(lesson: Lesson, found: Looks, head: int) -> None:
    """The mask, before and after the softmax."""
    st.header("The decoder: no look ahead")
    st.markdown(
        "While it learns, the decoder is given the whole right answer at once, moved one place to the right behind a sign to "
        "begin with. Place 1 has to write what stands in place 2: it could simply look there and copy. So every score of a "
        "later place is set to minus infinity **before** the softmax, which turns scores into shares (next page): "
        "$e^{-\\infty} = 0$."
    )
    if lesson.predict(
        "mask",
        "In the second row of the masked attention, how many of the weights can be above 0?",
        {"1": 1, "2": 2, str(LENGTH): LENGTH},
        lambda: float((found.weights[head][1] > 0).sum()),
        "Counted in the matrix: {:.0f}. The second token sees the first and itself.",
    ):
        parts = (
            (
                "1. Scores",
                found.scores[head],
                True,
                "Query times key, divided by √d_k: all pairs, also of what is yet to come.",
            ),
            ("2. Masked", found.masked[head], True, "Above the diagonal: minus infinity."),
            (
                "3. Softmax",
                found.weights[head],
                False,
                "Above the diagonal exactly 0, and yet every row sums to 1: the rest is shared.",
            ),
        )
        for column, (title, matrix, signed, words) in zip(st.columns(3), parts, strict=True):
            with column:
                st.markdown(f"**{title}**")
                chart(
                    numbers(
                        matrix,
                        signed=signed,
                        decimals=1 + (not signed),
                        most=None if signed else 1.0,
                    ),
                    key=title,
                    alt=f"{title}, {LENGTH} by {LENGTH}.",
                )
                st.caption(words)
        sums = found.weights[head].sum(axis=1)
        st.caption(
            f"Sums of the rows after the softmax: {', '.join(f'{total:.2f}' for total in sums)}."
        )
    lesson.code(
        scores_of,
        "The scores before the mask, from the weights (`in_proj_weight`) of torch's own module.",
    )


def cross(lesson: Lesson, found: Looks, head: int) -> None:
    """The decoder's queries meet the encoder's keys."""
    st.header("Cross-attention: the decoder reads the encoder")
    if lesson.predict(
        "cross",
        f"To write the first digit of its answer, which of the {LENGTH} digits that were read does it look at most?",
        {"the first": 1, "the third": 3, "the last": LENGTH},
        lambda: float(found.cross.mean(axis=0)[0].argmax() + 1),
        "Number {:.0f}: that is the digit it has to write.",
    ):
        left, right = st.columns([3, 2])
        with left:
            chart(
                numbers(found.cross[head], most=1.0),
                key="cross",
                alt=f"Cross-attention, head {head + 1}.",
            )
        with right:
            st.markdown(
                "Row: the place that is written. Column: the digit that was read. The queries come from the decoder, the "
                "keys and values from the encoder. The bright diagonal from top right to bottom left **is** the task: "
                "nobody told it to look there, it learned to because that gives right answers."
            )


def why_no_decoder(lesson: Lesson) -> None:
    """What the ViT drops, and what that saves."""
    st.header("Why the Vision Transformer drops the decoder")
    model = reverser().transformer
    encoder_size, decoder_size = (
        sum(parameter.numel() for parameter in stack.layers[0].parameters())
        for stack in (model.encoder, model.decoder)
    )
    st.markdown(
        "A decoder is for writing one token after the other. To name what a picture shows, nothing is written: one vector is "
        "needed, and one linear layer that makes ten numbers of it. The ViT reads that vector from a token of its own, CLS, "
        "which goes through the encoder with the patches. So there is no mask (all patches are there at once), and no "
        "cross-attention."
    )
    lesson.predict(
        "size",
        "How many times as many parameters does a decoder layer of this model have as an encoder layer?",
        {"as many": 1.0, "one and a half times": 1.5, "three times": 3.0},
        lambda: decoder_size / encoder_size,
        f"{{:.3g}} times: {decoder_size:,} against {encoder_size:,}. It has a second attention, to read the encoder.",
    )
