"""The figures show the numbers that they are given."""

import base64
import io
import re

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from vitdemo.explain.attention import min_max
from vitdemo.explain.faithfulness import Curves
from vitdemo.explain.methods import METHODS
from vitdemo.figures.attention import (
    matrix,
    overlay,
    picture_with_crosses,
    picture_with_patch,
    thumbnail_cell,
    thumbnails,
)
from vitdemo.figures.curves import all_curves, curve_values, metric_curve
from vitdemo.figures.export import LINE, MARGIN, PANEL, colors, view_page, view_png
from vitdemo.figures.faithfulness import removal, similarity
from vitdemo.figures.heads import by_layer, head_at, head_map, head_places
from vitdemo.figures.pictures import CELL, GAP, patches, sheet, to_source
from vitdemo.figures.predictions import before_and_after, confusion, top_classes
from vitdemo.figures.snapshots import growth
from vitdemo.figures.style import MARK
from vitdemo.training.metrics import METRICS

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (32, 32, 3), dtype=np.uint8)
NAMES = ("ant", "bee", "cat", "dog", "elk", "fox")


def history(epochs):
    """Records with a different number everywhere, and an AUROC without a value in the first."""
    records = []
    for epoch in range(1, epochs + 1):
        parts = {
            part: {key: epoch + i / 10 + shift for i, key in enumerate(METRICS)}
            for part, shift in (("train", 0), ("validation", 0.05))
        }
        records.append({"epoch": epoch, **parts})
    records[0]["train"]["auroc"] = None
    return tuple(records)


def frame_of(figure):
    """The marked rectangle as x0, y0, x1, y1."""
    (shape,) = [shape for shape in figure.layout.shapes if shape.line.color == MARK]
    return [shape.x0, shape.y0, shape.x1, shape.y1]


def pixels_of(figure):
    """The picture under the figure."""
    content = base64.b64decode(figure.data[0].source.split(",")[1])
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.mark.parametrize("key", METRICS)
def test_a_curve_has_a_point_an_epoch_for_each_part(key):
    records = history(3)
    figure = metric_curve(records, key, epochs=6)
    assert [trace.name for trace in figure.data] == ["Training", "Validation"]
    for trace, part in zip(figure.data, ("train", "validation"), strict=True):
        assert list(trace.x) == [1, 2, 3]
        assert list(trace.y) == [record[part][key] for record in records]
    assert figure.layout.title.text == METRICS[key][0]
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == (
        "Epoch",
        "nats" if key == "loss" else "share",
    )


def test_the_parts_differ_without_color_too():
    training, validation = metric_curve(history(2), "loss", 2).data
    assert training.line.color != validation.line.color
    assert training.line.dash != validation.line.dash
    assert training.marker.symbol != validation.marker.symbol


def test_a_curve_keeps_its_zoom_and_its_axis_while_it_grows():
    before, after = metric_curve((), "accuracy", 6), metric_curve(history(4), "accuracy", 6)
    assert before.layout.uirevision == after.layout.uirevision is not None
    assert before.layout.xaxis.range == after.layout.xaxis.range == (0.5, 6.5)


@pytest.mark.parametrize("epochs", [1, 2, 12, 13, 80])
@pytest.mark.parametrize("key", METRICS)
def test_a_chart_without_its_values_and_the_values_make_the_chart(key, epochs):
    for done in {1, min(epochs, 5), epochs}:
        filled = metric_curve((), key, epochs).to_plotly_json()
        for trace, values in zip(
            filled["data"], curve_values(history(done), key, epochs), strict=True
        ):
            trace.update(values)
        assert go.Figure(filled) == metric_curve(history(done), key, epochs)


def test_all_curves_has_every_metric_twice():
    figure = all_curves(history(2), 2, "a run")
    assert figure.layout.title.text == "a run"
    assert len(figure.data) == 2 * len(METRICS)
    assert [note.text for note in figure.layout.annotations] == [
        name for name, _ in METRICS.values()
    ]


def test_a_picture_keeps_every_pixel():
    kind, content = to_source(IMAGE).split(",")
    assert kind == "data:image/png;base64"
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))), IMAGE
    )


@pytest.mark.parametrize(("size", "cuts"), [(4, 7), (16, 1), (32, 0)])
def test_patches_are_cut_at_every_patch(size, cuts):
    shapes = patches(IMAGE, size).layout.shapes
    assert sorted({shape.x0 for shape in shapes if shape.x0 == shape.x1}) == [
        size * n for n in range(1, cuts + 1)
    ]
    assert len(shapes) == 2 * cuts


