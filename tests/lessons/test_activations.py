"""Activations and L2 norms, against a forward pass written out by hand."""

import pytest
import torch

from vitdemo.lessons.activations import activations, residual_norms, without_norm1


def test_shape_of_every_activation(random_model):
    config = random_model.config
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = {step.name: step.shape for step in activations(random_model, images)}
    T, D = config.num_tokens, config.embed_dim
    assert found == {
        "images": (3, 3, 32, 32),
        "patch_embed": (3, config.num_patches, D),
        "embed": (3, T, D),
        "blocks[0].norm1": (3, T, D),
        "blocks[0].attn.qkv": (3, T, 3 * D),
        "attention": (3, config.num_heads, T, T),
        "blocks[0].attn": (3, T, D),
        "blocks[0].norm2": (3, T, D),
        "blocks[0].mlp.fc1": (3, T, config.mlp_dim),
        "blocks[0].mlp.fc2": (3, T, D),
        "blocks[0]": (3, T, D),
        "blocks[1]": (3, T, D),
        "norm": (3, T, D),
        "head": (3, config.num_classes),
    }


def test_mean_and_std_of_the_activations(trained_model, pictures):
    found = {step.name: step for step in activations(trained_model, pictures)}
    with torch.no_grad():
        logits, trace = trained_model.trace(pictures)
        normalized = trained_model.blocks[0].norm1(trace.tokens[0])
    for name, tensor in (
        ("head", logits),
        ("attention", trace.attention[0]),
        ("blocks[0].norm1", normalized),
    ):
        assert found[name].mean == pytest.approx(float(tensor.mean()), abs=1e-6)
        assert found[name].std == pytest.approx(float(tensor.std()), rel=1e-5)
    assert found["attention"].mean == pytest.approx(1 / 65)


def test_residual_norms_equal_a_forward_pass_by_hand(trained_model, pictures):
    found = residual_norms(trained_model, pictures)
    with torch.no_grad():
        x = trained_model.embed(pictures)
        for layer, block in enumerate(trained_model.blocks):
            assert found.tokens[layer] == pytest.approx(float(x.norm(dim=-1).mean()), rel=1e-4)
            attended, _ = block.attn(block.norm1(x))
            assert found.attention[layer] == pytest.approx(
                float(attended.norm(dim=-1).mean()), rel=1e-4
            )
            x = x + attended
            added = block.mlp(block.norm2(x))
            assert found.mlp[layer] == pytest.approx(float(added.norm(dim=-1).mean()), rel=1e-4)
            x = x + added
    assert len(found.tokens) == 7


def test_no_forward_hooks_remain(trained_model, pictures):
    activations(trained_model, pictures)
    residual_norms(trained_model, pictures)
    assert not any(module._forward_hooks for module in trained_model.modules())


def test_without_norm1_changes_a_copy_only(trained_model, pictures):
    with torch.no_grad():
        before = trained_model(pictures)
        assert (without_norm1(trained_model)(pictures) - before).abs().max() > 0.1
        torch.testing.assert_close(trained_model(pictures), before)
