"""Small images enlarged: an image with its patches, filters, and a sheet of images."""

import base64
import io
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from .style import MARK, axis, blank

GAP = 1  # pixels around each small image
CELL = 32 + 2 * GAP


def to_source(image: np.ndarray) -> str:
    """Encode an image (H, W, 3) uint8 as a PNG in a data URL, which is smaller than its numbers."""
    return _encoded(image.tobytes(), image.shape)


@lru_cache(maxsize=32)  # a page draws most of its pictures again each time it runs
def _encoded(pixels: bytes, shape: tuple[int, ...]) -> str:
    file = io.BytesIO()
    image = np.frombuffer(pixels, np.uint8).reshape(shape)
    Image.fromarray(image).save(file, "PNG", compress_level=1)  # half of the time, 4% more bytes
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def picture(image: np.ndarray, height: int, top: int = 8) -> go.Figure:
    """Draw an image with square pixels and without axes; its coordinates are pixels.

    Args:
        image: (H, W, 3) uint8.
        height: height of the figure in pixels.
        top: top margin in pixels.
    """
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
    """Put invisible cells over a picture, which report hover and clicks.

    Args:
        figure: figure from `picture`.
        cells: (rows, columns), a value for each cell.
        size: side length of a cell in pixels of the image.
        hover: options of Plotly's heatmap, such as `hoverinfo`.
    """
    position = {"x0": size / 2, "y0": size / 2, "dx": size, "dy": size}
    figure.add_heatmap(z=cells, opacity=0, showscale=False, **position, **hover)


def patches(image: np.ndarray, patch_size: int, height: int = 200) -> go.Figure:
    """Draw an image (H, W, 3) uint8 with lines between its patches."""
    size = image.shape[0]
    cuts = range(patch_size, size, patch_size)
    line = {"type": "line", "line": {"color": "white", "width": 1}}
    down = [{**line, "x0": cut, "x1": cut, "y0": 0, "y1": size} for cut in cuts]
    across = [{**line, "y0": cut, "y1": cut, "x0": 0, "x1": size} for cut in cuts]
    return picture(image, height).update_layout(shapes=down + across)


def filters(weights: np.ndarray, columns: int, height: int) -> go.Figure:
    """Draw filters as small images in rows, each on its own scale with gray for 0.

    Args:
        weights: (D, 3, P, P).
        columns: filters in a row.
        height: height of the figure in pixels.
    """
    shown = weights / np.abs(weights).max(axis=(1, 2, 3), keepdims=True) * 127 + 128
    rows, cell = -(-len(shown) // columns), shown.shape[-1] + GAP
    canvas = np.full((rows * cell + GAP, columns * cell + GAP, 3), 255, np.uint8)
    for number, one in enumerate(shown):
        top, left = number // columns * cell + GAP, number % columns * cell + GAP
        canvas[top : top + cell - GAP, left : left + cell - GAP] = one.transpose(1, 2, 0).round()
    return picture(canvas, height)


def sheet(images: np.ndarray, columns: int, chosen: int | None, height: int) -> go.Figure:
    """Draw many images in rows, one of them framed; a click reports the center of a cell.

    Args:
        images: (N, 32, 32, 3) uint8.
        columns: images in a row; each is in a cell of CELL pixels.
        chosen: index of the framed image; if None, the frame is hidden.
        height: height of the figure in pixels.
    """
    rows = -(-len(images) // columns)
    canvas = np.full((rows * CELL, columns * CELL, 3), 128, np.uint8)
    for number, image in enumerate(images):
        top, left = number // columns * CELL + GAP, number % columns * CELL + GAP
        canvas[top : top + 32, left : left + 32] = image
    figure = picture(canvas, height)
    cells = np.zeros(rows * columns)
    cells[len(images) :] = np.nan  # not clickable
    clickable(figure, cells.reshape(rows, columns), CELL, hoverinfo="none", hoverongaps=False)
    top, left = (chosen or 0) // columns * CELL, (chosen or 0) % columns * CELL
    return figure.add_shape(
        type="rect",
        x0=left,
        x1=left + CELL,
        y0=top,
        y1=top + CELL,
        line={"color": MARK, "width": 3},
        visible=chosen is not None,
    )
