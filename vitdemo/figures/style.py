"""Colors, axes and layout that all figures share.

Each role has one color everywhere, and differs without color too (dash, symbol). All of them can be
read on a light and on a dark background.
"""

import html

import numpy as np
import plotly.graph_objects as go

TRAIN = {"color": "#2a8fd8", "dash": "solid", "symbol": "circle"}
VALIDATION = {"color": "#e0762a", "dash": "dash", "symbol": "diamond"}
CORRECT, WRONG, NEUTRAL = "#2a9d78", "#d1495b", "#8a94a3"
METHODS = {  # attribution method: color, dash, symbol
    "attention": ("#8e6bbf", "solid", "circle"),
    "rollout": ("#c08a1e", "dash", "square"),
    "relevance": ("#128c9c", "dashdot", "diamond"),
    "occlusion": ("#b5477f", "longdash", "cross"),
}
MARK = "#ff3d9a"  # the chosen token, layer or head; used for nothing else
SEQUENTIAL = "viridis"  # dark = low, bright = high; readable for color-blind people
SIGNED = "PuOr_r"  # purple = negative, orange = positive; readable for color-blind people


def axis(title: str = "", **more) -> dict:
    """Return an axis for a `blank` figure."""
    plain = {"automargin": True, "gridcolor": "rgba(128,128,128,0.25)", "zeroline": False}
    return plain | {"title": {"text": title, "standoff": 6}} | more


def blank(
    height: int,
    top: int = 30,
    left: float = 8,
    x: dict | None = None,
    y: dict | None = None,
    **more,
) -> go.Figure:
    """Return a figure to add traces to, with all of its layout.

    Each later update of the layout would take Plotly milliseconds.

    Args:
        height: height of the figure in pixels.
        top: top margin in pixels.
        left: left margin in pixels, if the y axis has no `automargin`.
        x: x axis, as from `axis`.
        y: y axis, as from `axis`.
        more: other keys of Plotly's layout.
    """
    layout = {
        "height": height,
        "margin": {"l": left, "r": 8, "t": top, "b": 8},
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "uirevision": "keep",  # zoom survives updates
        "dragmode": "zoom",
        "xaxis": x or axis(),
        "yaxis": y or axis(),
    }
    return go.Figure(layout=layout | more)


def literal(text: str) -> str:
    """Return a text from outside, such as the name of a class, for labels of a figure.

    Plotly would read it as HTML with links, and in a hover template as fields.
    """
    return html.escape(text, quote=False).replace("{", "&#123;")


def min_max(grids: np.ndarray) -> np.ndarray:
    """Scale each grid (..., n, n) to 0 … 1, as the paper draws it (section 1.5.3).

    A uniform grid becomes 0 everywhere.
    """
    low = np.min(grids, axis=(-2, -1), keepdims=True)
    high = np.max(grids, axis=(-2, -1), keepdims=True)
    return (grids - low) / np.where(high > low, high - low, 1)
