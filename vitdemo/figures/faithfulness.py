"""Deletion, insertion and randomization: one line for each method, in the same color everywhere."""

import numpy as np
import plotly.graph_objects as go

from .style import METHODS, NEUTRAL, axis, blank

BAND = "rgba(138,148,163,0.25)"
BELOW = {
    "orientation": "h",
    "yref": "container",
    "y": 0,
    "x": 0,
    "entrywidth": 75,
    "font": {"size": 11},
}


def removal_curves(
    fractions: np.ndarray, curves: dict[str, np.ndarray], random: np.ndarray, what: str, height: int
) -> go.Figure:
    """Draw a class's probability while patches are deleted or inserted in each method's order.

    Args:
        fractions: fractions (P,) of the patches.
        curves: probabilities (P,) by method.
        random: probabilities (R, P) in R random orders, which may be none; drawn as a band from the
            lowest to the highest of them, and their mean.
        what: state of these patches, `occluded` or `shown`.
        height: height of the figure in pixels.
    """
    figure = blank(
        height,
        top=8,
        x=axis(f"Patches {what}", tickformat=".0%", range=[0, 1.02]),
        y=axis("Probability of the class", tickformat=".0%", range=[-0.02, 1.02]),
        showlegend=True,
        legend=BELOW,
    )
    hover = f"probability %{{y:.1%}} with %{{x:.0%}} of patches {what}<extra></extra>"
    if len(random):
        _band(figure, fractions, random, hover)
    for method, values in curves.items():
        _line(figure, fractions, values, method, hover)
    return figure


def _band(figure: go.Figure, fractions: np.ndarray, random: np.ndarray, hover: str) -> None:
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    figure.add_scatter(x=fractions, y=random.min(axis=0), **edge)
    band = {"fill": "tonexty", "fillcolor": BAND}
    figure.add_scatter(x=fractions, y=random.max(axis=0), **edge, **band)
    figure.add_scatter(
        x=fractions,
        y=random.mean(axis=0),
        mode="lines",
        line={"color": NEUTRAL, "dash": "dot", "width": 2},
        name="random",
        hovertemplate=hover,
    )


def similarity_by_stage(
    found: dict[str, list[float]],
    stages: list[str],
    unrelated: tuple[float, float] | None,
    height: int,
) -> go.Figure:
    """Draw the similarity of each method's map to its own while more and more weights are shuffled.

    Args:
        found: rank correlations by method, one for each stage; NaN where there is none.
        stages: parts of the model in the order of shuffling, from the top down.
        unrelated: lowest and highest rank correlation of unrelated maps, drawn as a band.
        height: height of the figure in pixels.
    """
    figure = blank(
        height,
        top=8,
        x=axis("Weights shuffled from the top down to"),
        y=axis("Rank correlation with the original map", range=[-1.05, 1.05]),
        showlegend=True,
        legend=BELOW,
    )
    if unrelated:
        low, high = unrelated
        figure.add_hrect(y0=low, y1=high, fillcolor=BAND, line_width=0, layer="below")
    for method, values in found.items():
        hover = "%{y:.2f} after %{x}<extra></extra>"
        _line(figure, ["none", *stages], [1.0, *values], method, hover)
    return figure


def _line(figure: go.Figure, x, y, method: str, hover: str) -> None:
    color, dash, symbol = METHODS[method]
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines+markers",
        name=method,
        line={"color": color, "dash": dash, "width": 2},
        marker={"symbol": symbol, "size": 6},
        hovertemplate=f"{method}: {hover}",
    )
