"""What all figures share: one color for each role, told apart without color too, readable on light and on dark."""

import plotly.graph_objects as go

TRAIN = {"color": "#2a8fd8", "dash": "solid", "symbol": "circle"}
VALIDATION = {"color": "#e0762a", "dash": "dash", "symbol": "diamond"}
RIGHT, WRONG, NEUTRAL = "#2a9d78", "#d1495b", "#8a94a3"
METHODS = {  # of explaining: color, dash, symbol
    "attention": ("#8e6bbf", "solid", "circle"),
    "rollout": ("#c08a1e", "dash", "square"),
    "relevance": ("#128c9c", "dashdot", "diamond"),
    "occlusion": ("#b5477f", "longdash", "cross"),
}
MARK = "#ff3d9a"  # the chosen token; in no other use
SEQUENTIAL = "viridis"  # dark = little, bright = much; readable for color-blind people
SIGNED = "PuOr_r"  # purple = against, orange = for; readable for color-blind people


def axis(title: str = "", **more) -> dict:
    """An axis of a `blank` figure."""
    plain = {"automargin": True, "gridcolor": "rgba(128,128,128,0.25)", "zeroline": False}
    return plain | {"title": {"text": title, "standoff": 6}} | more


def blank(
    height: int, top: int = 30, x: dict | None = None, y: dict | None = None, **more
) -> go.Figure:
    """A figure to add traces to, all of its layout given at once: each update afterwards takes Plotly milliseconds.

    Args:
        height: pixels.
        top: margin, in pixels.
        x: as from `axis`.
        y: likewise.
        more: of Plotly's layout.
    """
    layout = {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": top, "b": 8},
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "uirevision": "keep",  # zoom stays over updates
        "dragmode": "zoom",
        "xaxis": x or axis(),
        "yaxis": y or axis(),
    }
    return go.Figure(layout=layout | more)
