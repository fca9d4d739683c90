"""Maps of patches over an image, and attention as a matrix of tokens by tokens."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from .color_bar import NO_PATCH, color_bar, is_uniform, say, sentence
from .pictures import clickable, picture
from .style import MARK, SEQUENTIAL, SIGNED, axis, blank
from .tokens import patch_names


@dataclass(frozen=True)
class MapStyle:
    """Style of a map of patches over an image."""

    opacity: float = 1.0  # 0 shows the image alone, 1 the map alone
    limits: tuple[float, float] | None = None  # of the color scale; None: the map's own (min-max)
    smooth: bool = False  # interpolate colors between the centers of patches
    unit: str = "attention"  # what the numbers are
    signed: bool = False  # a diverging color scale, symmetric about 0


def picture_with_patch(
    image: np.ndarray, patch_size: int, patch: int | None, height: int = 300
) -> go.Figure:
    """Draw an image (H, W, 3) uint8 with a frame around one patch, or (None) around all of it."""
    figure = picture(image, height, top=4)
    side = image.shape[0] // patch_size
    clickable(
        figure,
        np.zeros((side, side)),
        patch_size,
        customdata=patch_names(side),
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
    """Draw `picture_with_patch` with a cross on some patches."""
    figure = picture_with_patch(image, patch_size, patch, height)
    for number in crossed:
        row, column = divmod(number, image.shape[1] // patch_size)
        x, y = (column + 0.5) * patch_size, (row + 0.5) * patch_size
        font = {"color": MARK, "size": 20}
        figure.add_annotation(x=x, y=y, text="✕", font=font, showarrow=False)
    return figure


def overlay(
    image: np.ndarray,
    grid: np.ndarray,
    patch_size: int,
    style: MapStyle = MapStyle(),
    frame: int | None = None,
    height: int = 300,
) -> go.Figure:
    """Draw a map of patches over an image, with a color bar.

    The image is drawn in gray, so that all color is the map's. A uniform map has one color, and
    the figure says so.

    Args:
        image: (H, W, 3) uint8.
        grid: map (n, n), one number for each patch.
        patch_size: side of a patch in pixels.
        style: opacity, color scale and unit.
        frame: patch to frame, counted from 0 row by row; None for none.
        height: height of the figure in pixels.
    """
    gray = image.mean(axis=2, keepdims=True).astype(np.uint8).repeat(3, axis=2)
    figure = picture(gray, height, top=4)
    figure.add_heatmap(
        z=grid,
        x0=patch_size / 2,
        y0=patch_size / 2,
        dx=patch_size,
        dy=patch_size,
        zsmooth="best" if style.smooth else False,
        opacity=style.opacity,
        colorscale=SIGNED if style.signed else SEQUENTIAL,
        customdata=patch_names(len(grid)),
        hovertemplate=f"%{{customdata}}<br>{style.unit} %{{z:.4g}}<extra></extra>",
        **_color_scale(grid, style),
    )
    if is_uniform(grid):
        say(figure, NO_PATCH)
    return figure if frame is None else _frame(figure, image.shape[0], patch_size, frame)


def overlay_changes(grid: np.ndarray, style: MapStyle) -> dict:
    """Return what another map changes in an `overlay`: values of its traces and of its layout."""
    shown = [[float(f"{value:.4g}") for value in row] for row in grid]  # as its hover text
    notes = [sentence(NO_PATCH)] if is_uniform(grid) else []
    heatmap = {"z": shown} | _color_scale(grid, style)
    return {"traces": [{}, heatmap], "layout": {"annotations": notes}}


def _color_scale(grid: np.ndarray, style: MapStyle) -> dict:
    low, high = style.limits or (float(grid.min()), float(grid.max()))
    if style.signed:
        high = max(abs(low), abs(high))
        low = -high
    return {
        "zmin": low if low < high or not style.signed else -1,  # 0 in the middle
        "zmax": high if low < high else low + 1,  # all dark, if unsigned
        "colorbar": color_bar(low, high, style.unit),
    }


def matrix(
    attention: np.ndarray,
    token: int | None,
    has_cls: bool,
    unit: str = "attention",
    height: int = 330,
) -> go.Figure:
    """Draw the attention of every token to every token (T, T).

    Args:
        attention: attention matrix; row = query token, column = key token.
        token: query token whose row is marked at its right end; None for none.
        has_cls: whether token 0 is CLS.
        unit: what the numbers are.
        height: height of the figure in pixels.
    """
    first = "CLS" if has_cls else "first patch"
    square = {"showgrid": False, "constrain": "domain"}
    down = axis(autorange="reversed", scaleanchor="x", **square)
    down["title"] = {"text": f"Query token (0 = {first})", "standoff": 18}
    figure = blank(height, top=4, x=axis(f"Key token (0 = {first})", **square), y=down)
    low, high = float(attention.min()), float(attention.max())
    figure.add_heatmap(
        z=attention,
        zmin=low,
        zmax=high if high > low else low + 1,
        colorscale=SEQUENTIAL,
        hovertemplate=f"query %{{y}}, key %{{x}}: {unit} %{{z:.4g}}<extra></extra>",
        colorbar=color_bar(low, high, unit),
    )
    if is_uniform(attention):
        say(figure, "No token stands out")
    if token is not None:  # beside the row, as a frame around it would hide it
        mark = {"text": "◀", "font": {"color": MARK, "size": 14}, "showarrow": False}
        figure.add_annotation(x=1, xref="x domain", xanchor="left", y=token, **mark)
    return figure


def _frame(figure: go.Figure, size: int, patch_size: int, patch: int | None) -> go.Figure:
    if patch is None:
        x, y, extent = 0, 0, size
    else:
        row, column = divmod(patch, size // patch_size)
        x, y, extent = column * patch_size, row * patch_size, patch_size
    line = {"color": MARK, "width": 3}
    return figure.add_shape(type="rect", x0=x, x1=x + extent, y0=y, y1=y + extent, line=line)
