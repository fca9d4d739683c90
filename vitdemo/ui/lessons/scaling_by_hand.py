"""Why the scores are scaled: the largest attention weight, and the gradient, with and without."""

import streamlit as st

from ...figures.numbers import two_lines
from ...lessons.attention_by_hand import QUERIES, TOP, Scaling, scaling
from ..chart import chart
from .by_hand import PAPER
from .lesson import Lesson

DIMS = (4, 8, 16, 32, 64, 128, 256, 512)  # the d_k


def without_scaling(lesson: Lesson) -> None:
    """Show why the scores are divided by sqrt(d_k)."""
    st.header("Attention without scaling")
    tokens, _, d_k = PAPER
    if not lesson.predict(
        "largest",
        f"The queries and keys of {tokens} tokens are random vectors of {d_k} numbers, and the "
        "scores are not scaled. What is the largest attention weight of a query, on average?",
        {"0.40": 0.4, "0.60": 0.6, "0.90": 0.9},
        lambda: scaling((d_k,), scaled=False).largest[0],
        f"{{:.2f}}, the mean over {QUERIES} random queries. Nearly all weight is on a single "
        "token: softmax is **saturated**.",
    ):
        return
    _draw_scaling(scaling(DIMS, scaled=True), scaling(DIMS, scaled=False))
    lesson.code(scaling, "The computation behind the three charts.")


def _draw_scaling(scaled: Scaling, raw: Scaling) -> None:
    charts = {  # title -> unit, with scaling, without
        "Largest attention weight": ("mean", scaled.largest, raw.largest),
        "Median gradient": ("median", scaled.median_gradient, raw.median_gradient),
        "Mean gradient": ("mean", scaled.mean_gradient, raw.mean_gradient),
    }
    for column, (title, (average, with_scaling, without)) in zip(
        st.columns(3), charts.items(), strict=True
    ):
        with column:
            st.markdown(f"**{title}**")
            lines = {"divided by √d_k": with_scaling, "not divided": without}
            figure = two_lines(DIMS, lines, "d_k", f"{average} over queries", 260, log_axes="x")
            alt = (
                f"{title} at d_k = {DIMS[-1]}: {with_scaling[-1]:.2f} with scaling, "
                f"{without[-1]:.4f} without."
            )
            chart(figure, key=title, alt=alt)
    st.caption(
        f"{QUERIES} random queries, each with {PAPER[0]} random keys. Gradient: how much the "
        "attention weights change if the query changes a little (the Frobenius norm of the "
        "Jacobian). The loss reaches a query only through this. With scaling, all curves hardly "
        "depend on d_k."
    )
    st.markdown(_what_scaling_prevents(scaled, raw))


def _what_scaling_prevents(scaled: Scaling, raw: Scaling) -> str:
    """Describe the gradients without scaling, from the smallest d_k to the largest."""
    larger = [
        d_k
        for d_k, a, b in zip(DIMS, raw.median_gradient, scaled.median_gradient, strict=True)
        if a > b
    ]
    return (
        f"Without scaling, gradients do not simply vanish. Up to d_k = {larger[-1]}, the median "
        f"gradient is even larger than with scaling. At d_k = {DIMS[-1]}, half of the queries have "
        f"a gradient below {raw.median_gradient[-1]:.4f}: their softmax is saturated, and they "
        "hardly learn (Vaswani et al. 2017, section 3.2.1). But the mean is "
        f"{raw.mean_gradient[-1]:.2f}, compared with {scaled.mean_gradient[-1]:.2f} with scaling, "
        f"because the {TOP:.0%} of the queries with the largest gradients hold "
        f"{raw.top_gradient[-1]:.0%} of their sum ({scaled.top_gradient[-1]:.0%} with scaling). "
        "For these few, the two largest scores are nearly equal, so a tiny change of the query "
        "moves the weight from one key to the other. Scaling gives every query a useful gradient."
    )
