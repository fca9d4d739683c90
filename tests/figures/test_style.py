"""Colors, layout and scaling that all figures share."""

import html

import numpy as np

from vitdemo.figures.style import TRAIN, VALIDATION, axis, blank, literal, min_max


def test_min_max_spans_0_to_1_and_leaves_a_uniform_grid_at_0():
    np.testing.assert_allclose(min_max(np.array([[2.0, 3.0], [4.0, 6.0]])), [[0, 0.25], [0.5, 1]])
    np.testing.assert_array_equal(min_max(np.full((2, 2), 0.3)), np.zeros((2, 2)))
    several = np.stack([np.eye(2), np.full((2, 2), 7.0)])
    np.testing.assert_array_equal(min_max(several), [np.eye(2), np.zeros((2, 2))])


def test_training_and_validation_differ_without_color():
    assert TRAIN["color"] != VALIDATION["color"]
    assert TRAIN["dash"] != VALIDATION["dash"]
    assert TRAIN["symbol"] != VALIDATION["symbol"]


def test_blank_keeps_zoom_and_takes_layout():
    layout = blank(200, top=4, x=axis("Epoch", range=[0, 1]), showlegend=False).layout
    assert (layout.height, layout.margin.t, layout.showlegend) == (200, 4, False)
    assert layout.uirevision == "keep"
    assert (layout.xaxis.title.text, layout.xaxis.range) == ("Epoch", (0, 1))
    assert layout.xaxis.zeroline is layout.yaxis.zeroline is False


def test_literal_text_is_neither_html_nor_a_field_of_a_template():
    shown = literal("<a href='x'>b</a> & %{x}")
    assert not set("<>{") & set(shown)
    assert html.unescape(shown) == "<a href='x'>b</a> & %{x}"
    assert literal("cat") == "cat"
