"""A view of the Attention page as one image, and as one HTML file that opens anywhere."""

import html
import io

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageDraw, ImageFont
from plotly.colors import sample_colorscale, unlabel_rgb

from .color_bar import NO_PATCH, end_labels, is_uniform
from .style import SEQUENTIAL, min_max

PANEL, MARGIN, LINE = 384, 24, 28  # pixels


def view_png(
    picture: np.ndarray,
    grid: np.ndarray,
    grids: np.ndarray,
    opacity: float,
    unit: str,
    title: str,
    note: str,
) -> bytes:
    """Draw three panels side by side: the picture, the map over it, the maps of all heads.

    Args:
        picture: (H, W, 3) uint8.
        grid: map (n, n).
        grids: maps (depth, num_heads, n, n) of every layer and head.
        opacity: opacity of the map over the picture, 0 to 1.
        unit: what the numbers of the maps are.
        title: first line above the panels.
        note: second line above the panels.
    """
    heat = _enlarge(sequential_colors(min_max(grid)))
    gray = _enlarge(picture.mean(axis=2, keepdims=True).repeat(3, axis=2))
    blended = gray * (1 - opacity) + heat * opacity
    low, high = end_labels(float(grid.min()), float(grid.max()))
    scale = f"{NO_PATCH}: {unit} {low} for all"
    if not is_uniform(grid):
        scale = f"{unit.capitalize()} from {low} (dark) to {high} (bright)"
    panels = {  # by caption
        "Picture": _enlarge(picture),
        scale: blended,
        "Rows: layers. Columns: heads.": _sheet(grids),
    }
    width = len(panels) * (PANEL + MARGIN) + MARGIN
    canvas = Image.new("RGB", (width, PANEL + 2 * MARGIN + 3 * LINE), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=18)
    draw.text((MARGIN, MARGIN), title, "black", font)
    draw.text((MARGIN, MARGIN + LINE), note, "black", font)
    left, top = MARGIN, MARGIN + 2 * LINE
    for caption, panel in panels.items():
        canvas.paste(Image.fromarray(panel.round().astype(np.uint8)), (left, top))
        draw.text((left, top + PANEL + 4), caption, "black", font)
        left += PANEL + MARGIN
    file = io.BytesIO()
    canvas.save(file, "PNG")
    return file.getvalue()


def sequential_colors(values: np.ndarray) -> np.ndarray:
    """Map numbers from 0 to 1 to the sequential color scale: (..., 3), 0 to 255."""
    samples = sample_colorscale(SEQUENTIAL, np.linspace(0, 1, 256))
    scale = np.array([unlabel_rgb(color) for color in samples])
    return scale[(values * 255).round().astype(int)]


def view_page(figures: dict[str, go.Figure], title: str, note: str) -> str:
    """Return an HTML page with each figure under its heading; it needs no network."""
    parts = []
    for number, (heading, figure) in enumerate(figures.items()):
        chart = figure.to_html(full_html=False, include_plotlyjs=number == 0)
        parts.append(f"<h2>{html.escape(heading)}</h2>{chart}")
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title>'
    top = f"<h1>{html.escape(title)}</h1><p>{html.escape(note)}</p>"
    body = f'<body style="font-family: sans-serif">{top}{"".join(parts)}</body>'
    return f'<!doctype html><html lang="en"><head>{head}</head>{body}</html>'


def _enlarge(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) scaled up to a panel, pixel by pixel."""
    rows = np.arange(PANEL) * image.shape[0] // PANEL
    columns = np.arange(PANEL) * image.shape[1] // PANEL
    return image[rows][:, columns].astype(float)


def _sheet(grids: np.ndarray) -> np.ndarray:
    """Every map in its position on a white panel, square and as large as there is room for."""
    depth, heads, *_ = grids.shape
    cell = PANEL // max(depth, heads)
    inner = cell - max(1, cell // 12)
    panel = np.full((PANEL, PANEL, 3), 255.0)
    pixels = np.arange(inner) * grids.shape[2] // inner
    for layer, head in np.ndindex(depth, heads):
        image = sequential_colors(min_max(grids[layer, head]))[pixels][:, pixels]
        top, left = layer * cell, head * cell
        panel[top : top + inner, left : left + inner] = image
    return panel
