"""Deletion, insertion and randomization: one line for each method, in the same color everywhere."""

import numpy as np
import plotly.graph_objects as go

from ..explain.faithfulness import Curves
from .style import METHODS, NEUTRAL, axis, blank

BELOW = {
    "orientation": "h",
    "yref": "container",
    "y": 0,
    "x": 0,
    "entrywidth": 75,
    "font": {"size": 11},
}


def removal(curves: dict[str, Curves], chance: list[Curves], part: str, height: int) -> go.Figure:
    """A class's probability while patches are covered (`deletion`) or uncovered (`insertion`) in each method's order.

    Args:
        curves: by method.
        chance: of random orders; drawn as the band between the least and the most of them, and their mean.
        part: `deletion` or `insertion`.
        height: pixels on the screen.
    """
    shares = chance[0].shares
    random = np.stack([getattr(found, part) for found in chance])
    figure = blank(
        height,
        top=8,
        x=axis(
            f"Patches {'covered' if part == 'deletion' else 'shown'}",
            tickformat=".0%",
            range=[0, 1.02],
        ),
        y=axis("Probability of the class", tickformat=".0%", range=[-0.02, 1.02]),
        showlegend=True,
        legend=BELOW,
    )
    figure.add_scatter(
        x=shares,
        y=random.min(axis=0),
        mode="lines",
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=shares,
        y=random.max(axis=0),
        mode="lines",
        line={"width": 0},
        fill="tonexty",
        fillcolor="rgba(138,148,163,0.25)",
        hoverinfo="skip",
        showlegend=False,
    )
    hover = "%{y:.1%} at %{x:.0%}<extra></extra>"
    gray = {"color": NEUTRAL, "dash": "dot", "width": 2}
    figure.add_scatter(
        x=shares, y=random.mean(axis=0), mode="lines", line=gray, name="random", hovertemplate=hover
    )
    for method, found in curves.items():
        _line(figure, found.shares, getattr(found, part), method, hover)
    return figure


def similarity(found: dict[str, list[float]], stages: list[str], height: int) -> go.Figure:
    """How like its own map each method's map is while ever more weights are shuffled, `stages` from the top down."""
    figure = blank(
        height,
        top=8,
        x=axis("Shuffled, from the top down to"),
        y=axis("Rank correlation with the map", range=[-1.05, 1.05]),
        showlegend=True,
        legend=BELOW,
    )
    for method, values in found.items():
        hover = "%{y:.2f} after %{x}<extra></extra>"
        _line(figure, ["none", *stages], [1.0, *values], method, hover)
    return figure


def _line(figure: go.Figure, x, y, method: str, hover: str) -> None:
    color, dash, symbol = METHODS[method]
    style = {
        "line": {"color": color, "dash": dash, "width": 2},
        "marker": {"symbol": symbol, "size": 6},
    }
    figure.add_scatter(
        x=x, y=y, mode="lines+markers", name=method, hovertemplate=f"{method}: {hover}", **style
    )
