"""Numbers of heads, as points by layer and as a map of layers by heads."""

import numpy as np
import pytest

from vitdemo.figures.heads import by_layer, head_at, head_map, head_positions
from vitdemo.figures.style import MARK

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("chosen", "marked"), [((1, 2), [5]), ((0, None), [0, 1, 2])])
def test_by_layer_draws_each_head_and_marks_the_chosen(chosen, marked):
    values = RNG.random((2, 3))
    mean, points = by_layer(values, "bits", None, chosen, 200).data
    np.testing.assert_allclose(mean.y, values.mean(axis=1))
    assert list(mean.x) == [1, 2]
    np.testing.assert_array_equal(points.y, values.ravel())
    np.testing.assert_array_equal(points.x, head_positions(2, 3).ravel())
    assert [place for place, color in enumerate(points.marker.color) if color == MARK] == marked
    assert list(points.customdata[5]) == [2, 3]


def test_by_layer_draws_the_value_of_uniform_attention_as_a_line():
    values = RNG.random((2, 3))
    (line,) = by_layer(values, "bits", 6.0, (0, 0), 200).layout.shapes
    assert (line.y0, line.y1, line.line.dash) == (6, 6, "dot")
    assert by_layer(values, "bits", None, (0, 0), 200).layout.shapes == ()


@pytest.mark.parametrize(("depth", "heads"), [(1, 1), (3, 4), (12, 16)])
def test_head_at_inverts_head_positions(depth, heads):
    positions = head_positions(depth, heads)
    assert len(np.unique(positions)) == depth * heads
    for layer, head in np.ndindex(depth, heads):
        assert head_at(float(positions[layer, head]), heads) == (layer, head)


@pytest.mark.parametrize(("signed", "low"), [(True, -0.5), (False, 0.0)])
def test_head_map_shows_each_value_and_crosses_ablated_heads(signed, low):
    values = np.array([[0.1, -0.5], [0.2, 0.0]])
    figure = head_map(values, "accuracy", signed, {(1, 0)}, 200)
    heat = figure.data[0]
    np.testing.assert_array_equal(np.array(heat.z), values)
    assert (heat.zmin, heat.zmax, heat.x0, heat.y0) == (low, 0.5, 1, 1)
    assert [(note.x, note.y) for note in figure.layout.annotations] == [(1, 2)]


@pytest.mark.parametrize("signed", [False, True])
def test_head_map_of_equal_heads_says_so(signed):
    figure = head_map(np.zeros((2, 2)), "accuracy", signed, set(), 200)
    heat = figure.data[0]
    assert (heat.zmin, heat.zmax, heat.colorbar.ticktext) == (-1 if signed else 0, 1, ("0",))
    assert [note.text for note in figure.layout.annotations] == ["No head stands out"]
    assert not head_map(np.ones((1, 1)), "accuracy", signed, set(), 200).layout.annotations


def test_head_map_shows_notes_on_hover():
    notes = np.array([["3 images lost", "none"]])
    heat = head_map(np.zeros((1, 2)), "points", True, set(), 200, notes).data[0]
    assert list(heat.customdata[0]) == ["3 images lost", "none"]
    assert "%{customdata}" in heat.hovertemplate
