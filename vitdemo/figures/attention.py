"""Attention on the picture, and bare as a matrix of tokens by tokens."""

import numpy as np
import plotly.graph_objects as go

from ..explain.attention import has_cls, min_max, token_name
from .pictures import add_picture, clickable
from .style import MARK, SEQUENTIAL, layout


def picture_with_patch(image: np.ndarray, patch_size: int, patch: int | None, height: int = 300) -> go.Figure:
    """The picture (H, W, 3) uint8 alone, with a frame around the asking patch (around all of it for None)."""
    figure = layout(go.Figure(), height, top=4)
    add_picture(figure, image)
    side = image.shape[0] // patch_size
    clickable(
        figure,
        np.zeros((side, side)),
        patch_size,
        customdata=_names(side),
        hovertemplate="%{customdata}<extra></extra>",
    )
    return _frame(figure, image.shape[0], patch_size, patch)


def overlay(
    image: np.ndarray, grid: np.ndarray, patch_size: int, patch: int | None, strength: float, height: int = 300
) -> go.Figure:
    """The attention of one token over the picture, min-max scaled; the bar says what the colours stand for.

    The picture is drawn in grey, so that all colour is attention.

    Args:
        image: (H, W, 3) uint8.
        grid: (n, n), as from `attention_grid`.
        patch_size: pixels.
        patch: the asking patch, framed, counted from 0 row by row; None for CLS or for all together.
        strength: 0 shows the picture alone, 1 the attention alone.
        height: pixels on the screen.
    """
    side = len(grid)
    figure = layout(go.Figure(), height, top=4)
    grey = image.mean(axis=2, keepdims=True).astype(np.uint8).repeat(3, axis=2)
    add_picture(figure, grey)
    figure.add_heatmap(
        z=min_max(grid),
        x0=patch_size / 2,
        y0=patch_size / 2,
        dx=patch_size,
        dy=patch_size,
        zmin=0,
        zmax=1,
        opacity=strength,
        colorscale=SEQUENTIAL,
        customdata=np.stack([np.array(_names(side), object), grid], axis=-1),
        hovertemplate="%{customdata[0]}<br>attention %{customdata[1]:.4f}<extra></extra>",
        colorbar={
            "tickvals": [0, 1],
            "ticktext": [f"{grid.min():.3f}", f"{grid.max():.3f}"],
            "thickness": 10,
            "len": 0.9,
            "title": {"text": "attention", "side": "right"},
        },
    )
    return _frame(figure, image.shape[0], patch_size, patch)


def matrix(attention: np.ndarray, token: int | None, height: int = 330) -> go.Figure:
    """Every token's attention to every token (T, T), the asking token's row marked at its right end (none for None)."""
    figure = layout(go.Figure(), height, top=4)
    figure.add_heatmap(
        z=attention,
        colorscale=SEQUENTIAL,
        hovertemplate="token %{y} takes %{z:.4f} from token %{x}<extra></extra>",
        colorbar={"thickness": 10, "title": {"text": "attention", "side": "right"}},
    )
    if token is not None:  # beside the row, as a frame around it would hide it
        mark = {"text": "◀", "font": {"color": MARK, "size": 14}, "showarrow": False}
        figure.add_annotation(x=1, xref="x domain", xanchor="left", y=token, **mark)
    first = "CLS" if has_cls(attention) else "first patch"
    figure.update_xaxes(title=f"Attended token (0 = {first})", showgrid=False, constrain="domain")
    return figure.update_yaxes(
        title=f"Asking token (0 = {first})",
        title_standoff=18,
        autorange="reversed",
        scaleanchor="x",
        constrain="domain",
        showgrid=False,
    )


def _names(side: int) -> list[list[str]]:
    """What each patch is called, as they lie."""
    return [[token_name(row * side + column, side, cls=False) for column in range(side)] for row in range(side)]


def _frame(figure: go.Figure, size: int, patch_size: int, patch: int | None) -> go.Figure:
    row, column = (0, 0) if patch is None else divmod(patch, size // patch_size)
    extent = size if patch is None else patch_size
    x, y = column * patch_size, row * patch_size
    return figure.add_shape(type="rect", x0=x, x1=x + extent, y0=y, y1=y + extent, line={"color": MARK, "width": 3})
