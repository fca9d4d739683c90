"""Numbers of heads: as points by layer, and as a map of layers by heads."""

import numpy as np
import plotly.graph_objects as go

from .style import MARK, NEUTRAL, SEQUENTIAL, SIGNED, axis, blank

POINT = "#128c9c"
SPREAD = 0.5  # of a layer's points, in layers, so that none hides another


def by_layer(
    values: np.ndarray, title: str, even: float | None, chosen: tuple[int, int | None], height: int
) -> go.Figure:
    """A point for each head, one column a layer, and the mean of each layer as a line.

    Args:
        values: (depth, num_heads).
        title: of the axis, with its unit.
        even: what a head has that looks at all tokens alike, drawn as a dotted line.
        chosen: layer and head that are marked, from 0; None marks all heads of the layer.
        height: pixels on the screen.
    """
    depth, heads = values.shape
    places = head_places(depth, heads)
    marked = [
        chosen in ((layer, head), (layer, None)) for layer in range(depth) for head in range(heads)
    ]
    figure = blank(
        height,
        top=8,
        x=axis(
            "Layer", tickvals=list(range(1, depth + 1)), range=[0.5, depth + 0.5], showgrid=False
        ),
        y=axis(title, rangemode="tozero"),
        showlegend=False,
    )
    figure.add_scatter(
        x=np.arange(1, depth + 1),
        y=values.mean(axis=1),
        mode="lines",
        line={"color": NEUTRAL, "width": 2},
        hovertemplate="mean of layer %{x}: %{y:.2f}<extra></extra>",
    )
    figure.add_scatter(
        x=places.ravel(),
        y=values.ravel(),
        mode="markers",
        marker={
            "size": 11,
            "color": [MARK if one else POINT for one in marked],
            "line": {"width": 1, "color": "white"},
        },
        customdata=[(layer + 1, head + 1) for layer in range(depth) for head in range(heads)],
        hovertemplate="layer %{customdata[0]}, head %{customdata[1]}: %{y:.2f}<extra></extra>",
    )
    if even is not None:
        figure.add_hline(y=even, line={"color": NEUTRAL, "dash": "dot", "width": 1})
    return figure


def head_places(depth: int, heads: int) -> np.ndarray:
    """Where each head's point lies on the axis of layers, which begin with 1: (depth, num_heads)."""
    return np.arange(1, depth + 1)[:, None] + SPREAD * ((np.arange(heads) + 0.5) / heads - 0.5)


def head_at(x: float, heads: int) -> tuple[int, int]:
    """Layer and head, from 0, of the point at a place on that axis."""
    layer = round(x)
    return layer - 1, round(((x - layer) / SPREAD + 0.5) * heads - 0.5)


def head_map(
    values: np.ndarray, unit: str, signed: bool, off: set[tuple[int, int]], height: int
) -> go.Figure:
    """A square for each head, layers down and heads across; those switched off (layer, head, from 0) are crossed.

    Args:
        values: (depth, num_heads).
        unit: what the numbers are.
        signed: the colors part at 0.
        off: the heads that are switched off.
        height: pixels on the screen.
    """
    most = float(np.abs(values).max()) or 1.0
    squares = {"showgrid": False, "fixedrange": True, "constrain": "domain", "dtick": 1}
    down = axis("Layer", autorange="reversed", scaleanchor="x", **squares)
    figure = blank(height, top=8, x=axis("Head", **squares), y=down)
    figure.add_heatmap(
        z=values,
        x0=1,
        y0=1,
        zmin=-most if signed else 0.0,
        zmax=most,
        xgap=2,
        ygap=2,
        colorscale=SIGNED if signed else SEQUENTIAL,
        hovertemplate=f"layer %{{y}}, head %{{x}}: %{{z:.4f}} {unit}<extra></extra>",
        colorbar={"thickness": 10, "title": {"text": unit, "side": "right"}},
    )
    for layer, head in sorted(off):
        cross = {"text": "✕", "font": {"color": MARK, "size": 18}, "showarrow": False}
        figure.add_annotation(x=head + 1, y=layer + 1, **cross)
    return figure
