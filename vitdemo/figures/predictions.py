"""Predictions: the most probable classes of one image, and the confusion matrix over many."""

import numpy as np
import plotly.graph_objects as go

from .style import CORRECT, NEUTRAL, SEQUENTIAL, WRONG, axis, blank, literal

MOST_LABELED = 20  # classes of a confusion matrix whose names and counts can be read
LONGEST = 24  # characters of a class on an axis
SHORT = 12  # characters of a class that a margin of fixed width has room for
CHARACTER = 6.5  # pixels, on average


def top_classes(
    probabilities: np.ndarray, classes: tuple[str, ...], label: int | None, count: int = 5
) -> go.Figure:
    """Draw the most probable classes as bars, the first on top.

    The true class is green and has a check mark; a wrong prediction is red.

    Args:
        probabilities: (K,).
        classes: names of the K classes.
        label: true class, or None if it is unknown.
        count: number of bars.
    """
    ticks = {"tickvals": [0, 0.5, 1], "tickformat": ".0%"}
    x = axis("Probability", range=[0, 1.12], fixedrange=True, **ticks)
    bars, y = _bars(probabilities, classes, label, count)
    # In a margin of fixed width, the bars stay in place when others are shown. Plotly draws them in
    # half the time, as it does not measure the names.
    left = 8 if y["automargin"] else CHARACTER * max(map(len, classes)) + 24  # with the check mark
    figure = blank(300, left=left, x=x, y=y, bargap=0.35)
    return figure.add_bar(
        orientation="h",
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.2%}<extra></extra>",
        **bars,
    )


def top_classes_changes(
    probabilities: np.ndarray, classes: tuple[str, ...], label: int | None, count: int = 5
) -> dict:
    """Return what other probabilities change in `top_classes`: values of its bars and layout."""
    bars, y = _bars(probabilities, classes, label, count)
    return {"traces": [bars], "layout": {"yaxis": y}}


def _bars(
    probabilities: np.ndarray, classes: tuple[str, ...], label: int | None, count: int
) -> tuple[dict, dict]:
    """Return the values of the bars of `top_classes`, and its axis of classes."""
    shown = np.argsort(-probabilities, kind="stable")[:count][::-1]  # Plotly draws from below
    colors = [NEUTRAL] * len(shown)
    if label is not None:
        colors[-1] = WRONG
        colors = [CORRECT if k == label else color for k, color in zip(shown, colors, strict=True)]
    names = _names(shown, classes, label)
    fits = max(map(len, classes)) <= SHORT and all(map(str.isascii, classes))
    bars = {
        "x": probabilities[shown].tolist(),
        "y": list(map(literal, names)),
        "marker": {"color": colors},
        "text": [f"{p:.1%}" for p in probabilities[shown]],
    }
    return bars, _class_axis(names, automargin=not fits, fixedrange=True)


def before_and_after(
    before: np.ndarray,
    after: np.ndarray,
    classes: tuple[str, ...],
    label: int | None,
    count: int = 5,
) -> go.Figure:
    """Draw two bars for each class that is most probable before or after, pale and full.

    Args:
        before: (K,).
        after: (K,).
        classes: names of the K classes.
        label: true class, or None if it is unknown.
        count: number of classes.
    """
    shown = np.argsort(-np.maximum(before, after), kind="stable")[:count][::-1]
    colors = [CORRECT if k == label else NEUTRAL for k in shown]
    x = axis("Probability", range=[0, 1.15], tickvals=[0, 0.5, 1], tickformat=".0%")
    names = _names(shown, classes, label)
    figure = blank(300, x=x, y=_class_axis(names), bargap=0.25, bargroupgap=0.05, showlegend=False)
    # Plotly draws from below, so "after" comes first.
    for values, name, opacity in ((after, "after", 1.0), (before, "before", 0.4)):
        figure.add_bar(
            x=values[shown],
            y=list(map(literal, names)),
            orientation="h",
            name=name,
            marker={"color": colors, "opacity": opacity},  # not of the text
            text=[f"{p:.1%}" for p in values[shown]],
            textposition="outside",
            cliponaxis=False,
            hovertemplate=f"%{{y}} {name}: %{{x:.2%}}<extra></extra>",
        )
    return figure


def _names(shown: np.ndarray, classes: tuple[str, ...], label: int | None) -> list[str]:
    """Return the names of classes, with a check mark on the true one."""
    return [f"{classes[k]} ✓" if k == label else classes[k] for k in shown]


def _class_axis(names: list[str], title: str = "", **more) -> dict:
    """Return an axis of classes, on which long names are cut, so that there is room for values."""
    short = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in names]
    ticks = {"tickvals": list(map(literal, names)), "ticktext": list(map(literal, short))}
    return axis(title, showgrid=False, **ticks, **more)


def confusion(matrix: np.ndarray, classes: tuple[str, ...]) -> go.Figure:
    """Draw a confusion matrix (K, K) and its counts; row: true class, column: predicted class.

    At most MOST_LABELED classes can be read.
    """
    readable = np.where(matrix > 0.6 * matrix.max(), "black", "white")
    text = [
        [f'<span style="color:{color}">{count}</span>' for count, color in zip(*row, strict=True)]
        for row in zip(matrix, readable, strict=True)
    ]
    names = [literal(name) for name in classes]
    x = _class_axis(classes, "Predicted class", tickangle=-45)
    y = _class_axis(classes, "True class", autorange="reversed")
    return blank(max(420, 30 * len(classes)), x=x, y=y).add_heatmap(
        z=matrix,
        x=names,
        y=names,
        colorscale=SEQUENTIAL,
        text=text,
        texttemplate="%{text}",
        textfont={"size": 11 if len(classes) <= 10 else 9},
        hovertemplate="true %{y}, predicted %{x}: %{z} images<extra></extra>",
        showscale=False,
    )
