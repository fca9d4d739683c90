"""Attention on the picture, and bare as a matrix of tokens by tokens."""

import numpy as np
import plotly.graph_objects as go

from ..explain.attention import has_cls, min_max, token_name
from .pictures import clickable, picture
from .style import MARK, SEQUENTIAL, SIGNED, axis, blank


def picture_with_patch(
    image: np.ndarray, patch_size: int, patch: int | None, height: int = 300
) -> go.Figure:
    """The picture (H, W, 3) uint8 alone, with a frame around the asking patch (around all of it for None)."""
    figure = picture(image, height, top=4)
    side = image.shape[0] // patch_size
    clickable(
        figure,
        np.zeros((side, side)),
        patch_size,
        customdata=_names(side),
        hovertemplate="%{customdata}<extra></extra>",
    )
    return _frame(figure, image.shape[0], patch_size, patch)


def picture_with_crosses(
    image: np.ndarray,
    patch_size: int,
    patch: int | None,
    crossed: tuple[int, ...],
    height: int = 300,
) -> go.Figure:
    """`picture_with_patch`, with a cross on some patches."""
    figure = picture_with_patch(image, patch_size, patch, height)
    for one in crossed:
        row, column = divmod(one, image.shape[1] // patch_size)
        cross = {"text": "✕", "font": {"color": MARK, "size": 20}, "showarrow": False}
        figure.add_annotation(x=(column + 0.5) * patch_size, y=(row + 0.5) * patch_size, **cross)
    return figure


def overlay(
    image: np.ndarray,
    grid: np.ndarray,
    patch_size: int,
    patch: int | None,
    strength: float,
    scale: tuple[float, float] | None = None,
    smooth: bool = False,
    unit: str = "attention",
    signed: bool = False,
    height: int = 300,
) -> go.Figure:
    """A map of patches over the picture; the bar says what the colors stand for.

    The picture is drawn in gray, so that all color is of the map.

    Args:
        image: (H, W, 3) uint8.
        grid: (n, n), one number for each patch.
        patch_size: pixels.
        patch: to be framed, counted from 0 row by row; None for none.
        strength: 0 shows the picture alone, 1 the map alone.
        scale: the values of the darkest and the brightest color; without, the map's least and most (min-max).
        smooth: blend the colors between the middles of patches.
        unit: what the numbers are.
        signed: the colors part at 0, which is in the middle of them; else they run from dark to bright.
        height: pixels on the screen.
    """
    low, high = scale or (float(grid.min()), float(grid.max()))
    if signed:
        high = max(abs(low), abs(high))
        low = -high
    gray = image.mean(axis=2, keepdims=True).astype(np.uint8).repeat(3, axis=2)
    figure = picture(gray, height, top=4)
    figure.add_heatmap(
        z=grid,
        x0=patch_size / 2,
        y0=patch_size / 2,
        dx=patch_size,
        dy=patch_size,
        zmin=low,
        zmax=max(high, low + 1e-9),  # a flat map is dark all over
        zsmooth="best" if smooth else False,
        opacity=strength,
        colorscale=SIGNED if signed else SEQUENTIAL,
        customdata=_names(len(grid)),
        hovertemplate=f"%{{customdata}}<br>{unit} %{{z:.4f}}<extra></extra>",
        colorbar={
            "tickvals": [low, max(high, low + 1e-9)],
            "ticktext": [f"{low:.3f}", f"{high:.3f}"],
            "thickness": 10,
            "len": 0.9,
            "title": {"text": unit, "side": "right"},
        },
    )
    return figure if patch is None else _frame(figure, image.shape[0], patch_size, patch)


def thumbnails(
    grids: np.ndarray,
    layer: int | None,
    head: int | None,
    scale: tuple[float, float] | None,
    height: int,
) -> go.Figure:
    """The maps of every layer (row) and head (column); `thumbnail_cell` apart, so that a click tells which.

    Args:
        grids: (depth, num_heads, n, n).
        layer: of the marked map, from 0; None marks none.
        head: of the marked map; None marks all of the layer.
        scale: the values of the darkest and the brightest color of all; without, each map has its own.
        height: pixels on the screen.
    """
    depth, heads, side, _ = grids.shape
    cell = thumbnail_cell(side)
    shown = min_max(grids) if scale is None else grids
    canvas = np.full((depth, cell, heads, cell), np.nan)
    canvas[:, :side, :, :side] = shown.transpose(0, 2, 1, 3)
    low, high = scale or (0.0, 1.0)
    edge = (cell - side) / 2
    across, down = (
        axis(
            title,
            range=ends,
            tickvals=[place * cell + side / 2 for place in range(count)],
            ticktext=[str(place + 1) for place in range(count)],
            showgrid=False,
            fixedrange=True,
            constrain="domain",
        )
        for title, count, ends in (
            ("Head", heads, [-edge, heads * cell - edge]),
            ("Layer", depth, [depth * cell - edge, -edge]),
        )
    )
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
    if layer is None:
        return figure
    first, last = (0, heads) if head is None else (head, head + 1)
    return figure.add_shape(
        type="rect",
        x0=first * cell - edge,
        x1=last * cell - edge,
        y0=layer * cell - edge,
        y1=(layer + 1) * cell - edge,
        line={"color": MARK, "width": 3},
    )


def thumbnail_cell(side: int) -> int:
    """From one thumbnail of so many patches a side to the next."""
    return side + max(1, side // 5)


def matrix(attention: np.ndarray, token: int | None, height: int = 330) -> go.Figure:
    """Every token's attention to every token (T, T), the asking token's row marked at its right end (none for None)."""
    first = "CLS" if has_cls(attention) else "first patch"
    square = {"showgrid": False, "constrain": "domain"}
    figure = blank(
        height,
        top=4,
        x=axis(f"Attended token (0 = {first})", **square),
        y=axis(autorange="reversed", scaleanchor="x", **square)
        | {"title": {"text": f"Asking token (0 = {first})", "standoff": 18}},
    )
    figure.add_heatmap(
        z=attention,
        colorscale=SEQUENTIAL,
        hovertemplate="token %{y} takes %{z:.4f} from token %{x}<extra></extra>",
        colorbar={"thickness": 10, "title": {"text": "attention", "side": "right"}},
    )
    if token is not None:  # beside the row, as a frame around it would hide it
        mark = {"text": "◀", "font": {"color": MARK, "size": 14}, "showarrow": False}
        figure.add_annotation(x=1, xref="x domain", xanchor="left", y=token, **mark)
    return figure


def _names(side: int) -> list[list[str]]:
    """What each patch is called, as they lie."""
    return [
        [token_name(row * side + column, side, cls=False) for column in range(side)]
        for row in range(side)
    ]


def _frame(figure: go.Figure, size: int, patch_size: int, patch: int | None) -> go.Figure:
    row, column = (0, 0) if patch is None else divmod(patch, size // patch_size)
    extent = size if patch is None else patch_size
    x, y = column * patch_size, row * patch_size
    return figure.add_shape(
        type="rect", x0=x, x1=x + extent, y0=y, y1=y + extent, line={"color": MARK, "width": 3}
    )
