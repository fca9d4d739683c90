"""What the model says: the most probable classes of one picture, and who is taken for whom over many."""

import numpy as np
import plotly.graph_objects as go

from .style import NEUTRAL, RIGHT, SEQUENTIAL, WRONG, axis, blank


def top_classes(
    probabilities: np.ndarray, classes: tuple[str, ...], label: int | None, count: int = 5
) -> go.Figure:
    """Bars of the most probable classes, the first on top.

    Args:
        probabilities: (K,).
        classes: their K names.
        label: the right class, or None where nobody knows it.
        count: how many bars.
    """
    order = np.argsort(-probabilities, kind="stable")[:count][::-1]
    wrong = NEUTRAL if label is None else WRONG
    colors = [RIGHT if k == label else wrong if k == order[-1] else NEUTRAL for k in order]
    share = axis("Probability", range=[0, 1.12], tickvals=[0, 0.5, 1], tickformat=".0%")
    figure = blank(300, x=share, y=axis(showgrid=False), bargap=0.35)
    return figure.add_bar(
        x=probabilities[order],
        y=[classes[k] + (" ✓" if k == label else "") for k in order],
        orientation="h",
        marker_color=colors,
        text=[f"{p:.1%}" for p in probabilities[order]],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.2%}<extra></extra>",
    )


def before_and_after(
    before: np.ndarray,
    after: np.ndarray,
    classes: tuple[str, ...],
    label: int | None,
    count: int = 5,
) -> go.Figure:
    """Two bars for each of the classes that are most probable before or after, pale before and full after.

    Args:
        before: (K,).
        after: (K,).
        classes: their K names.
        label: the right class, or None where nobody knows it.
        count: how many classes.
    """
    order = np.argsort(-np.maximum(before, after), kind="stable")[:count][::-1]
    names = [classes[k] + (" ✓" if k == label else "") for k in order]
    colors = [RIGHT if k == label else NEUTRAL for k in order]
    share = axis("Probability", range=[0, 1.15], tickvals=[0, 0.5, 1], tickformat=".0%")
    figure = blank(
        300, x=share, y=axis(showgrid=False), bargap=0.25, bargroupgap=0.05, showlegend=False
    )
    for values, name, opacity in (
        (after, "after", 1.0),
        (before, "before", 0.4),
    ):  # drawn from below
        figure.add_bar(
            x=values[order],
            y=names,
            orientation="h",
            name=name,
            marker_color=colors,
            opacity=opacity,
            text=[f"{p:.1%}" for p in values[order]],
            textposition="outside",
            cliponaxis=False,
            hovertemplate=f"%{{y}} {name}: %{{x:.2%}}<extra></extra>",
        )
    return figure


def confusion(matrix: np.ndarray, classes: tuple[str, ...]) -> go.Figure:
    """The confusion matrix (K, K) with its counts; row = the image's class, column = what it was called."""
    readable = np.where(matrix > 0.6 * matrix.max(), "black", "white")
    text = [
        [f'<span style="color:{color}">{count}</span>' for count, color in zip(*row, strict=True)]
        for row in zip(matrix, readable, strict=True)
    ]
    called, is_ = (
        axis("Called", tickangle=-45, showgrid=False),
        axis("Is", autorange="reversed", showgrid=False),
    )
    return blank(420, x=called, y=is_).add_heatmap(
        z=matrix,
        x=list(classes),
        y=list(classes),
        colorscale=SEQUENTIAL,
        text=text,
        texttemplate="%{text}",
        textfont={"size": 11},
        hovertemplate="%{y} called %{x}: %{z} images<extra></extra>",
        showscale=False,
    )
