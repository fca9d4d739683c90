"""Deletion and insertion, on a toy model with known areas, and against loops."""

import math

import numpy as np
import pytest
import torch

from vitdemo.config import ModelConfig
from vitdemo.explain.faithfulness import (
    RANDOM,
    area_under,
    curves,
    order_of,
    random_orders,
    scores_over,
    verdict,
)
from vitdemo.explain.methods import Method
from vitdemo.explain.occlusion import occlude


class CountsBright:
    """A toy model of 4 x 4 patches, each of one pixel.

    The probability of class 1 is the fraction of the four bright pixels that is left.
    """

    config = ModelConfig(image_size=4, patch_size=1)
    bright = ((0, 0), (1, 2), (2, 1), (3, 3))

    @property
    def image(self):
        image = torch.full((1, 4, 4), -1.0)
        for row, column in self.bright:
            image[0, row, column] = 3.0  # the mean is 0
        return image

    def __call__(self, images):
        pixels = [images[:, 0, row, column] for row, column in self.bright]
        left = (torch.stack(pixels, dim=1) > 2).float().mean(dim=1)
        return torch.stack([1 - left, left], dim=1).clamp(min=1e-9).log()


def test_scores_of_the_toy_model():
    toy = CountsBright()
    scores = np.zeros((4, 4))
    for row, column in toy.bright:
        scores[row, column] = 1
    best, worst = curves(toy, toy.image, 1, [order_of(scores), order_of(-scores)], points=17)
    np.testing.assert_allclose(best.fractions, np.arange(17) / 16)
    # Deleting 4 of the 16 patches takes the probability from 1 to 0 in a straight line: a triangle
    # with sides 1/4 and 1. Inserting them leaves the rest of the square.
    np.testing.assert_allclose(best.deletion[:6], [1, 0.75, 0.5, 0.25, 0, 0], atol=1e-6)
    assert area_under(best.fractions, best.deletion) == pytest.approx(1 / 8, abs=1e-6)
    assert area_under(best.fractions, best.insertion) == pytest.approx(7 / 8, abs=1e-6)
    assert best.deletion_auc == pytest.approx(1 / 8, abs=1e-6)
    assert best.insertion_auc == pytest.approx(7 / 8, abs=1e-6)
    assert best.score == pytest.approx(3 / 4, abs=1e-6)
    assert worst.score == pytest.approx(-3 / 4, abs=1e-6)


def test_random_orders_score_0_on_the_toy_model():
    toy = CountsBright()
    orders = random_orders(16, 400)
    scores = [found.score for found in curves(toy, toy.image, 1, orders, points=17)]
    assert np.mean(scores) == pytest.approx(0, abs=0.03)
    assert np.std(scores) > 0.05


@torch.no_grad()
def test_curves_of_a_trained_model_equal_loops(trained_model, pictures):
    image, order = pictures[0], random_orders(64, 1, seed=3)[0]
    (found,) = curves(trained_model, image, 3, [order], points=5)
    np.testing.assert_allclose(found.fractions, [0, 0.25, 0.5, 0.75, 1])
    for point, count in enumerate((0, 16, 32, 48, 64)):
        mask = torch.zeros(1, 8, 8, dtype=torch.bool)
        for patch in order[:count]:
            mask[0, patch // 8, patch % 8] = True
        for values, occluded in ((found.deletion, mask), (found.insertion, ~mask)):
            expected = trained_model(occlude(image[None], occluded, 4)).softmax(dim=1)[0, 3]
            assert values[point] == pytest.approx(float(expected), abs=1e-5)


def test_curves_begin_and_end_at_the_whole_and_the_occluded_picture(trained_model, pictures):
    for found in curves(trained_model, pictures[1], 8, random_orders(64, 3), points=9):
        assert found.deletion[0] == pytest.approx(found.insertion[-1], abs=1e-5)
        assert found.deletion[-1] == pytest.approx(found.insertion[0], abs=1e-5)


def test_curves_have_no_more_points_than_patches(random_model, pictures):
    (found,) = curves(random_model, pictures[0], 0, [np.arange(4)], points=33)
    np.testing.assert_allclose(found.fractions, [0, 0.25, 0.5, 0.75, 1])


def test_scores_over_pictures_equal_the_scores_of_each(trained_model, pictures):
    methods = {"occlusion": Method("occlusion"), "relevance": Method("relevance")}
    scores = list(scores_over(trained_model, pictures, methods, points=5, seed=7))
    assert len(scores) == 3
    for number, (image, found) in enumerate(zip(pictures, scores, strict=True)):
        with torch.no_grad():
            class_ = trained_model(image[None]).argmax(dim=1)
        assert list(found) == ["occlusion", "relevance", RANDOM]
        for name, method in methods.items():
            order = order_of(method(trained_model, image[None], class_)[0].numpy(force=True))
            (expected,) = curves(trained_model, image, int(class_), [order], 5)
            assert found[name] == pytest.approx(expected.score, abs=1e-5)
        (expected,) = curves(trained_model, image, int(class_), random_orders(64, 1, 7 + number), 5)
        assert found[RANDOM] == pytest.approx(expected.score, abs=1e-5)


def test_order_is_by_descending_score_and_keeps_ties():
    assert order_of(np.array([[0.1, 0.5], [0.5, -1.0]])).tolist() == [1, 2, 0, 3]
    checkered = np.indices((8, 8)).sum(axis=0) % 2
    ones, zeros = np.flatnonzero(checkered == 1), np.flatnonzero(checkered == 0)
    assert order_of(checkered).tolist() == [*ones, *zeros]


def test_area_under_a_straight_line():
    assert area_under(np.array([0, 0.5, 1]), np.array([1, 0.5, 0])) == 0.5


def test_random_orders_are_permutations_fixed_by_the_seed():
    orders = random_orders(10, 3, seed=5)
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    np.testing.assert_array_equal(orders, random_orders(10, 3, seed=5))


@pytest.mark.parametrize(
    ("scores", "word"),
    [
        ([(0.5, 0.0), (0.6, 0.1), (0.4, 0.0)], "more"),
        ([(-0.5, 0.0), (-0.6, 0.1), (-0.4, 0.0)], "less"),
        ([(0.5, 0.0), (-0.5, 0.1), (0.1, 0.0)], "unclear"),
        ([(0.9, 0.0)], "unclear"),
    ],
)
def test_verdict_compares_the_difference_with_its_margin(scores, word):
    assert verdict(scores).word == word


def test_margin_of_one_picture_is_nan():
    found = verdict([(0.9, 0.25)])
    assert (found.images, found.score, found.random_score) == (1, 0.9, 0.25)
    assert math.isnan(found.margin)


def test_margin_worked_by_hand():
    # Differences 1, 3, 5, 3: mean 3, variance 8/3.
    found = verdict([(1.0, 0.0), (3.0, 0.0), (5.0, 0.0), (7.0, 4.0)])
    assert (found.images, found.score, found.random_score) == (4, 4.0, 1.0)
    assert found.difference == 3.0
    assert found.margin == pytest.approx(1.96 * math.sqrt(8 / 3) / 2)
