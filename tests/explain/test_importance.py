"""Importance of heads, against weights set to zero and finite differences."""

import copy
import math

import pytest
import torch
from torch.nn import functional as F

from vitdemo.data.cifar10 import load_cifar10, normalize
from vitdemo.explain.ablation import ablate_heads
from vitdemo.explain.importance import (
    Effect,
    ablate_each_head,
    accuracy_and_loss,
    head_importance,
)


@torch.no_grad()
def test_ablating_each_head_equals_zeroing_its_weights(random_model, pictures, labels):
    before = random_model(pictures)
    d, found = random_model.config.head_dim, ablate_each_head(random_model, pictures, labels)
    for layer, head in ((0, 0), (0, 1), (1, 0), (1, 1)):
        effect = next(found)
        changed = copy.deepcopy(random_model)
        changed.blocks[layer].attn.proj.weight[:, head * d : (head + 1) * d] = 0
        after = changed(pictures)
        expected = F.cross_entropy(after, labels) - F.cross_entropy(before, labels)
        assert effect.loss == pytest.approx(float(expected), abs=1e-5)
        lost = gained = 0
        for was, now, label in zip(before.argmax(1), after.argmax(1), labels, strict=True):
            lost += int(was == label and now != label)
            gained += int(was != label and now == label)
        assert (effect.images, effect.lost, effect.gained) == (len(labels), lost, gained)
        accuracy = [(logits.argmax(dim=1) == labels).float().mean() for logits in (before, after)]
        assert effect.accuracy == pytest.approx(float(accuracy[1] - accuracy[0]), abs=1e-6)
        assert effect.correct == int((after.argmax(dim=1) == labels).sum())
    assert next(found, None) is None


def sign_test(lost, gained):
    """Return the two-sided p value of McNemar's exact test."""
    pairs, fewer = lost + gained, min(lost, gained)
    return min(1.0, 2 * sum(math.comb(pairs, k) for k in range(fewer + 1)) / 2**pairs)


@pytest.mark.parametrize("images", [200, 1000])
def test_an_effect_is_clear_where_the_exact_test_of_pairs_says_so(images):
    for lost in range(25):
        for gained in range(25):
            p = sign_test(lost, gained)
            if not 0.03 < p < 0.08:  # near 0.05 the interval, an approximation, may differ
                assert Effect(images, 100, lost, gained, 0.0).is_clear == (p < 0.05)


def test_the_interval_of_an_effect_by_hand():
    effect = Effect(200, 100, lost=8, gained=0, loss=0.0)
    assert effect.accuracy == -0.04
    # With one image more on each side, 9 lost and 1 gained of 202: -8 / 202 = -0.0396. Variance of
    # the paired difference: (10 / 202 - 0.0396^2) / 202 = 0.0002373; its root is 0.015405.
    assert effect.interval == pytest.approx((-0.0396 - 0.0302, -0.0396 + 0.0302), abs=1e-4)
    assert effect.is_clear
    assert not Effect(200, 100, lost=3, gained=0, loss=0.0).is_clear
    low, high = Effect(200, 100, lost=0, gained=0, loss=0.0).interval
    assert low == -high < 0


@torch.no_grad()
def test_head_importance_equals_finite_differences(random_model, pictures, labels):
    model, pictures = random_model.double(), pictures.double()
    found = head_importance(model, pictures, labels)
    assert found.shape == (2, 2)
    for layer, head in ((0, 0), (0, 1), (1, 0), (1, 1)):

        def losses(gate, layer=layer, head=head):
            def edit(number, attention):
                scale = torch.ones(2, 1, 1, dtype=torch.float64)
                if number == layer:
                    scale[head] = gate
                return attention * scale

            return F.cross_entropy(model.trace(pictures, edit)[0], labels, reduction="none")

        expected = ((losses(1 + 1e-4) - losses(1 - 1e-4)) / 2e-4).abs().mean()
        assert float(found[layer, head]) == pytest.approx(float(expected), abs=1e-5)


def test_ablating_all_heads_raises_the_loss_of_a_trained_model(trained_model, pictures, labels):
    all_heads = [(layer, head) for layer in range(6) for head in range(4)]
    assert accuracy_and_loss(trained_model, pictures, labels)[0] == 1
    _, loss = accuracy_and_loss(trained_model, pictures, labels, ablate_heads(all_heads))
    assert loss > 1  # nats; uniform probabilities have 2.3


def test_importance_of_more_pictures_than_one_batch(random_model):
    split = load_cifar10(1, 150).validation
    images = normalize(split.images)
    with torch.no_grad():
        logits = random_model(images)
    accuracy, loss = accuracy_and_loss(random_model, images, split.labels)
    assert accuracy == pytest.approx(float((logits.argmax(dim=1) == split.labels).float().mean()))
    assert loss == pytest.approx(float(F.cross_entropy(logits, split.labels)), abs=1e-5)
    parts = [head_importance(random_model, images[i::2], split.labels[i::2]) for i in range(2)]
    whole = head_importance(random_model, images, split.labels)
    torch.testing.assert_close(whole, sum(parts) / 2, atol=1e-6, rtol=1e-4)
