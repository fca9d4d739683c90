import re
from dataclasses import replace
from itertools import product

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from vitdemo.config import SETTINGS, ConfigError, ModelConfig
from vitdemo.costs import MEMORY_LIMIT, activation_bytes, check_memory, macs, parameters
from vitdemo.lessons.measured_costs import counted_macs, saved_bytes
from vitdemo.model import VisionTransformer

SHAPES = [
    ModelConfig(),
    ModelConfig(patch_size=2, depth=2, num_heads=1),
    ModelConfig(patch_size=8, embed_dim=48, depth=3, num_heads=6, mlp_ratio=2.5, num_classes=7),
    ModelConfig(
        image_size=24,
        patch_size=6,
        in_channels=1,
        embed_dim=20,
        depth=1,
        num_heads=5,
        mlp_ratio=0.5,
    ),
]
VARIANTS = [
    replace(SHAPES[2], stem=stem, pooling=pooling)
    for stem, pooling in product(SETTINGS["stem"].choices, SETTINGS["pooling"].choices)
]
VARIANTS += [
    ModelConfig(image_size=16, patch_size=2, in_channels=1, embed_dim=24, depth=2, stem="conv"),
    ModelConfig(patch_size=16, depth=1, stem="conv", pooling="attention"),
]
DROPPING = [
    ModelConfig(depth=2, dropout=0.1),
    ModelConfig(depth=2, attention_dropout=0.1),
    ModelConfig(depth=2, dropout=0.1, attention_dropout=0.1, num_heads=32),
]


def random_images(config, count):
    return torch.rand(count, config.in_channels, config.image_size, config.image_size)


@pytest.mark.parametrize("config", SHAPES + VARIANTS, ids=str)
def test_parameters_add_up_to_those_of_the_model(config):
    model = VisionTransformer(config, seed=0)
    assert sum(parameters(config).values()) == sum(tensor.numel() for tensor in model.parameters())


@pytest.mark.parametrize("config", SHAPES[:3] + VARIANTS, ids=str)
def test_parameters_of_each_part_match_its_module(config):
    model = VisionTransformer(config, seed=0)
    modules = {
        "patch embedding": model.patch_embed,
        "encoder blocks": model.blocks,
        "final norm": model.norm,
        "head": model.head,
    }
    counts = {
        name: sum(tensor.numel() for tensor in module.parameters())
        for name, module in modules.items()
    }
    counts["position embedding"] = model.pos_embed.numel()
    if config.pooling == "cls":
        counts["CLS token"] = model.cls_token.numel()
    if config.pooling == "attention":
        counts["pooling"] = model.pool.weight.numel() + model.pool.bias.numel()
    assert parameters(config) == counts


@pytest.mark.parametrize("config", SHAPES + VARIANTS, ids=str)
def test_macs_are_half_the_flops_counted_by_torch(config):
    model = VisionTransformer(config, seed=0).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(random_images(config, 1))
    assert counter.get_total_flops() == 2 * sum(macs(config).values())


@pytest.mark.parametrize("config", SHAPES + VARIANTS, ids=str)
def test_macs_match_those_counted_in_a_forward_pass(config):
    model = VisionTransformer(config, seed=0).eval()
    assert counted_macs(model, random_images(config, 3)) == macs(config)


@pytest.mark.parametrize("config", VARIANTS, ids=str)
def test_macs_of_each_part_match_its_module(config):
    model = VisionTransformer(config, seed=0).eval()
    with FlopCounterMode(display=False, depth=4) as counter, torch.no_grad():
        model(random_images(config, 1))
    counts = {name: sum(flops.values()) // 2 for name, flops in counter.get_flop_counts().items()}
    parts = macs(config)
    assert parts["patch embedding"] == counts["VisionTransformer.patch_embed"]
    assert parts["MLPs"] == sum(
        counts[f"VisionTransformer.blocks.{n}.mlp"] for n in range(config.depth)
    )
    assert parts["head"] == counts["VisionTransformer.head"]
    assert ("pooling" in parts) == (config.pooling == "attention")
    assert parts.get("pooling") == counts.get("VisionTransformer.pool")


def test_macs_of_attention_grow_with_the_square_of_the_tokens():
    coarse, fine = ModelConfig(patch_size=8), ModelConfig(patch_size=4)
    ratio = fine.num_tokens / coarse.num_tokens
    assert macs(fine)["attention"] == pytest.approx(ratio**2 * macs(coarse)["attention"])
    assert macs(fine)["MLPs"] == pytest.approx(ratio * macs(coarse)["MLPs"])


@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("config", SHAPES + VARIANTS + DROPPING, ids=str)
def test_activation_bytes_are_about_what_autograd_saves(config, batch_size):
    measured = saved_bytes(
        VisionTransformer(config, seed=0).train(), random_images(config, batch_size)
    )
    assert 0.7 < activation_bytes(config, batch_size) / measured < 1.3


def test_step_that_fits_into_memory_is_allowed():
    check_memory(ModelConfig(), 128)


@pytest.mark.parametrize(
    ("config", "batch_size"),
    [
        (ModelConfig(patch_size=2, embed_dim=256, depth=12), 256),
        (ModelConfig(patch_size=1, num_heads=64), 1024),
        (ModelConfig(embed_dim=1024, depth=24, mlp_ratio=16.0), 1024),
    ],
)
def test_advised_batch_size_is_the_largest_that_fits(config, batch_size):
    with pytest.raises(ConfigError, match="GiB of memory") as caught:
        check_memory(config, batch_size)
    fitting = int(re.search(r"batch size of at most (\d+)", str(caught.value))[1])
    check_memory(config, fitting)
    with pytest.raises(ConfigError):
        check_memory(config, fitting + 1)


def test_model_too_large_for_a_single_image_is_refused():
    with pytest.raises(ConfigError, match="Use a larger patch size or a smaller model"):
        check_memory(ModelConfig(image_size=256, patch_size=1), 1)


def test_message_states_the_memory_of_the_step():
    config = ModelConfig(patch_size=1, depth=2, num_heads=64)
    batch_size = 1 + MEMORY_LIMIT // activation_bytes(config, 1)
    with pytest.raises(ConfigError, match=r"would need 4\.\d GiB of memory, and 4 GiB are allowed"):
        check_memory(config, batch_size)
