"""The maps of every layer and head in one figure."""

import numpy as np
import pytest

from vitdemo.figures.style import min_max
from vitdemo.figures.thumbnails import thumbnail_cell, thumbnails

from .read_figure import frame_of

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("limits", [None, (0.0, 2.0)])
@pytest.mark.parametrize(("depth", "heads", "side"), [(1, 1, 1), (3, 2, 4), (2, 5, 14)])
def test_thumbnails_hold_each_map_at_its_layer_and_head(depth, heads, side, limits):
    grids = RNG.random((depth, heads, side, side))
    figure = thumbnails(grids, 200, framed=(depth - 1, 0), limits=limits)
    heat, cell = figure.data[0], thumbnail_cell(side)
    canvas = np.array(heat.z)
    assert canvas.shape == (depth * cell, heads * cell)
    assert (heat.zmin, heat.zmax) == (limits or (0, 1))
    assert (heat.x0, heat.y0) == (0.5, 0.5)
    for layer in range(depth):
        for head in range(heads):
            top, left = layer * cell, head * cell
            shown = canvas[top : top + side, left : left + side]
            expected = min_max(grids[layer, head]) if limits is None else grids[layer, head]
            np.testing.assert_array_equal(shown, expected)
            assert np.isnan(canvas[top + side : top + cell, left : left + cell]).all()
            assert np.isnan(canvas[top : top + cell, left + side : left + cell]).all()
    assert figure.layout.xaxis.ticktext == tuple(str(head + 1) for head in range(heads))
    assert figure.layout.yaxis.ticktext == tuple(str(layer + 1) for layer in range(depth))
    assert figure.layout.xaxis.tickvals == tuple(head * cell + side / 2 for head in range(heads))


def test_frame_lies_around_one_head_or_the_whole_layer():
    grids, edge = RNG.random((3, 2, 4, 4)), 0.5
    one_head = [5 - edge, 5 - edge, 10 - edge, 10 - edge]
    assert frame_of(thumbnails(grids, 200, framed=(1, 1))) == one_head
    layer = [-edge, 10 - edge, 10 - edge, 15 - edge]
    assert frame_of(thumbnails(grids, 200, framed=(2, None))) == layer


def test_thumbnails_have_no_frame_unless_asked_for():
    assert thumbnails(RNG.random((3, 2, 4, 4)), 200).layout.shapes == ()


@pytest.mark.parametrize(("grid_size", "cell"), [(1, 2), (4, 5), (8, 9), (14, 16)])
def test_thumbnail_cell_leaves_a_gap(grid_size, cell):
    assert thumbnail_cell(grid_size) == cell


def test_thumbnails_without_any_pattern_say_so():
    grids = np.full((2, 2, 4, 4), 0.0625)
    figure = thumbnails(grids, 200)
    assert [note.text for note in figure.layout.annotations] == ["No patch stands out in any head"]
    assert np.nanmax(np.array(figure.data[0].z)) == 0  # dark
    grids[0, 0, 1, 1] = 0.5
    assert not thumbnails(grids, 200).layout.annotations
