"""Deletion and insertion, on a toy model whose areas are known, and against loops."""

import math

import numpy as np
import pytest
import torch

from vitdemo.config import ModelConfig
from vitdemo.explain.faithfulness import area, curves, gaps_over, order_of, random_orders, verdict
from vitdemo.explain.methods import by_occlusion, by_relevance
from vitdemo.explain.occlusion import cover


class CountsBright:
    """A toy of 4 x 4 patches of one pixel: the probability of class 1 is the share of the four bright ones that is left."""

    config = ModelConfig(image_size=4, patch_size=1)
    bright = ((0, 0), (1, 2), (2, 1), (3, 3))

    @property
    def image(self):
        image = torch.full((1, 4, 4), -1.0)
        for row, column in self.bright:
            image[0, row, column] = 3.0  # the mean is 0
        return image

    def __call__(self, images):
        seen = (
            torch.stack([images[:, 0, row, column] > 2 for row, column in self.bright], dim=1)
            .float()
            .mean(dim=1)
        )
        return torch.stack([(1 - seen).clamp(min=1e-9), seen.clamp(min=1e-9)], dim=1).log()


def test_the_areas_of_a_toy_model():
    toy = CountsBright()
    scores = np.zeros((4, 4))
    for row, column in toy.bright:
        scores[row, column] = 1
    best, worst = curves(toy, toy.image, 1, [order_of(scores), order_of(-scores)], points=17)
    # Four of 16 patches take it from 1 to 0 in a straight line: a triangle of 1/4 by 1. Inserted, the rest of the square.
    np.testing.assert_allclose(best.deletion[:6], [1, 0.75, 0.5, 0.25, 0, 0], atol=1e-6)
    assert area(best.shares, best.deletion) == pytest.approx(1 / 8, abs=1e-6)
    assert area(best.shares, best.insertion) == pytest.approx(7 / 8, abs=1e-6)
    assert best.gap == pytest.approx(3 / 4, abs=1e-6)
    assert worst.gap == pytest.approx(-3 / 4, abs=1e-6)


def test_random_orders_have_no_gap_on_the_toy():
    toy = CountsBright()
    gaps = [found.gap for found in curves(toy, toy.image, 1, random_orders(16, 400), points=17)]
    assert np.mean(gaps) == pytest.approx(0, abs=0.03)
    assert np.std(gaps) > 0.05


@torch.no_grad()
def test_a_trained_model_as_by_loops(trained_model, pictures):
    image, order = pictures[0], random_orders(64, 1, seed=3)[0]
    (found,) = curves(trained_model, image, 3, [order], points=5)
    np.testing.assert_allclose(found.shares, [0, 0.25, 0.5, 0.75, 1])
    for place, count in enumerate((0, 16, 32, 48, 64)):
        covered = torch.zeros(1, 8, 8, dtype=torch.bool)
        for patch in order[:count]:
            covered[0, patch // 8, patch % 8] = True
        for values, cells in ((found.deletion, covered), (found.insertion, ~covered)):
            expected = trained_model(cover(image[None], cells, 4)).softmax(dim=1)[0, 3]
            assert values[place] == pytest.approx(float(expected), abs=1e-5)


def test_the_ends_are_the_whole_and_the_covered_picture(trained_model, pictures):
    for found in curves(trained_model, pictures[1], 8, random_orders(64, 3), points=9):
        assert found.deletion[0] == pytest.approx(found.insertion[-1], abs=1e-5)
        assert found.deletion[-1] == pytest.approx(found.insertion[0], abs=1e-5)


def test_no_more_points_than_patches(random_model, pictures):
    (found,) = curves(random_model, pictures[0], 0, [np.arange(4)], points=33)
    np.testing.assert_allclose(found.shares, [0, 0.25, 0.5, 0.75, 1])


def test_the_gaps_of_several_pictures_are_those_of_each(trained_model, pictures):
    ask = {"occlusion": by_occlusion, "relevance": by_relevance}
    answers = list(gaps_over(trained_model, pictures, ask, points=5, seed=7))
    assert len(answers) == 3
    for number, (image, found) in enumerate(zip(pictures, answers, strict=True)):
        with torch.no_grad():
            class_ = trained_model(image[None]).argmax(dim=1)
        for name, method in ask.items():
            order = order_of(method(trained_model, image[None], class_)[0].numpy(force=True))
            (expected,) = curves(trained_model, image, int(class_), [order], 5)
            assert found[name] == pytest.approx(expected.gap, abs=1e-5)
        (expected,) = curves(trained_model, image, int(class_), random_orders(64, 1, 7 + number), 5)
        assert found["chance"] == pytest.approx(expected.gap, abs=1e-5)


def test_the_order_of_scores():
    assert order_of(np.array([[0.1, 0.5], [0.5, -1.0]])).tolist() == [1, 2, 0, 3]


def test_the_area_of_a_line():
    assert area(np.array([0, 0.5, 1]), np.array([1, 0.5, 0])) == 0.5


def test_random_orders_are_permutations_of_their_seed():
    orders = random_orders(10, 3, seed=5)
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    np.testing.assert_array_equal(orders, random_orders(10, 3, seed=5))


@pytest.mark.parametrize(
    ("gaps", "word"),
    [
        ([(0.5, 0.0), (0.6, 0.1), (0.4, 0.0)], "more"),
        ([(-0.5, 0.0), (-0.6, 0.1), (-0.4, 0.0)], "less"),
        ([(0.5, 0.0), (-0.5, 0.1), (0.1, 0.0)], "no more"),
        ([(0.9, 0.0)], "no more"),
    ],
)
def test_the_verdict(gaps, word):
    assert verdict(gaps).word == word


def test_the_margin_worked_by_hand():
    found = verdict(
        [(1.0, 0.0), (3.0, 0.0), (5.0, 0.0), (7.0, 4.0)]
    )  # differences 1, 3, 5, 3: mean 3, variance 8/3
    assert (found.pictures, found.gap, found.chance, found.lead) == (4, 4.0, 1.0, 3.0)
    assert found.margin == pytest.approx(1.96 * math.sqrt(8 / 3) / 2)
