"""A view of the Attention page as an image and as an HTML file."""

import io
import re

import numpy as np
from PIL import Image, ImageDraw

from vitdemo.figures.attention import matrix, picture_with_patch
from vitdemo.figures.export import LINE, MARGIN, PANEL, sequential_colors, view_page, view_png

from .read_figure import IMAGE

RNG = np.random.default_rng(0)
TOP = MARGIN + 2 * LINE  # of the panels


def panels_of(png):
    """Return all pixels of a `view_png`, and those of its three panels."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    lefts = [MARGIN + number * (PANEL + MARGIN) for number in range(3)]
    return pixels, [pixels[TOP : TOP + PANEL, left : left + PANEL] for left in lefts]


def test_view_png_shows_the_picture_the_map_and_all_heads():
    grid, grids = np.array([[0.0, 1.0], [0.5, 0.0]]), RNG.random((3, 2, 2, 2))
    png = view_png(IMAGE, grid, grids, 1.0, "attention", "a title", "a note")
    pixels, (picture, heat, heads) = panels_of(png)
    np.testing.assert_array_equal(picture[6::12, 6::12], IMAGE)
    dark, bright = sequential_colors(np.array([0.0, 1.0])).round()
    for row, column, color in ((0, 0, dark), (0, 1, bright), (1, 1, dark)):
        np.testing.assert_array_equal(heat[row * 192 + 96, column * 192 + 96], color)
    # Three layers of two heads: the third column is empty.
    assert (heads[: PANEL // 3, 2 * PANEL // 3 + 1 :] == 255).all()
    assert (heads[: PANEL // 3, : 2 * PANEL // 3] < 255).any()
    assert (pixels[:TOP] < 100).any()  # title and note
    assert (pixels[TOP + PANEL :] < 100).any()  # captions


def test_view_png_blends_the_map_with_the_picture_in_gray():
    grid = np.array([[0.0, 1.0], [0.5, 0.0]])
    _, (_, blended, _) = panels_of(
        view_png(IMAGE, grid, grid[None, None], 0.25, "attention", "a title", "a note")
    )
    gray = IMAGE.mean(axis=2)[0, 0]
    dark = sequential_colors(np.array(0.0))
    np.testing.assert_allclose(blended[6, 6], 0.75 * gray + 0.25 * dark, atol=0.51)


def test_view_png_of_a_uniform_map_says_that_no_patch_stands_out(monkeypatch):
    texts = []
    monkeypatch.setattr(
        ImageDraw.ImageDraw, "text", lambda self, place, text, *rest: texts.append(text)
    )
    flat = np.full((2, 2), 0.25)
    view_png(IMAGE, flat, flat[None, None], 1.0, "attention", "a title", "a note")
    assert "No patch stands out: attention 0.25 for all" in texts
    close = np.array([[0.25, 0.25003], [0.25, 0.25]])
    view_png(IMAGE, close, close[None, None], 1.0, "attention", "a title", "a note")
    assert "Attention from 0.25 (dark) to 0.25003 (bright)" in texts


def test_sequential_colors_are_those_of_the_charts():
    found = sequential_colors(np.array([0.0, 1.0]))
    np.testing.assert_allclose(found, [[68, 1, 84], [253, 231, 37]], atol=1)


def test_view_page_holds_its_figures_and_needs_no_network():
    figures = {
        "One & only": picture_with_patch(IMAGE, 8, None),
        "Two": matrix(np.eye(3), 0, has_cls=False),
    }
    page = view_page(figures, "T <1>", "note")
    assert page.count("<h2>") == 2
    assert "One &amp; only" in page
    assert "<title>T &lt;1&gt;</title>" in page
    assert "<p>note</p>" in page
    assert not re.search("<script[^>]* src=", page)
    assert page.count("* plotly.js v") == 1
    assert page.count("Plotly.newPlot(") >= 2