def test_the_overlay_shows_the_grid_from_its_least_to_its_most():
    grid = RNG.random((4, 4))
    figure = overlay(IMAGE, grid, patch_size=8, patch=6, strength=0.35)
    (heat,) = [trace for trace in figure.data if trace.type == "heatmap"]
    np.testing.assert_array_equal(np.array(heat.z), grid)
    assert (heat.zmin, heat.zmax, heat.opacity, heat.zsmooth) == (
        grid.min(),
        grid.max(),
        0.35,
        False,
    )
    assert heat.customdata[1][2] == "row 2, column 3"
    assert heat.colorbar.ticktext == (f"{grid.min():.3f}", f"{grid.max():.3f}")
    assert (heat.x0, heat.dx, heat.y0, heat.dy) == (4, 8, 4, 8)


def test_the_overlay_on_a_scale_for_all_and_smooth():
    heat = overlay(IMAGE, RNG.random((4, 4)), 8, None, 1.0, scale=(0.0, 2.5), smooth=True).data[1]
    assert (heat.zmin, heat.zmax, heat.zsmooth) == (0, 2.5, "best")
    assert heat.colorbar.ticktext == ("0.000", "2.500")


def test_signed_colors_part_at_zero():
    grid = np.array([[0.1, -0.4], [0.2, 0.0]])
    heat = overlay(IMAGE, grid, 16, None, 1.0, signed=True).data[1]
    assert (heat.zmin, heat.zmax) == (-0.4, 0.4)
    assert heat.colorscale != overlay(IMAGE, grid, 16, None, 1.0).data[1].colorscale


def test_a_flat_overlay_is_dark():
    heat = overlay(IMAGE, np.full((4, 4), 0.0625), 8, None, 1.0).data[1]
    assert heat.zmin == 0.0625 < heat.zmax


@pytest.mark.parametrize("scale", [None, (0.0, 2.0)])
@pytest.mark.parametrize(("depth", "heads", "side"), [(1, 1, 1), (3, 2, 4), (2, 5, 14)])
def test_the_thumbnails_hold_each_map_in_its_place(depth, heads, side, scale):
    grids = RNG.random((depth, heads, side, side))
    figure = thumbnails(grids, depth - 1, 0, scale, height=200)
    heat, cell = figure.data[0], thumbnail_cell(side)
    canvas = np.array(heat.z)
    assert (heat.zmin, heat.zmax) == (scale or (0, 1))
    assert (heat.x0, heat.y0) == (0.5, 0.5)
    for layer in range(depth):
        for head in range(heads):
            top, left = layer * cell, head * cell
            shown = canvas[top : top + side, left : left + side]
            np.testing.assert_array_equal(
                shown, grids[layer, head] if scale else min_max(grids[layer, head])
            )
            assert np.isnan(canvas[top + side : top + cell, left : left + cell]).all()
    assert figure.layout.xaxis.ticktext == tuple(str(head + 1) for head in range(heads))
    assert figure.layout.yaxis.ticktext == tuple(str(layer + 1) for layer in range(depth))


def test_the_chosen_thumbnails_are_framed():
    grids, edge = RNG.random((3, 2, 4, 4)), 0.5
    assert frame_of(thumbnails(grids, 1, 1, None, 200)) == [
        5 - edge,
        5 - edge,
        10 - edge,
        10 - edge,
    ]
    assert frame_of(thumbnails(grids, 2, None, None, 200)) == [
        -edge,
        10 - edge,
        10 - edge,
        15 - edge,
    ]


@pytest.mark.parametrize(
    ("patch", "frame"),
    [(None, [0, 0, 32, 32]), (0, [0, 0, 8, 8]), (6, [16, 8, 24, 16]), (15, [24, 24, 32, 32])],
)
def test_the_asking_patch_is_framed_where_it_lies(patch, frame):
    assert frame_of(picture_with_patch(IMAGE, 8, patch)) == frame
    over = overlay(IMAGE, np.eye(4), 8, patch, 0.5)
    assert over.layout.shapes == () if patch is None else frame_of(over) == frame


def test_the_matrix_marks_the_row_that_asks():
    attention = RNG.random((5, 5))
    figure = matrix(attention, token=3)
    np.testing.assert_array_equal(np.array(figure.data[0].z), attention)
    assert [(note.text, note.y) for note in figure.layout.annotations] == [("◀", 3)]
    assert figure.layout.yaxis.autorange == "reversed"


def test_the_matrix_marks_no_row_when_all_ask():
    assert not matrix(RNG.random((4, 4)), token=None).layout.annotations


