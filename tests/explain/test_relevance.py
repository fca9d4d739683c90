"""Gradient-weighted relevance, against finite differences and gradients of timm's model."""

import numpy as np
import torch
from test_model import timm_model

from vitdemo.explain.ablation import block_attention
from vitdemo.explain.relevance import relevance


def relevance_by_loops(attention, gradients):
    """Rules 5 and 6 of Chefer, Gur and Wolf (2021), number by number, for layers of (H, T, T)."""
    tokens = attention[0].shape[-1]
    R = np.eye(tokens)
    for A, dA in zip(attention, gradients, strict=True):
        weighted = np.zeros((tokens, tokens))
        for i in range(tokens):
            for j in range(tokens):
                products = [max(0.0, dA[h, i, j] * A[h, i, j]) for h in range(len(A))]
                weighted[i, j] = sum(products) / len(A)
        product = np.zeros((tokens, tokens))
        for i in range(tokens):
            for j in range(tokens):
                product[i, j] = sum(weighted[i, k] * R[k, j] for k in range(tokens))
        R = R + product
    return R


@torch.no_grad()
def gradients_by_differences(model, image, class_, step=1e-4):
    """Gradient of a logit with respect to attention, by moving each entry up and down a little."""
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


def test_relevance_of_random_weights_equals_finite_differences(random_model, pictures):
    model = random_model.double()
    picture = pictures[:1].double()
    expected = relevance_by_loops(*gradients_by_differences(model, picture, 7))
    found = relevance(model, picture, torch.tensor([7]))[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_relevance_of_a_trained_model_equals_timm_gradients(trained_model, pictures):
    timm, attention = timm_model(trained_model), []
    for block in timm.blocks:
        block.attn.attn_drop.register_forward_pre_hook(
            lambda module, inputs: attention.append(inputs[0])
        )
    logits = timm(pictures[:1])
    gradients = torch.autograd.grad(logits[0, 3], attention)
    expected = relevance_by_loops(
        [layer[0].detach().double().numpy() for layer in attention],
        [layer[0].double().numpy() for layer in gradients],
    )
    found = relevance(trained_model, pictures[:1], torch.tensor([3]))[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(found[0, 1:]) > 1e-3


def test_pictures_in_a_batch_are_independent(trained_model, pictures):
    classes = torch.tensor([3, 8, 8])
    together = relevance(trained_model, pictures, classes)
    for i in range(3):
        alone = relevance(trained_model, pictures[i : i + 1], classes[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


def test_relevance_depends_on_the_class(trained_model, pictures):
    cat, ship = (
        relevance(trained_model, pictures[:1], torch.tensor([class_])) for class_ in (3, 8)
    )
    assert not torch.allclose(cat, ship, rtol=0.1)


def test_a_patch_that_no_token_attends_to_has_no_relevance(trained_model, pictures, monkeypatch):
    ignored = 1 + 20
    edges = [(query, ignored) for query in range(65) if query != ignored]
    edit = block_attention(edges, range(6))
    plain = trained_model.trace
    monkeypatch.setattr(trained_model, "trace", lambda images: plain(images, edit))
    relevant = relevance(trained_model, pictures[:1], torch.tensor([3]))[0]
    assert relevant[0, ignored] == 0
    assert (relevant[0, 1:] > 0).sum() > 32


def test_relevance_leaves_no_gradient_in_the_model(trained_model, pictures):
    relevance(trained_model, pictures, torch.tensor([0, 1, 2]))
    assert all(parameter.grad is None for parameter in trained_model.parameters())


def test_relevance_is_never_negative(random_model, pictures):
    assert relevance(random_model, pictures, torch.tensor([0, 1, 2])).min() >= 0
