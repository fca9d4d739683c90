"""Curves, pictures and predictions: the figures show the numbers that they are given."""

import base64
import io
import re

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from vitdemo.figures.curves import all_curves, curve_values, metric_curve
from vitdemo.figures.pictures import CELL, GAP, patches, sheet, to_source
from vitdemo.figures.predictions import (
    before_and_after,
    confusion,
    top_classes,
    top_classes_changes,
)
from vitdemo.training.metrics import METRICS

from .read_figure import IMAGE, RNG, changed, frame_of, pixels_of

NAMES = ("ant", "bee", "cat", "dog", "elk", "fox")


def history(epochs):
    """Return records in which every value differs, and the first training AUROC is missing."""
    records = []
    for epoch in range(1, epochs + 1):
        parts = {
            part: {key: epoch + i / 10 + shift for i, key in enumerate(METRICS)}
            for part, shift in (("train", 0), ("validation", 0.05))
        }
        records.append({"epoch": epoch, **parts})
    records[0]["train"]["auroc"] = None
    return tuple(records)


@pytest.mark.parametrize("key", METRICS)
def test_metric_curve_has_one_point_per_epoch_for_each_part(key):
    records = history(3)
    figure = metric_curve(records, key, epochs=6, num_classes=10)
    assert [trace.name for trace in figure.data] == ["Training", "Validation"]
    for trace, part in zip(figure.data, ("train", "validation"), strict=True):
        assert list(trace.x) == [1, 2, 3]
        assert list(trace.y) == [record[part][key] for record in records]
    assert figure.layout.xaxis.title.text == "Epoch"
    units = {"loss": "nats", "accuracy": "accuracy", "top1": "accuracy", "top5": "accuracy"}
    assert figure.layout.yaxis.title.text == units.get(key, "score")
    assert (figure.layout.yaxis.tickformat == ".0%") == (units.get(key) == "accuracy")


def test_training_and_validation_differ_without_color():
    training, validation = metric_curve(history(2), "loss", 2, 10).data
    assert training.line.color != validation.line.color
    assert training.line.dash != validation.line.dash
    assert training.marker.symbol != validation.marker.symbol


def test_metric_curve_keeps_zoom_and_axis_while_it_grows():
    before = metric_curve((), "accuracy", 6, 10)
    after = metric_curve(history(4), "accuracy", 6, 10)
    assert before.layout.uirevision == after.layout.uirevision is not None
    assert before.layout.xaxis.range == after.layout.xaxis.range == (0.5, 6.5)
    assert before.layout.yaxis == after.layout.yaxis
    assert before.layout.yaxis.range is None  # Plotly fits it to the values


@pytest.mark.parametrize(
    ("key", "num_classes", "levels"),
    [
        ("loss", 10, [2.302585]),
        ("accuracy", 10, [0.1]),
        ("accuracy", 1000, [0.001]),
        ("recall", 4, [0.25]),
        ("top1", 2, [0.5]),
        ("top5", 20, [0.25]),
        ("top5", 3, [1.0]),
        ("auroc", 20, [0.5]),
        ("f1", 10, []),
        ("precision", 10, []),
    ],
)
def test_chance_level_is_a_line_where_there_is_one(key, num_classes, levels):
    figure = metric_curve(history(2), key, 2, num_classes)
    lines = [shape for shape in figure.layout.shapes if shape.line.width]
    assert [line.y0 for line in lines] == [line.y1 for line in lines] == pytest.approx(levels)
    assert [(line.xref, line.x0, line.x1) for line in lines] == [("x domain", 0, 1)] * len(lines)
    for level in levels:  # seen before there is any value
        room = next(shape for shape in figure.layout.shapes if not shape.line.width)
        assert room.y0 <= level <= room.y1


def test_title_states_what_equals_accuracy_by_definition():
    titles = {key: metric_curve((), key, 2, 10).layout.title.text for key in METRICS}
    assert titles.pop("recall") == "Recall (= accuracy)"
    assert titles.pop("top1") == "Top-1 (= accuracy)"
    assert titles == {key: METRICS[key][0] for key in titles}
    assert metric_curve((), "top5", 2, 5).layout.title.text == "Top-5 (always 100%)"
    assert metric_curve((), "top5", 2, 6).layout.title.text == "Top-5 accuracy"


@pytest.mark.parametrize("epochs", [1, 2, 12, 13, 80])
@pytest.mark.parametrize("key", METRICS)
def test_empty_metric_curve_with_curve_values_equals_the_full_chart(key, epochs):
    for done in {1, min(epochs, 5), epochs}:
        filled = metric_curve((), key, epochs, 10).to_plotly_json()
        for trace, values in zip(
            filled["data"], curve_values(history(done), key, epochs), strict=True
        ):
            trace.update(values)
        assert go.Figure(filled) == metric_curve(history(done), key, epochs, 10)


def test_all_curves_shows_every_metric_for_both_parts():
    figure = all_curves(history(2), 2, 10, "a run")
    assert figure.layout.title.text == "a run"
    assert len(figure.data) == 2 * len(METRICS)
    titles = [metric_curve((), key, 2, 10).layout.title.text for key in METRICS]
    assert [note.text for note in figure.layout.annotations] == titles
    for number, key in enumerate(METRICS, 1):
        alone = metric_curve((), key, 2, 10).layout.shapes
        axis = "y" if number == 1 else f"y{number}"
        here = [shape for shape in figure.layout.shapes if shape.yref == axis]
        assert [(s.y0, s.line.width) for s in here] == [(s.y0, s.line.width) for s in alone]