@pytest.mark.parametrize(
    ("tokens", "first"),
    [(2, "CLS"), (5, "CLS"), (65, "CLS"), (1, "first patch"), (4, "first patch")],
)
def test_the_axes_say_what_token_0_is(tokens, first):
    axes = matrix(RNG.random((tokens, tokens)), token=0).layout
    assert axes.xaxis.title.text == f"Attended token (0 = {first})"
    assert axes.yaxis.title.text == f"Asking token (0 = {first})"


def test_the_most_probable_class_is_on_top_and_the_right_one_is_ticked():
    figure = top_classes(np.array([0.1, 0.05, 0.4, 0.25, 0.15, 0.05]), NAMES, label=3)
    bars = figure.data[0]
    assert list(bars.y)[::-1] == ["cat", "dog ✓", "elk", "ant", "bee"]
    assert list(bars.x)[::-1] == [0.4, 0.25, 0.15, 0.1, 0.05]
    colors = list(bars.marker.color)[::-1]
    assert len({colors[0], colors[1], colors[2]}) == 3


def test_nobody_is_wrong_about_a_picture_without_a_label():
    figure = top_classes(np.array([0.1, 0.05, 0.4, 0.25, 0.15, 0.05]), NAMES, label=None)
    assert len(set(figure.data[0].marker.color)) == 1


def test_before_and_after_show_whoever_was_or_is_probable():
    before, after = (
        np.array([0.9, 0.05, 0.02, 0.01, 0.01, 0.01]),
        np.array([0.1, 0.05, 0.8, 0.02, 0.02, 0.01]),
    )
    then, first = before_and_after(before, after, NAMES, label=0, count=3).data
    assert (then.name, first.name) == ("after", "before")
    assert list(then.y)[::-1] == list(first.y)[::-1] == ["ant ✓", "cat", "bee"]
    assert (list(then.x)[::-1], list(first.x)[::-1]) == ([0.1, 0.8, 0.05], [0.9, 0.02, 0.05])
    assert then.opacity > first.opacity


def test_crosses_lie_on_their_patches():
    notes = picture_with_crosses(IMAGE, 8, None, (0, 6)).layout.annotations
    assert [(note.x, note.y) for note in notes] == [(4, 4), (20, 12)]


def test_the_confusion_matrix_shows_its_counts():
    counts = RNG.integers(0, 9, (6, 6))
    heat = confusion(counts, NAMES).data[0]
    assert [[re.sub("<.*?>", "", text) for text in row] for row in heat.text] == [
        [str(n) for n in row] for row in counts
    ]
    assert tuple(heat.x) == tuple(heat.y) == NAMES


def test_the_sheet_holds_each_picture_in_its_place():
    images = RNG.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    figure = sheet(images, columns=3, chosen=4, height=100)
    canvas = pixels_of(figure)
    assert canvas.shape == (3 * CELL, 3 * CELL, 3)
    for place, image in enumerate(images):
        top, left = place // 3 * CELL + GAP, place % 3 * CELL + GAP
        np.testing.assert_array_equal(canvas[top : top + 32, left : left + 32], image)
    assert frame_of(figure) == [CELL, CELL, 2 * CELL, 2 * CELL]
    cells = figure.data[1]
    assert (np.shape(cells.z), cells.x0, cells.dx) == ((3, 3), CELL / 2, CELL)


def test_all_color_on_the_overlay_is_attention():
    canvas = pixels_of(overlay(IMAGE, np.eye(4), 8, None, 0.5))
    assert (canvas == canvas[..., :1]).all()
    np.testing.assert_array_equal(pixels_of(picture_with_patch(IMAGE, 8, None)), IMAGE)


@pytest.mark.parametrize("part", ["deletion", "insertion"])
def test_removal_shows_each_method_and_the_band_of_chance(part):
    shares = np.array([0, 0.5, 1])
    chance = [Curves(shares, *RNG.random((2, 3))) for _ in range(4)]
    found = {name: Curves(shares, *RNG.random((2, 3))) for name in METHODS}
    low, high, mean, *lines = removal(found, chance, part, 200).data
    random = np.stack([getattr(one, part) for one in chance])
    for trace, expected in (
        (low, random.min(axis=0)),
        (high, random.max(axis=0)),
        (mean, random.mean(axis=0)),
    ):
        np.testing.assert_array_equal(trace.y, expected)
    assert high.fill == "tonexty"
    assert [line.name for line in lines] == list(found)
    for line in lines:
        np.testing.assert_array_equal(line.y, getattr(found[line.name], part))
    assert len({(line.line.color, line.line.dash, line.marker.symbol) for line in lines}) == len(
        lines
    )


