"""Small pictures made large: one image with its patches, and a sheet of many to choose from."""

import base64
import io

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from .style import MARK, axis, blank

GAP = 1  # pixels around each small picture
CELL = 32 + 2 * GAP


def to_source(image: np.ndarray) -> str:
    """(H, W, 3) uint8 -> a PNG as a data address, which is smaller than its numbers."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def picture(image: np.ndarray, height: int, top: int = 8) -> go.Figure:
    """(H, W, 3) uint8 with its pixels from 0 to W and 0 to H, square, without axes; height and margin on the screen."""
    hidden = {"visible": False, "showgrid": False, "fixedrange": True, "constrain": "domain"}
    rows, columns = image.shape[:2]
    figure = blank(
        height,
        top,
        x=axis(range=[0, columns], **hidden),
        y=axis(range=[rows, 0], scaleanchor="x", **hidden),
    )
    return figure.add_image(source=to_source(image), x0=0.5, y0=0.5, hoverinfo="skip")


def clickable(figure: go.Figure, cells: np.ndarray, size: int, **hover) -> None:
    """Cells of so many pixels over a picture that cannot be seen, but know of hover and click."""
    place = {"x0": size / 2, "y0": size / 2, "dx": size, "dy": size}
    figure.add_heatmap(z=cells, opacity=0, showscale=False, **place, **hover)


def patches(image: np.ndarray, patch_size: int, height: int = 200) -> go.Figure:
    """A picture (H, W, 3) uint8 with the cuts between its patches."""
    size = image.shape[0]
    figure = picture(image, height)
    for cut in range(patch_size, size, patch_size):
        line = {"color": "white", "width": 1}
        figure.add_shape(type="line", x0=cut, x1=cut, y0=0, y1=size, line=line)
        figure.add_shape(type="line", y0=cut, y1=cut, x0=0, x1=size, line=line)
    return figure


def filters(weights: np.ndarray, columns: int, height: int) -> go.Figure:
    """Filters as small pictures in rows, each with gray for 0 and a scale of its own.

    Args:
        weights: (D, 3, P, P).
        columns: filters in a row.
        height: pixels on the screen.
    """
    shown = weights / np.abs(weights).max(axis=(1, 2, 3), keepdims=True) * 127 + 128
    rows, cell = -(-len(shown) // columns), shown.shape[-1] + GAP
    canvas = np.full((rows * cell + GAP, columns * cell + GAP, 3), 255, np.uint8)
    for place, one in enumerate(shown):
        top, left = place // columns * cell + GAP, place % columns * cell + GAP
        canvas[top : top + cell - GAP, left : left + cell - GAP] = one.transpose(1, 2, 0).round()
    return picture(canvas, height)


def sheet(images: np.ndarray, columns: int, chosen: int | None, height: int) -> go.Figure:
    """Many pictures in rows, one of them marked; a click gives the middle of its cell of CELL pixels.

    Args:
        images: (N, 32, 32, 3) uint8.
        columns: pictures in a row.
        chosen: place of the marked one.
        height: pixels on the screen.
    """
    rows = -(-len(images) // columns)
    canvas = np.full((rows * CELL, columns * CELL, 3), 128, np.uint8)
    for place, image in enumerate(images):
        top, left = place // columns * CELL + GAP, place % columns * CELL + GAP
        canvas[top : top + 32, left : left + 32] = image
    figure = picture(canvas, height)
    clickable(figure, np.zeros((rows, columns)), CELL, hoverinfo="none")
    if chosen is not None:
        top, left = chosen // columns * CELL, chosen % columns * CELL
        figure.add_shape(
            type="rect",
            x0=left,
            x1=left + CELL,
            y0=top,
            y1=top + CELL,
            line={"color": MARK, "width": 3},
        )
    return figure
