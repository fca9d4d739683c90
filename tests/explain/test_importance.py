"""Importance of heads, against weights set to zero and finite differences."""

import copy

import pytest
import torch
from torch.nn import functional as F

from vitdemo.data.cifar10 import load_cifar10, normalize
from vitdemo.explain.ablation import ablate_heads
from vitdemo.explain.importance import ablate_each_head, accuracy_and_loss, head_importance


@torch.no_grad()
def test_ablating_each_head_equals_zeroing_its_weights(random_model, pictures, labels):
    loss_before = F.cross_entropy(random_model(pictures), labels)
    accuracy_before = (random_model(pictures).argmax(dim=1) == labels).float().mean()
    d, heads = random_model.config.head_dim, []
    for layer, head, accuracy, loss in ablate_each_head(random_model, pictures, labels):
        changed = copy.deepcopy(random_model)
        changed.blocks[layer].attn.proj.weight[:, head * d : (head + 1) * d] = 0
        logits = changed(pictures)
        expected = F.cross_entropy(logits, labels) - loss_before
        assert loss == pytest.approx(float(expected), abs=1e-5)
        expected = (logits.argmax(dim=1) == labels).float().mean() - accuracy_before
        assert accuracy == pytest.approx(float(expected), abs=1e-6)
        heads.append((layer, head))
    assert heads == [(0, 0), (0, 1), (1, 0), (1, 1)]


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
