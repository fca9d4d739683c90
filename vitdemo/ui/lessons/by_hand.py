"""Attention by hand: a small example to edit, and the shapes in the paper."""

import numpy as np
import streamlit as st

from ...config import ConfigError
from ...lessons.attention_by_hand import Steps, attention_steps, read_matrix, softmax
from ..wording import plain
from .lesson import Lesson
from .matrices import draw_matrix, listed, matrix_chart

T, D_K = 4, 3  # of the small example
START = {  # its matrices at first
    "Q": "1 0 1\n0 2 0\n1 1 0\n0 0 1",
    "K": "1 0 0\n0 1 0\n1 1 0\n0 0 2",
    "V": "1 0 0\n0 1 0\n0 0 1\n1 1 1",
}
HEADS = 4  # at which the third divisor is the square root of the whole embedding
DIVISORS = {"root": "√d_k", "none": "1 (no scaling)", "width": f"√({HEADS} d_k)"}
WHY_DIVIDE = (
    "The formula divides by √d_k, because the standard deviation of the scores grows in "
    "proportion to it. The paper's code divides by the square root of the whole embedding "
    f"dimension instead: with {HEADS} heads, √({HEADS} d_k)."
)
PAPER = (4, 512, 64)  # tokens, embedding dimension and d_k in the paper's example


def small_example(lesson: Lesson) -> None:
    """Compute attention between four tokens, number by number."""
    st.header("A small example")
    st.latex(
        r"\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d_k}}\right) V"
    )
    st.markdown(
        f"The example has {T} **tokens**, for instance words or image patches. Each token has a "
        "**query** (a row of $Q$): what it looks for; a **key** (a row of $K$): what the queries "
        "are compared with; and a **value** (a row of $V$): the information that it passes on. "
        f"Each of these is a vector of $d_k = {D_K}$ numbers. Edit any number and see how the "
        "result changes."
    )
    matrices = _edit_matrices(lesson)
    if matrices is None:
        return
    q, k, v = matrices
    left, right = st.columns(2)
    with left:
        help = "The token whose row is framed and written out below each matrix."
        row = lesson.choose("row", "Query token", range(1, T + 1), 1, help) - 1
    with right:
        name = lesson.choose(
            "divisor", "Divisor", tuple(DIVISORS), "root", WHY_DIVIDE, format_func=DIVISORS.get
        )
    divisor = {"root": D_K**0.5, "none": 1.0, "width": (HEADS * D_K) ** 0.5}[name]
    _draw_steps(attention_steps(q, k, v, divisor), q, v, row, divisor)
    same = attention_steps(np.tile(q[row], (T, 1)), k, v, divisor).weights
    lesson.predict(
        "same-queries",
        "If all four queries were identical, how many different rows would the matrix of attention "
        "weights have?",
        {"1": 1, "2": 2, "4": 4},
        lambda: len(np.unique(same, axis=0)),
        f"{{:.0f}}. With query {row + 1} for every token, every row is {listed(same[0])}, so all "
        "tokens get the same output. The weights within a row differ as long as the keys do: only "
        f"identical keys would make each weight 1/{T}.",
    )
    lesson.code(attention_steps, "The same four steps in NumPy.")


def _edit_matrices(lesson: Lesson) -> list[np.ndarray] | None:
    """Return Q, K and V as entered; None, and a message, if one of them is not valid."""
    texts = []
    for column, (name, start) in zip(st.columns(3), START.items(), strict=True):
        with column:
            help = f"{T} lines of {D_K} numbers, one line per token."
            texts.append(lesson.write(name.lower(), name, start, help, 130))
    try:
        return [read_matrix(text, T, D_K) for text in texts]
    except ConfigError as error:
        st.error(plain(str(error)))
        return None


