"""What the tests of figures share: an image to draw, and how to read a drawn figure back."""

import base64
import io

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from vitdemo.figures.style import MARK

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (32, 32, 3), dtype=np.uint8)


def changed(figure: go.Figure, changes: dict) -> go.Figure:
    """Return a figure with other values in its traces and its layout, as the browser draws it."""
    drawn = figure.to_plotly_json()
    more = len(changes["traces"]) - len(drawn["data"])
    before = drawn["data"] + [{}] * max(0, more)
    data = [old | new for old, new in zip(before, changes["traces"], strict=False)]
    return go.Figure(data, drawn["layout"] | changes["layout"])


def frame_of(figure: go.Figure) -> list[float]:
    """Return x0, y0, x1, y1 of the only marked rectangle."""
    (shape,) = [shape for shape in figure.layout.shapes if shape.line.color == MARK]
    return [shape.x0, shape.y0, shape.x1, shape.y1]


def pixels_of(figure: go.Figure) -> np.ndarray:
    """Return the image that the figure is drawn on: (H, W, 3) uint8."""
    content = base64.b64decode(figure.data[0].source.split(",")[1])
    return np.asarray(Image.open(io.BytesIO(content)))
