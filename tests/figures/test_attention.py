"""Maps of patches over the picture, and the attention matrix."""

import numpy as np
import pytest

from vitdemo.figures.attention import (
    MapStyle,
    matrix,
    overlay,
    overlay_changes,
    picture_with_crosses,
    picture_with_patch,
)

from .read_figure import IMAGE, changed, frame_of, pixels_of

RNG = np.random.default_rng(0)


def heatmap_of(figure):
    (heatmap,) = [trace for trace in figure.data if trace.type == "heatmap"]
    return heatmap


def test_overlay_scales_its_colors_to_the_map():
    grid = RNG.random((4, 4))
    figure = overlay(IMAGE, grid, patch_size=8, style=MapStyle(opacity=0.35), frame=6)
    heat = heatmap_of(figure)
    low, high = grid.min(), grid.max()
    np.testing.assert_array_equal(np.array(heat.z), grid)
    assert (heat.zmin, heat.zmax, heat.opacity, heat.zsmooth) == (low, high, 0.35, False)
    assert heat.customdata[1][2] == "row 2, column 3"
    assert heat.colorbar.ticktext == (f"{low:.3g}", f"{high:.3g}")
    assert heat.colorbar.tickvals == (low, high)
    assert (heat.x0, heat.dx, heat.y0, heat.dy) == (4, 8, 4, 8)
    assert frame_of(figure) == [16, 8, 24, 16]


def test_overlay_with_given_limits_and_interpolation():
    style = MapStyle(limits=(0.0, 2.5), smooth=True)
    heat = heatmap_of(overlay(IMAGE, RNG.random((4, 4)), 8, style))
    assert (heat.zmin, heat.zmax, heat.zsmooth, heat.opacity) == (0, 2.5, "best", 1)
    assert heat.colorbar.ticktext == ("0", "2.5")


@pytest.mark.parametrize("sign", [1, -1])
def test_signed_overlay_is_symmetric_about_0(sign):
    grid = sign * np.array([[0.1, -0.4], [0.2, 0.0]])
    heat = heatmap_of(overlay(IMAGE, grid, 16, MapStyle(signed=True)))
    assert (heat.zmin, heat.zmax) == (-0.4, 0.4)
    plain = heatmap_of(overlay(IMAGE, grid, 16))
    assert heat.colorscale != plain.colorscale


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.0625])
def test_uniform_overlay_says_so_in_one_color(value, signed):
    figure = overlay(IMAGE, np.full((4, 4), value), 8, MapStyle(signed=signed))
    heat = heatmap_of(figure)
    assert [note.text for note in figure.layout.annotations] == ["No patch stands out"]
    assert heat.zmin <= value <= heat.zmax > heat.zmin
    if signed and value == 0:  # the color of 0
        assert heat.zmin == -heat.zmax
    assert len(set(heat.colorbar.ticktext)) == len(heat.colorbar.tickvals)
    varied = overlay(IMAGE, np.eye(4), 8, MapStyle(signed=signed))
    assert not varied.layout.annotations


@pytest.mark.parametrize("limits", [None, (0.0, 2.0)])
@pytest.mark.parametrize("grid", [RNG.random((4, 4)).round(4), np.full((4, 4), 0.25)])
@pytest.mark.parametrize("before", [np.eye(4), np.zeros((4, 4))])
def test_another_map_changes_an_overlay_as_if_drawn_anew(before, grid, limits):
    style = MapStyle(0.5, limits, unit="rollout")
    figure = changed(overlay(IMAGE, before, 8, style, frame=3), overlay_changes(grid, style))
    anew = overlay(IMAGE, grid, 8, style, frame=3)
    anew_notes = [note.text for note in anew.layout.annotations]
    assert [note.text for note in figure.layout.annotations] == anew_notes
    np.testing.assert_array_equal(np.array(heatmap_of(figure).z), grid)
    for one in (figure, anew):
        heatmap_of(one).z = None  # a list and an array
        one.layout.annotations = ()  # an empty list and none
    assert figure == anew


