"""What all figures share: one colour for each role, told apart without colour too, readable on light and on dark."""

import plotly.graph_objects as go

TRAIN = {"color": "#2a8fd8", "dash": "solid", "symbol": "circle"}
VALIDATION = {"color": "#e0762a", "dash": "dash", "symbol": "diamond"}
RIGHT, WRONG, NEUTRAL = "#2a9d78", "#d1495b", "#8a94a3"
METHODS = {  # of explaining: colour, dash, symbol
    "attention": ("#8e6bbf", "solid", "circle"),
    "rollout": ("#c08a1e", "dash", "square"),
    "relevance": ("#128c9c", "dashdot", "diamond"),
    "occlusion": ("#b5477f", "longdash", "cross"),
}
MARK = "#ff3d9a"  # the chosen token; in no other use
SEQUENTIAL = "viridis"  # dark = little, bright = much; readable for colour-blind people
SIGNED = "PuOr_r"  # purple = against, orange = for; readable for colour-blind people


def layout(figure: go.Figure, height: int, top: int = 30, **more) -> go.Figure:
    """Height and the margin at the top in pixels, and a `uirevision` that keeps zoom over updates."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": top, "b": 8},
        template="none",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        uirevision="keep",
        dragmode="zoom",
        **more,
    )
    axes = {"automargin": True, "gridcolor": "rgba(128,128,128,0.25)", "zeroline": False, "title_standoff": 6}
    figure.update_xaxes(**axes)
    figure.update_yaxes(**axes)
    return figure