def test_to_source_keeps_every_pixel():
    kind, content = to_source(IMAGE).split(",")
    assert kind == "data:image/png;base64"
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))), IMAGE
    )


@pytest.mark.parametrize(("size", "cuts"), [(4, 7), (16, 1), (32, 0)])
def test_patches_draws_a_line_at_every_patch_border(size, cuts):
    shapes = patches(IMAGE, size).layout.shapes
    assert sorted({shape.x0 for shape in shapes if shape.x0 == shape.x1}) == [
        size * n for n in range(1, cuts + 1)
    ]
    assert len(shapes) == 2 * cuts


def test_top_classes_puts_the_most_probable_on_top_and_checks_the_true_class():
    figure = top_classes(np.array([0.1, 0.05, 0.4, 0.25, 0.15, 0.05]), NAMES, label=3)
    bars = figure.data[0]
    assert list(bars.y)[::-1] == ["cat", "dog ✓", "elk", "ant", "bee"]
    assert list(bars.x)[::-1] == [0.4, 0.25, 0.15, 0.1, 0.05]
    colors = list(bars.marker.color)[::-1]
    assert len({colors[0], colors[1], colors[2]}) == 3


@pytest.mark.parametrize(
    ("longest", "fits"), [("automobile", True), ("a striped armchair", False), ("ネコ", False)]
)
def test_bars_of_short_names_stay_in_place(longest, fits):
    classes = (longest, "cat", "dog")
    first, other = (
        top_classes(np.array(probabilities), classes, label=None, count=1)
        for probabilities in ([0.8, 0.1, 0.1], [0.1, 0.8, 0.1])
    )
    assert first.layout.margin == other.layout.margin
    assert (first.layout.yaxis.automargin, first.layout.margin.l > 8) == (not fits, fits)


def test_top_classes_without_a_label_marks_none_as_wrong():
    figure = top_classes(np.array([0.1, 0.05, 0.4, 0.25, 0.15, 0.05]), NAMES, label=None)
    assert len(set(figure.data[0].marker.color)) == 1


@pytest.mark.parametrize("label", [None, 0, 3])
def test_other_probabilities_change_the_bars_as_if_drawn_anew(label):
    before = np.array([0.1, 0.05, 0.4, 0.25, 0.15, 0.05])
    figure = top_classes(before, NAMES, label)
    changes = top_classes_changes(before[::-1], NAMES, label)
    assert changed(figure, changes) == top_classes(before[::-1], NAMES, label)


def test_before_and_after_shows_classes_probable_in_either():
    before, after = (
        np.array([0.9, 0.05, 0.02, 0.01, 0.01, 0.01]),
        np.array([0.1, 0.05, 0.8, 0.02, 0.02, 0.01]),
    )
    then, first = before_and_after(before, after, NAMES, label=0, count=3).data
    assert (then.name, first.name) == ("after", "before")
    assert list(then.y)[::-1] == list(first.y)[::-1] == ["ant ✓", "cat", "bee"]
    assert (list(then.x)[::-1], list(first.x)[::-1]) == ([0.1, 0.8, 0.05], [0.9, 0.02, 0.05])
    assert then.marker.opacity > first.marker.opacity


def test_long_names_of_classes_leave_room_for_the_values():
    names = ("a" * 200, "a" * 199 + "b", "cat")
    figures = (
        top_classes(np.array([0.5, 0.3, 0.2]), names, None),
        before_and_after(np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5]), names, None),
        confusion(np.eye(3, dtype=int), names),
    )
    for figure in figures:
        axis = figure.layout.yaxis
        assert max(map(len, axis.ticktext)) <= 24
        assert set(axis.tickvals) == set(figure.data[0].y) == set(names)  # classes stay apart


@pytest.mark.parametrize("count", [2, 10, 20])
def test_confusion_has_room_for_each_class(count):
    names = tuple(f"class {k}" for k in range(count))
    figure = confusion(np.eye(count, dtype=int), names)
    assert list(figure.layout.yaxis.ticktext) == list(names)
    assert figure.layout.height / count >= 30


def test_confusion_shows_its_counts_with_labeled_axes():
    counts = RNG.integers(0, 9, (6, 6))
    figure = confusion(counts, NAMES)
    heat = figure.data[0]
    assert [[re.sub("<.*?>", "", text) for text in row] for row in heat.text] == [
        [str(n) for n in row] for row in counts
    ]
    assert tuple(heat.x) == tuple(heat.y) == NAMES
    assert figure.layout.xaxis.title.text == "Predicted class"
    assert figure.layout.yaxis.title.text == "True class"


def test_sheet_puts_each_image_in_its_cell():
    images = RNG.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    figure = sheet(images, columns=3, chosen=4, height=100)
    canvas = pixels_of(figure)
    assert canvas.shape == (3 * CELL, 3 * CELL, 3)
    for number, image in enumerate(images):
        top, left = number // 3 * CELL + GAP, number % 3 * CELL + GAP
        np.testing.assert_array_equal(canvas[top : top + 32, left : left + 32], image)
    assert frame_of(figure) == [CELL, CELL, 2 * CELL, 2 * CELL]
    cells = figure.data[1]
    assert (np.shape(cells.z), cells.x0, cells.dx) == ((3, 3), CELL / 2, CELL)


@pytest.mark.parametrize(("chosen", "visible"), [(None, False), (0, True), (4, True)])
def test_the_frame_of_a_sheet_is_hidden_without_a_chosen_image(chosen, visible):
    figure = sheet(np.zeros((5, 32, 32, 3), np.uint8), 3, chosen, height=100)
    (frame,) = figure.layout.shapes
    assert frame.visible is visible