def test_similarity_begins_with_the_whole_model():
    (line,) = similarity({"rollout": [0.9, 0.1]}, ["head", "block 1"], 200).data
    assert (list(line.x), list(line.y)) == (["none", "head", "block 1"], [1.0, 0.9, 0.1])


@pytest.mark.parametrize(("chosen", "marked"), [((1, 2), [5]), ((0, None), [0, 1, 2])])
def test_heads_lie_by_layer_and_the_chosen_are_marked(chosen, marked):
    values = RNG.random((2, 3))
    mean, points = by_layer(values, "bits", None, chosen, 200).data
    np.testing.assert_allclose(mean.y, values.mean(axis=1))
    assert list(mean.x) == [1, 2]
    np.testing.assert_array_equal(points.y, values.ravel())
    assert [place for place, color in enumerate(points.marker.color) if color == MARK] == marked
    assert list(points.customdata[5]) == [2, 3]


@pytest.mark.parametrize(("depth", "heads"), [(1, 1), (3, 4), (12, 16)])
def test_a_point_tells_its_head(depth, heads):
    places = head_places(depth, heads)
    assert len(np.unique(places)) == depth * heads
    for layer, head in np.ndindex(depth, heads):
        assert head_at(float(places[layer, head]), heads) == (layer, head)


@pytest.mark.parametrize(("signed", "low"), [(True, -0.5), (False, 0.0)])
def test_a_head_map_parts_at_zero_and_crosses_what_is_off(signed, low):
    values = np.array([[0.1, -0.5], [0.2, 0.0]])
    figure = head_map(values, "accuracy", signed, {(1, 0)}, 200)
    heat = figure.data[0]
    np.testing.assert_array_equal(np.array(heat.z), values)
    assert (heat.zmin, heat.zmax, heat.x0, heat.y0) == (low, 0.5, 1, 1)
    assert [(note.x, note.y) for note in figure.layout.annotations] == [(1, 2)]


def test_growth_has_a_line_for_each_answer_and_the_accuracy():
    said = {"cat": np.array([0.1, 0.2, 0.9]), "dog": np.array([0.5, 0.4, 0.1])}
    figure = growth([0.1, 1, 80], said, [0.1, 0.3, 0.8], chosen=1, height=200)
    assert [(line.name, list(line.y)) for line in figure.data] == [
        ("says cat", [0.1, 0.2, 0.9]),
        ("says dog", [0.5, 0.4, 0.1]),
        ("accuracy, all images", [0.1, 0.3, 0.8]),
    ]
    assert all(list(line.x) == [0.1, 1, 80] for line in figure.data)
    assert [shape.x0 for shape in figure.layout.shapes] == [1]


def test_the_kept_picture_has_the_map_in_its_colors():
    grid, grids = np.array([[0.0, 1.0], [0.5, 0.0]]), RNG.random((3, 2, 2, 2))
    content = view_png(IMAGE, grid, grids, 1.0, "a title", "a note")
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    top = MARGIN + 2 * LINE
    picture, shown, sheet_ = (
        pixels[top : top + PANEL, MARGIN + place * (PANEL + MARGIN) :][:, :PANEL]
        for place in range(3)
    )
    np.testing.assert_array_equal(picture[6::12, 6::12], IMAGE)
    dark, bright = colors(np.array([0.0, 1.0])).round()
    for row, column, color in ((0, 0, dark), (0, 1, bright), (1, 1, dark)):
        np.testing.assert_array_equal(shown[row * 192 + 96, column * 192 + 96], color)
    assert (
        sheet_[: PANEL // 3, 2 * PANEL // 3 + 1 :] == 255
    ).all()  # two heads, and a third's place is empty
    assert (pixels[:top] < 100).any()  # the words


def test_the_colors_are_those_of_the_charts():
    np.testing.assert_allclose(colors(np.array([0.0, 1.0])), [[68, 1, 84], [253, 231, 37]], atol=1)


def test_the_kept_page_holds_its_figures_and_needs_no_network():
    page = view_page(
        {"One & only": picture_with_patch(IMAGE, 8, None), "Two": matrix(np.eye(3), 0)},
        "T <1>",
        "note",
    )
    assert page.count("<h2>") == 2
    assert "One &amp; only" in page
    assert "<title>T &lt;1&gt;</title>" in page
    assert "<script src=" not in page
    assert page.count("Plotly.newPlot(") >= 2
