"""Numbers of heads: as points by layer, and as a map of layers by heads."""

import numpy as np
import plotly.graph_objects as go

from .color_bar import NO_HEAD, color_bar, is_uniform, say
from .style import MARK, NEUTRAL, SEQUENTIAL, SIGNED, axis, blank

POINT = "#128c9c"
SPREAD = 0.5  # width of a layer's points, in layers, so that none hides another


def by_layer(
    values: np.ndarray,
    title: str,
    uniform: float | None,
    chosen: tuple[int, int | None],
    height: int,
) -> go.Figure:
    """Draw a point for each head, one column for each layer, and the mean of each layer as a line.

    Args:
        values: one number for each head, (depth, num_heads).
        title: title of the axis, with its unit.
        uniform: value of a head with uniform attention, drawn as a dotted line.
        chosen: layer and head that are marked, from 0; head None marks the whole layer.
        height: height of the figure in pixels.
    """
    depth, heads = values.shape
    pairs = [(layer, head) for layer in range(depth) for head in range(heads)]
    colors = [MARK if chosen in ((layer, head), (layer, None)) else POINT for layer, head in pairs]
    layers = list(range(1, depth + 1))
    figure = blank(
        height,
        top=8,
        x=axis("Layer", tickvals=layers, range=[0.5, depth + 0.5], showgrid=False),
        y=axis(title, rangemode="tozero"),
        showlegend=False,
    )
    figure.add_scatter(
        x=layers,
        y=values.mean(axis=1),
        mode="lines",
        line={"color": NEUTRAL, "width": 2},
        hovertemplate="mean of layer %{x}: %{y:.2f}<extra></extra>",
    )
    figure.add_scatter(
        x=head_positions(depth, heads).ravel(),
        y=values.ravel(),
        mode="markers",
        marker={"size": 11, "color": colors, "line": {"width": 1, "color": "white"}},
        customdata=[(layer + 1, head + 1) for layer, head in pairs],
        hovertemplate="layer %{customdata[0]}, head %{customdata[1]}: %{y:.2f}<extra></extra>",
    )
    if uniform is not None:
        figure.add_hline(y=uniform, line={"color": NEUTRAL, "dash": "dot", "width": 1})
    return figure


def head_positions(depth: int, heads: int) -> np.ndarray:
    """Return where each head's point lies on the axis of layers: (depth, num_heads)."""
    within = (np.arange(heads) + 0.5) / heads - 0.5  # from -0.5 to 0.5
    return np.arange(1, depth + 1)[:, None] + SPREAD * within


def head_at(x: float, heads: int) -> tuple[int, int]:
    """Return layer and head, from 0, of the point at a position on that axis."""
    layer = round(x)
    return layer - 1, round(((x - layer) / SPREAD + 0.5) * heads - 0.5)


def head_map(
    values: np.ndarray,
    unit: str,
    signed: bool,
    ablated: set[tuple[int, int]],
    height: int,
    notes: np.ndarray | None = None,
) -> go.Figure:
    """Draw a square for each head, layers down and heads across; ablated heads are crossed out.

    Args:
        values: one number for each head, (depth, num_heads).
        unit: unit of the numbers.
        signed: whether the color scale diverges from 0 in the middle.
        ablated: pairs (layer, head), counted from 0.
        height: height of the figure in pixels.
        notes: text for each head on hover, (depth, num_heads); without it, the number.
    """
    shown = f"{unit} %{{z:.4g}}" if notes is None else "%{customdata}"
    most = float(np.abs(values).max())
    low = -most if signed else 0.0
    squares = {"showgrid": False, "fixedrange": True, "constrain": "domain", "dtick": 1}
    down = axis("Layer", autorange="reversed", scaleanchor="x", **squares)
    figure = blank(height, top=8, x=axis("Head", **squares), y=down)
    figure.add_heatmap(
        z=values,
        x0=1,
        y0=1,
        zmin=low or -float(signed),
        zmax=most or 1.0,
        xgap=2,
        ygap=2,
        colorscale=SIGNED if signed else SEQUENTIAL,
        customdata=notes,
        hovertemplate=f"layer %{{y}}, head %{{x}}: {shown}<extra></extra>",
        colorbar=color_bar(low, most, unit),
    )
    if values.size > 1 and is_uniform(values):
        say(figure, NO_HEAD)
    for layer, head in sorted(ablated):
        cross = {"text": "✕", "font": {"color": MARK, "size": 18}, "showarrow": False}
        figure.add_annotation(x=head + 1, y=layer + 1, **cross)
    return figure
