"""Dropout, stochastic depth and PatchDropout."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from tests.small_models import SMALL, images_for, with_large_weights
from vitdemo.config import SETTINGS, ModelConfig
from vitdemo.model import Dropout, DropPath, VisionTransformer


def test_dropout_is_the_identity_in_evaluation_or_with_p_0():
    x, generator = torch.randn(4, 5), torch.Generator().manual_seed(0)
    assert torch.equal(Dropout(0.5, generator).eval()(x), x)
    assert torch.equal(Dropout(0.0, generator).train()(x), x)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_zeroes_a_fraction_p_and_keeps_the_mean(p):
    dropped = Dropout(p, torch.Generator().manual_seed(0)).train()(torch.full((100_000,), 3.0))
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], torch.full((int(kept.sum()),), 3.0 / (1 - p)))
    assert kept.float().mean().item() == pytest.approx(1 - p, abs=0.01)
    assert dropped.mean().item() == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize("kind", ["dropout", "attention_dropout"])
def test_both_dropouts_act_only_in_training(kind):
    plain = VisionTransformer(ModelConfig(depth=1), seed=0)
    model = VisionTransformer(ModelConfig(depth=1, **{kind: 0.3}), seed=0)
    images = images_for(model.config)
    assert torch.equal(model.eval()(images), plain.eval()(images))
    assert not torch.allclose(model.train()(images), plain.train()(images), atol=1e-4)


def test_dropout_acts_on_updates_not_on_the_residual_stream():
    model = VisionTransformer(ModelConfig(depth=1, dropout=0.5), seed=0)
    block = model.blocks[0].train()
    with torch.no_grad():
        for tensor in block.mlp.fc2.parameters():
            tensor.zero_()  # only attention adds something
        x = model.embed(images_for(model.config))
        added = block(x)[0] - x
        attended = block.attn(block.norm1(x))[0]
    dropped = added.abs() < 1e-7
    torch.testing.assert_close(added[~dropped], 2 * attended[~dropped], rtol=1e-4, atol=1e-6)
    assert dropped.float().mean().item() == pytest.approx(0.5, abs=0.02)


def test_dropout_uses_only_the_generator_of_its_model():
    config = ModelConfig(depth=2, dropout=0.2, attention_dropout=0.2)
    model, other = (
        VisionTransformer(config, seed=0).train(),
        VisionTransformer(config, seed=1).train(),
    )
    images = images_for(config)
    model.generator.manual_seed(5)
    expected = [model(images), model(images)]
    assert not torch.equal(*expected)

    model.generator.manual_seed(5)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    first = model(images)
    other(images)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(10)
    assert torch.equal(first, expected[0])
    assert torch.equal(model(images), expected[1])


# Stochastic depth


@pytest.mark.parametrize(
    ("depth", "rates"),
    [(1, [0.6]), (2, [0, 0.6]), (4, [0, 0.2, 0.4, 0.6]), (7, [n / 10 for n in range(7)])],
)
def test_drop_path_rate_grows_linearly_with_depth(depth, rates):
    model = VisionTransformer(replace(SMALL, depth=depth, drop_path=0.6), seed=0)
    assert [block.drop_path.p for block in model.blocks] == pytest.approx(rates)


def test_drop_path_zeroes_whole_images_and_keeps_the_mean():
    drop = DropPath(0.3, torch.Generator().manual_seed(0))
    x = torch.randn(5000, 2, 3, generator=torch.Generator().manual_seed(1))
    dropped = drop.train()(x)
    zeroed = (dropped == 0).all(dim=(1, 2))
    torch.testing.assert_close(dropped[~zeroed], x[~zeroed] / 0.7)
    assert zeroed.float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert torch.equal(drop.eval()(x), x)


def test_drop_path_drops_attention_and_mlp_independently():
    model = with_large_weights(
        VisionTransformer(replace(SMALL, depth=1, drop_path=0.5), seed=0)
    ).train()
    block = model.blocks[0]
    with torch.no_grad():
        x = model.embed(images_for(SMALL, count=200))
        results = block(x)[0]
        seen = []
        for image, result in zip(x, results, strict=True):
            attended = 2 * block.attn(block.norm1(image[None]))[0][0]
            for first, second in product((False, True), repeat=2):
                expected = image + first * attended
                expected = expected + second * 2 * block.mlp(block.norm2(expected))
                if torch.allclose(result, expected, rtol=1e-4, atol=1e-4):
                    seen.append((first, second))
    assert len(seen) == 200
    assert all(30 < seen.count(kept) < 70 for kept in product((False, True), repeat=2))


# PatchDropout


@pytest.mark.parametrize(("fraction", "kept"), [(0.1, 14), (0.3, 11), (0.5, 8), (0.9, 2)])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_patch_drop_keeps_a_subset_of_patches_with_their_positions(pooling, fraction, kept):
    config = replace(SMALL, pooling=pooling, patch_drop=fraction)
    model = with_large_weights(VisionTransformer(config, seed=0))
    images = images_for(config, count=50)
    with torch.no_grad():
        everything, some = model.eval().embed(images), model.train().embed(images)
    cls = 1 if pooling == "cls" else 0
    assert some.shape == (50, cls + kept, 24)
    assert torch.equal(some[:, :cls], everything[:, :cls])
    distances = torch.cdist(some[:, cls:], everything[:, cls:])  # (50, kept, 16)
    positions = distances.argmin(dim=2)
    assert distances.amin(dim=2).max() < 1e-5
    sets = [set(image.tolist()) for image in positions]
    assert all(len(chosen) == kept for chosen in sets)
    assert len({frozenset(chosen) for chosen in sets}) > 10
    assert set.union(*sets) == set(range(16))


def test_patch_drop_is_uniform_over_patches():
    model = VisionTransformer(replace(SMALL, patch_drop=0.75), seed=0)
    numbered = torch.arange(16.0)[None, :, None].expand(4000, -1, 24)
    counts = torch.bincount(model.drop_patches(numbered)[:, :, 0].flatten().int(), minlength=16)
    assert counts.tolist() == pytest.approx([1000] * 16, rel=0.15)


def test_patch_drop_keeps_at_least_one_patch():
    model = VisionTransformer(
        ModelConfig(patch_size=32, pooling="mean", patch_drop=0.9), seed=0
    ).train()
    assert model.embed(images_for(model.config)).shape[1] == 1


def test_patch_drop_uses_the_generator_of_the_model():
    model = VisionTransformer(replace(SMALL, patch_drop=0.5), seed=0).train()
    seen = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(seen))
        model.generator.manual_seed(seed)
        seen.append(model.embed(images_for(SMALL)))
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


@pytest.mark.parametrize("kind", ["drop_path", "patch_drop"])
@pytest.mark.parametrize("pooling", SETTINGS["pooling"].choices)
def test_drop_path_and_patch_drop_do_nothing_in_evaluation(pooling, kind):
    plain = VisionTransformer(replace(SMALL, pooling=pooling), seed=0)
    model = VisionTransformer(replace(SMALL, pooling=pooling, **{kind: 0.6}), seed=0)
    images = images_for(SMALL)
    assert torch.equal(model.eval()(images), plain.eval()(images))
    assert not torch.allclose(model.train()(images), plain.train()(images), atol=1e-3)
    logits, trace = model.eval().trace(images)
    assert torch.equal(logits, plain.eval()(images))
    for mine, its in zip(vars(trace).values(), vars(plain.trace(images)[1]).values(), strict=True):
        assert torch.equal(torch.stack(mine), torch.stack(its))
