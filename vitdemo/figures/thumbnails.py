"""The attention maps of every layer and head at a glance."""

import numpy as np
import plotly.graph_objects as go

from .color_bar import NO_PATCH, is_uniform, say
from .pictures import clickable
from .style import MARK, SEQUENTIAL, axis, blank, min_max


def thumbnails(
    grids: np.ndarray,
    height: int,
    framed: tuple[int, int | None] | None = None,
    limits: tuple[float, float] | None = None,
) -> go.Figure:
    """Draw the maps of every layer (row) and head (column), `thumbnail_cell` apart.

    On its own scale, a uniform map is dark everywhere.

    Args:
        grids: maps (depth, num_heads, n, n).
        height: height of the figure in pixels.
        framed: layer and head of the framed map, from 0; head None frames the whole layer.
        limits: ends of one color scale for all maps; without them, each map has its own (min-max).
    """
    depth, heads, side, _ = grids.shape
    cell = thumbnail_cell(side)
    canvas = np.full((depth, cell, heads, cell), np.nan)
    shown = min_max(grids) if limits is None else grids
    canvas[:, :side, :, :side] = shown.transpose(0, 2, 1, 3)
    low, high = limits or (0.0, 1.0)
    edge = (cell - side) / 2
    across = _axis("Head", heads, cell, side, [-edge, heads * cell - edge])
    down = _axis("Layer", depth, cell, side, [depth * cell - edge, -edge])
    figure = blank(height, top=4, x=across, y=down | {"scaleanchor": "x"})
    figure.add_heatmap(
        z=canvas.reshape(depth * cell, heads * cell),
        x0=0.5,
        y0=0.5,
        zmin=low,
        zmax=high,
        colorscale=SEQUENTIAL,
        showscale=False,
        hoverinfo="none",
    )
    clickable(figure, np.zeros((depth, heads)), cell, hoverinfo="none")
    if all(is_uniform(grid) for layer in grids for grid in layer):
        say(figure, f"{NO_PATCH} in any head")
    if framed is None:
        return figure
    layer, head = framed
    first, last = (0, heads) if head is None else (head, head + 1)
    return figure.add_shape(
        type="rect",
        x0=first * cell - edge,
        x1=last * cell - edge,
        y0=layer * cell - edge,
        y1=(layer + 1) * cell - edge,
        line={"color": MARK, "width": 3},
    )


def thumbnail_cell(grid_size: int) -> int:
    """Return the distance from one thumbnail to the next, in patches, to find a clicked one."""
    return grid_size + max(1, grid_size // 5)


def _axis(title: str, count: int, cell: int, side: int, ends: list[float]) -> dict:
    """An axis with the numbers of layers or heads, from 1."""
    return axis(
        title,
        range=ends,
        tickvals=[number * cell + side / 2 for number in range(count)],
        ticktext=[str(number + 1) for number in range(count)],
        showgrid=False,
        fixedrange=True,
        constrain="domain",
    )
