"""Initial weights of a model, and its seed."""

import math
import threading
from dataclasses import replace

import pytest
import torch

from tests.small_models import SMALL, VARIANTS, named
from vitdemo.config import SETTINGS, ModelConfig
from vitdemo.model import VisionTransformer


def same_weights(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("config", VARIANTS, ids=named)
def test_same_seed_gives_the_same_initial_weights(config):
    torch.manual_seed(1)
    first = VisionTransformer(config, seed=7)
    torch.manual_seed(2)
    assert same_weights(first, VisionTransformer(config, seed=7))
    assert not same_weights(first, VisionTransformer(config, seed=8))


def test_without_a_seed_initial_weights_follow_torch_manual_seed():
    models = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        models.append(VisionTransformer(SMALL))
    assert same_weights(models[0], models[1])
    assert not same_weights(models[0], models[2])


def test_models_made_in_parallel_have_the_weights_of_their_seeds():
    expected = VisionTransformer(SMALL, seed=0)
    enough = threading.Event()

    def make_others():
        seed = 1
        while not enough.is_set():
            torch.manual_seed(seed)
            VisionTransformer(SMALL, seed=seed)
            seed += 1

    other = threading.Thread(target=make_others)
    other.start()
    made = [VisionTransformer(SMALL, seed=0) for _ in range(20)]
    enough.set()
    other.join()
    assert all(same_weights(model, expected) for model in made)


def test_layers_have_torchs_default_initialization():
    model = VisionTransformer(ModelConfig(embed_dim=128, depth=2), seed=0)
    layers = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)
    ]
    assert len(layers) == 2 * 4 + 2
    for layer in layers:
        inputs = layer.weight[0].numel()
        bound = 1 / math.sqrt(inputs)  # for weight and bias: kaiming_uniform_(a=sqrt(5))
        assert bound * 0.99 < layer.weight.abs().max().item() <= bound
        assert bound * 0.7 < layer.bias.abs().max().item() <= bound
        assert layer.weight.mean().item() == pytest.approx(0, abs=bound / 20)
        assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_conv_stem_has_torchs_default_initialization():
    stem = VisionTransformer(ModelConfig(stem="conv", depth=1), seed=0).patch_embed
    assert [(conv.in_channels, conv.out_channels) for conv in stem.convs] == [(3, 64), (64, 128)]
    for layer in (*stem.convs, stem.proj):
        bound = 1 / math.sqrt(layer.weight[0].numel())
        assert bound * 0.99 < layer.weight.abs().max().item() <= bound
        assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert all(conv.bias is None for conv in stem.convs)
    assert 0 < stem.proj.bias.abs().max().item() <= 1 / math.sqrt(128)


@pytest.mark.parametrize("stem", SETTINGS["stem"].choices)
def test_norms_are_initialized_to_the_identity(stem):
    model = VisionTransformer(replace(SMALL, stem=stem), seed=0)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.LayerNorm | torch.nn.BatchNorm2d)]
    assert len(norms) == 2 * SMALL.depth + 1 + (2 if stem == "conv" else 0)
    assert all((norm.weight == 1).all() and (norm.bias == 0).all() for norm in norms)


@pytest.mark.parametrize("std", [0.0, 0.02, 1.0])
def test_cls_and_positions_have_the_configured_std(std):
    model = VisionTransformer(ModelConfig(embed_dim=256, depth=1, token_init_std=std), seed=0)
    assert model.pos_embed.std().item() == pytest.approx(std, rel=0.05)
    assert model.cls_token.std().item() == pytest.approx(std, rel=0.2)
    assert not model.pos_embed[0, 0].equal(model.cls_token[0, 0]) or std == 0


def test_positions_without_cls_have_the_configured_std():
    model = VisionTransformer(
        ModelConfig(embed_dim=256, depth=1, pooling="mean", token_init_std=0.5), seed=0
    )
    assert model.pos_embed.std().item() == pytest.approx(0.5, rel=0.05)
