"""Gradient-weighted relevance, against gradients by finite differences and by timm's own modules."""

import numpy as np
import pytest
import torch
from test_model import timm_twin

from vitdemo.explain.ablation import block_attention
from vitdemo.explain.relevance import relevance


def relevance_by_loops(attention, gradients):
    """Rules 5 and 6 of Chefer, Gur and Wolf (2021), number by number: layers of (H, T, T) numpy."""
    tokens = attention[0].shape[-1]
    R = np.eye(tokens)
    for A, dA in zip(attention, gradients, strict=True):
        weighted = np.zeros((tokens, tokens))
        for i in range(tokens):
            for j in range(tokens):
                weighted[i, j] = sum(
                    max(0.0, dA[h, i, j] * A[h, i, j]) for h in range(len(A))
                ) / len(A)
        product = np.array(
            [
                [sum(weighted[i, k] * R[k, j] for k in range(tokens)) for j in range(tokens)]
                for i in range(tokens)
            ]
        )
        R = R + product
    return R


@torch.no_grad()
def gradients_by_differences(model, image, class_, step=1e-4):
    """d logit / d attention, by moving each entry a little up and down."""
    attention = model.trace(image)[1].attention
    gradients = [np.zeros(layer.shape[1:]) for layer in attention]
    for layer, gradient in enumerate(gradients):
        for entry in np.ndindex(gradient.shape):

            def moved(by, layer=layer, entry=entry):
                def edit(number, attention):
                    if number == layer:
                        attention = attention.clone()
                        attention[0][entry] += by
                    return attention

                return model.trace(image, edit)[0][0, class_]

            gradient[entry] = (moved(step) - moved(-step)) / (2 * step)
    return [layer[0].numpy() for layer in attention], gradients


def test_random_weights_as_by_loops_and_finite_differences(random_model, pictures):
    model = random_model.double()
    picture = pictures[:1].double()
    expected = relevance_by_loops(*gradients_by_differences(model, picture, 7))
    np.testing.assert_allclose(
        relevance(model, picture, torch.tensor([7]))[0].numpy(), expected, atol=1e-5
    )


def test_trained_weights_as_by_timms_modules(trained_model, pictures):
    twin, attention = timm_twin(trained_model), []
    for block in twin.blocks:
        block.attn.attn_drop.register_forward_pre_hook(
            lambda module, inputs: attention.append(inputs[0])
        )
    logits = twin(pictures[:1])
    gradients = torch.autograd.grad(logits[0, 3], attention)
    expected = relevance_by_loops(
        [layer[0].detach().double().numpy() for layer in attention],
        [layer[0].double().numpy() for layer in gradients],
    )
    found = relevance(trained_model, pictures[:1], torch.tensor([3]))[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(found[0, 1:]) > 1e-3


def test_pictures_do_not_touch_each_other(trained_model, pictures):
    classes = torch.tensor([3, 8, 8])
    together = relevance(trained_model, pictures, classes)
    alone = torch.cat(
        [relevance(trained_model, pictures[i : i + 1], classes[i : i + 1]) for i in range(3)]
    )
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_another_class_has_another_map(trained_model, pictures):
    cat, ship = (
        relevance(trained_model, pictures[:1], torch.tensor([class_])) for class_ in (3, 8)
    )
    assert not torch.allclose(cat, ship, rtol=0.1)


def test_an_ignored_patch_has_no_relevance(trained_model, pictures, monkeypatch):
    ignored = 1 + 20
    edit = block_attention(
        [(asking, ignored) for asking in range(65) if asking != ignored], range(6)
    )
    plain = trained_model.trace
    monkeypatch.setattr(trained_model, "trace", lambda images: plain(images, edit))
    relevant = relevance(trained_model, pictures[:1], torch.tensor([3]))[0]
    assert relevant[0, ignored] == 0
    assert (relevant[0, 1:] > 0).sum() > 32


def test_nothing_is_left_in_the_model(trained_model, pictures):
    relevance(trained_model, pictures, torch.tensor([0, 1, 2]))
    assert all(parameter.grad is None for parameter in trained_model.parameters())


@pytest.mark.parametrize("classes", [[0, 1, 2]])
def test_no_entry_is_negative(random_model, pictures, classes):
    assert relevance(random_model, pictures, torch.tensor(classes)).min() >= 0
