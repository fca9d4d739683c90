"""A view as one picture, and as one page that opens anywhere."""

import html
import io

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageDraw, ImageFont
from plotly.colors import sample_colorscale, unlabel_rgb

from ..explain.attention import min_max
from .style import SEQUENTIAL

PANEL, MARGIN, LINE = 384, 24, 28  # pixels


def view_png(
    picture: np.ndarray, grid: np.ndarray, grids: np.ndarray, strength: float, title: str, note: str
) -> bytes:
    """The picture, the map over it and the maps of every layer and head, side by side, with what they are above.

    Args:
        picture: (H, W, 3) uint8.
        grid: (n, n), the map.
        grids: (depth, num_heads, n, n).
        strength: of the map over the picture, 0 to 1.
        title: the first line.
        note: the second line.
    """
    shown = _large(colors(min_max(grid)))
    gray = _large(picture.mean(axis=2, keepdims=True).repeat(3, axis=2))
    panels = [_large(picture), gray * (1 - strength) + shown * strength, _sheet(grids)]
    width = len(panels) * (PANEL + MARGIN) + MARGIN
    canvas = Image.new("RGB", (width, PANEL + 2 * MARGIN + 3 * LINE), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=18)
    for line, text in enumerate((title, note)):
        draw.text((MARGIN, MARGIN + line * LINE), text, "black", font)
    top = MARGIN + 2 * LINE
    said = (
        "Picture",
        f"Attention from {grid.min():.3f} (dark) to {grid.max():.3f} (bright)",
        "Layers down, heads across",
    )
    for place, (panel, text) in enumerate(zip(panels, said, strict=True)):
        left = MARGIN + place * (PANEL + MARGIN)
        canvas.paste(Image.fromarray(panel.round().astype(np.uint8)), (left, top))
        draw.text((left, top + PANEL + 4), text, "black", font)
    file = io.BytesIO()
    canvas.save(file, "PNG")
    return file.getvalue()


def colors(values: np.ndarray) -> np.ndarray:
    """Numbers from 0 to 1 in the colors of a sequential map: (..., 3), 0 to 255."""
    scale = np.array(
        [unlabel_rgb(color) for color in sample_colorscale(SEQUENTIAL, np.linspace(0, 1, 256))]
    )
    return scale[(values * 255).round().astype(int)]


def view_page(figures: dict[str, go.Figure], title: str, note: str) -> str:
    """An HTML page with each figure under its heading; it needs no network."""
    parts = [
        f"<h2>{html.escape(heading)}</h2>"
        + figure.to_html(full_html=False, include_plotlyjs=not number)
        for number, (heading, figure) in enumerate(figures.items())
    ]
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title>'
    top = f"<h1>{html.escape(title)}</h1><p>{html.escape(note)}</p>"
    body = "".join(parts)
    return f'<!doctype html><html lang="en"><head>{head}</head><body style="font-family: sans-serif">{top}{body}</body></html>'


def _large(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) blown up to a panel, pixel by pixel."""
    rows = np.arange(PANEL) * image.shape[0] // PANEL
    columns = np.arange(PANEL) * image.shape[1] // PANEL
    return image[rows][:, columns].astype(float)


def _sheet(grids: np.ndarray) -> np.ndarray:
    """Every map in its place on a white panel, square and as large as there is room for."""
    depth, heads, *_ = grids.shape
    cell = PANEL // max(depth, heads)
    inner = cell - max(1, cell // 12)
    panel = np.full((PANEL, PANEL, 3), 255.0)
    places = np.arange(inner) * grids.shape[2] // inner
    for layer, head in np.ndindex(depth, heads):
        image = colors(min_max(grids[layer, head]))[places][:, places]
        panel[layer * cell : layer * cell + inner, head * cell : head * cell + inner] = image
    return panel
