"""What heads are worth, against weights set to zero and finite differences."""

import copy

import pytest
import torch
from torch.nn import functional as F

from vitdemo.data.cifar10 import load_cifar10, normalize
from vitdemo.explain.ablation import ablate_heads
from vitdemo.explain.importance import accuracy_and_loss, gradient_importance, removals


@torch.no_grad()
def test_each_removal_is_that_of_the_heads_weights(random_model, pictures, labels):
    whole = F.cross_entropy(random_model(pictures), labels)
    right = (random_model(pictures).argmax(dim=1) == labels).float().mean()
    d, seen = random_model.config.head_dim, []
    for layer, head, accuracy, loss in removals(random_model, pictures, labels):
        changed = copy.deepcopy(random_model)
        changed.blocks[layer].attn.proj.weight[:, head * d : (head + 1) * d] = 0
        logits = changed(pictures)
        assert loss == pytest.approx(float(F.cross_entropy(logits, labels) - whole), abs=1e-5)
        assert accuracy == pytest.approx(
            float((logits.argmax(dim=1) == labels).float().mean() - right), abs=1e-6
        )
        seen.append((layer, head))
    assert seen == [(0, 0), (0, 1), (1, 0), (1, 1)]


@torch.no_grad()
def test_the_gradient_as_by_differences(random_model, pictures, labels):
    model, pictures = random_model.double(), pictures.double()
    found = gradient_importance(model, pictures, labels)
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


def test_without_any_head_the_trained_model_knows_nothing(trained_model, pictures, labels):
    everything = [(layer, head) for layer in range(6) for head in range(4)]
    assert accuracy_and_loss(trained_model, pictures, labels)[0] == 1
    assert (
        accuracy_and_loss(trained_model, pictures, labels, ablate_heads(everything))[1] > 1
    )  # in nats; guessing has 2.3


def test_more_pictures_than_fit_into_a_batch(random_model):
    split = load_cifar10(1, 150).validation
    images = normalize(split.images)
    with torch.no_grad():
        right = float((random_model(images).argmax(dim=1) == split.labels).float().mean())
    assert accuracy_and_loss(random_model, images, split.labels)[0] == pytest.approx(right)
    parts = [gradient_importance(random_model, images[i::2], split.labels[i::2]) for i in range(2)]
    whole = gradient_importance(random_model, images, split.labels)
    torch.testing.assert_close(whole, sum(parts) / 2, atol=1e-6, rtol=1e-4)