def test_numbers_of_another_map_have_the_digits_of_their_hover_text():
    (heatmap,) = overlay_changes(np.array([[0.0123456]]), MapStyle())["traces"][1:]
    assert heatmap["z"] == [[0.01235]]
    assert "%{z:.4g}" in heatmap_of(overlay(IMAGE, np.eye(4), 8)).hovertemplate


def test_uniform_matrix_says_so_in_one_color():
    figure = matrix(np.full((5, 5), 0.2), token=None, has_cls=True)
    assert [note.text for note in figure.layout.annotations] == ["No token stands out"]
    assert (figure.data[0].zmin, figure.data[0].colorbar.ticktext) == (0.2, ("0.2",))


def test_overlay_shows_its_unit_beside_the_color_bar_and_on_hover():
    heat = heatmap_of(overlay(IMAGE, np.eye(4), 8, MapStyle(unit="relevance")))
    assert heat.colorbar.title.text == "relevance"
    assert "relevance %{z:.4g}" in heat.hovertemplate


def test_overlay_draws_the_picture_in_gray():
    canvas = pixels_of(overlay(IMAGE, np.eye(4), 8))
    assert (canvas == canvas[..., :1]).all()
    np.testing.assert_array_equal(canvas[..., 0], IMAGE.mean(axis=2).astype(np.uint8))
    np.testing.assert_array_equal(pixels_of(picture_with_patch(IMAGE, 8, None)), IMAGE)


@pytest.mark.parametrize(
    ("patch", "frame"),
    [(None, [0, 0, 32, 32]), (0, [0, 0, 8, 8]), (6, [16, 8, 24, 16]), (15, [24, 24, 32, 32])],
)
def test_the_frame_lies_around_its_patch(patch, frame):
    assert frame_of(picture_with_patch(IMAGE, 8, patch)) == frame
    over = overlay(IMAGE, np.eye(4), 8, frame=patch)
    if patch is None:
        assert over.layout.shapes == ()
    else:
        assert frame_of(over) == frame


def test_picture_with_patch_has_a_named_cell_for_each_patch():
    cells = heatmap_of(picture_with_patch(IMAGE, 8, None))
    assert np.shape(cells.z) == np.shape(cells.customdata) == (4, 4)
    assert cells.customdata[3][0] == "row 4, column 1"
    assert (cells.x0, cells.dx, cells.opacity) == (4, 8, 0)


def test_crosses_lie_at_the_centers_of_their_patches():
    figure = picture_with_crosses(IMAGE, 8, 6, (0, 6))
    assert [(note.x, note.y) for note in figure.layout.annotations] == [(4, 4), (20, 12)]
    assert frame_of(figure) == [16, 8, 24, 16]


def test_matrix_marks_the_row_of_the_query():
    attention = RNG.random((5, 5))
    figure = matrix(attention, token=3, has_cls=True)
    np.testing.assert_array_equal(np.array(figure.data[0].z), attention)
    assert [(note.text, note.y) for note in figure.layout.annotations] == [("◀", 3)]
    assert figure.layout.yaxis.autorange == "reversed"


def test_matrix_marks_no_row_without_a_query():
    assert not matrix(RNG.random((4, 4)), token=None, has_cls=False).layout.annotations


@pytest.mark.parametrize(
    ("tokens", "has_cls", "first"),
    [
        (2, True, "CLS"),
        (5, True, "CLS"),
        (65, True, "CLS"),
        (1, False, "first patch"),
        (4, False, "first patch"),
    ],
)
def test_axes_of_the_matrix_name_token_0(tokens, has_cls, first):
    axes = matrix(RNG.random((tokens, tokens)), token=0, has_cls=has_cls).layout
    assert axes.xaxis.title.text == f"Key token (0 = {first})"
    assert axes.yaxis.title.text == f"Query token (0 = {first})"
