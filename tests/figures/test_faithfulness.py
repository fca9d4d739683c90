"""Deletion and insertion curves, and the similarity of maps after shuffling."""

import numpy as np
import pytest

from vitdemo.explain.methods import METHODS as EXPLAINED
from vitdemo.figures.faithfulness import removal_curves, similarity_by_stage
from vitdemo.figures.style import METHODS

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("what", ["occluded", "shown"])
def test_removal_curves_show_each_method_and_a_band_of_random_orders(what):
    fractions = np.array([0, 0.5, 1])
    random = RNG.random((4, 3))
    curves = {name: RNG.random(3) for name in METHODS}
    figure = removal_curves(fractions, curves, random, what, 200)
    low, high, mean, *lines = figure.data
    for trace, expected in (
        (low, random.min(axis=0)),
        (high, random.max(axis=0)),
        (mean, random.mean(axis=0)),
    ):
        np.testing.assert_array_equal(trace.x, fractions)
        np.testing.assert_array_equal(trace.y, expected)
    assert high.fill == "tonexty"
    assert (low.showlegend, high.showlegend, mean.name) == (False, False, "random")
    assert [line.name for line in lines] == list(curves)
    for line in lines:
        np.testing.assert_array_equal(line.x, fractions)
        np.testing.assert_array_equal(line.y, curves[line.name])
    assert figure.layout.xaxis.title.text == f"Patches {what}"


def test_every_attribution_method_has_a_style_of_its_own():
    assert list(METHODS) == list(EXPLAINED)
    lines = removal_curves(
        np.array([0, 1]), {name: np.zeros(2) for name in METHODS}, np.zeros((1, 2)), "shown", 200
    ).data[3:]
    for style in (
        {line.line.color for line in lines},
        {line.line.dash for line in lines},
        {line.marker.symbol for line in lines},
    ):
        assert len(style) == len(METHODS)


def test_similarity_begins_at_1_without_shuffling():
    figure = similarity_by_stage({"rollout": [0.9, 0.1]}, ["head", "block 1"], None, 200)
    (line,) = figure.data
    assert figure.layout.shapes == ()
    assert (list(line.x), list(line.y)) == (["none", "head", "block 1"], [1.0, 0.9, 0.1])
    assert line.name == "rollout"


def test_similarity_has_a_band_of_unrelated_maps():
    figure = similarity_by_stage({"rollout": [0.9]}, ["head"], (-0.3, 0.4), 200)
    (band,) = figure.layout.shapes
    assert (band.y0, band.y1, band.layer) == (-0.3, 0.4, "below")


def test_curves_without_random_orders_have_no_band():
    fractions = np.array([0, 1])
    figure = removal_curves(fractions, {"rollout": fractions}, np.array([]), "shown", 200)
    assert [line.name for line in figure.data] == ["rollout"]
    assert removal_curves(fractions, {}, np.array([]), "shown", 200).data == ()