def _draw_steps(steps: Steps, q: np.ndarray, v: np.ndarray, row: int, divisor: float) -> None:
    """Draw the four matrices in two rows, each with one of its rows written out."""
    token, weights = row + 1, steps.weights[row]
    products = " + ".join(
        f"{weight:.2f} × ({listed(value)})" for weight, value in zip(weights, v, strict=True)
    )
    left, right = st.columns(2)
    with left:
        _draw_step(
            "1. Scores: QKᵀ",
            steps.scores,
            row,
            f"Row {token}: the dot products of query {token}, ({listed(q[row])}), with each key; "
            "one column per key. A score is large if the query and the key point in similar "
            "directions and have large norms.",
        )
    with right:
        _draw_step("2. Scaled scores", steps.scaled, row, f"Each score divided by {divisor:.3f}.")
    left, right = st.columns(2)
    with left:
        _draw_step(
            "3. Softmax",
            steps.weights,
            row,
            "Softmax raises e to the power of each number and divides by the sum of these powers "
            f"in the row. Row {token}: {listed(weights)}, with a sum of {weights.sum():.2f}. These "
            "are the **attention weights**.",
            weights=True,
        )
    with right:
        _draw_step("4. Weighted sum of V", steps.output, row, f"Row {token}: {products}.")


def _draw_step(
    title: str, matrix: np.ndarray, row: int, caption: str, weights: bool = False
) -> None:
    st.markdown(f"**{title}**")
    style = {"most": 1.0} if weights else {"signed": True}
    alt = f"{title}: row {row + 1} is {listed(matrix[row])}."
    matrix_chart("numbers", matrix, f"hand-{title}", alt, row=row, **style)
    st.caption(caption)


def papers_shapes(lesson: Lesson) -> None:
    """Compute attention with the shapes of the paper's example, on random numbers."""
    tokens, width, d_k = PAPER
    st.header("The shapes in the paper")
    st.markdown(
        f"The paper's example has an input $X$ of {tokens} × {width}: {tokens} tokens with "
        f"{width}-dimensional embeddings. Three weight matrices of {width} × {d_k} produce "
        f"$Q = XW_Q$, $K = XW_K$ and $V = XW_V$, each {tokens} × {d_k}. Here $X$ and the weights "
        f"are random. The weights have a standard deviation of $1/\\sqrt{{{width}}}$, so that the "
        "entries of $Q$, $K$ and $V$ have about the same variance as those of $X$."
    )
    generator = np.random.default_rng(0)
    x = generator.normal(size=(tokens, width))
    w_q, w_k, w_v = generator.normal(scale=width**-0.5, size=(3, width, d_k))
    q, k, v = x @ w_q, x @ w_k, x @ w_v
    steps = attention_steps(q, k, v, d_k**0.5)
    unscaled = softmax(steps.scores)
    draw_matrix(f"X, {tokens} × {width}", x)
    draw_matrix(f"Q, K and V, each {tokens} × {d_k}, side by side", np.hstack([q, k, v]))
    st.caption("One row per token. Purple is negative, orange is positive.")
    _draw_paper_steps(steps, unscaled, d_k)
    draw_matrix(f"4. Weighted sum of V, {tokens} × {d_k}", steps.output)
    st.caption(
        f"The scores have a standard deviation of {steps.scores.std():.1f}. Each is a sum of {d_k} "
        "products; if the factors are independent, with mean 0 and variance 1, "
        f"√{d_k} = {d_k**0.5:.0f} is expected. Without scaling, softmax puts nearly all weight on "
        f"one token: the largest weight in a row is {unscaled.max(axis=1).mean():.2f} on average, "
        f"compared with {steps.weights.max(axis=1).mean():.2f} with scaling."
    )


def _draw_paper_steps(steps: Steps, unscaled: np.ndarray, d_k: int) -> None:
    matrices = (
        ("1. Scores: QKᵀ", steps.scores, {"signed": True, "decimals": 1}),
        (f"2. Divided by √{d_k}", steps.scaled, {"signed": True, "decimals": 1}),
        ("3. Softmax", steps.weights, {"most": 1.0}),
        ("Softmax without scaling", unscaled, {"most": 1.0}),
    )
    for column, (title, matrix, style) in zip(st.columns(4), matrices, strict=True):
        with column:
            st.markdown(f"**{title}**")
            alt = f"{title}: row 1 is {listed(matrix[0])}."
            matrix_chart("numbers", matrix, f"paper-{title}", alt, **style)
