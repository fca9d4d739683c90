"""Our models as timm's: the same logits, or a sentence that says why not."""

import json
import random
import re

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from timm.models.vision_transformer import VisionTransformer as Timm

from tests.conftest import uneven
from vitdemo import ConfigError, ModelConfig, from_timm, load_checkpoint, to_timm
from vitdemo.config import PRESETS
from vitdemo.config.settings import settings_of
from vitdemo.data.cifar10 import CLASSES
from vitdemo.files import SHIPPED
from vitdemo.runs.to_timm import timm_file
from vitdemo.ui.train.export import TIMM_HELP


def images_for(config, count=3):
    shape = (count, config.in_channels, config.image_size, config.image_size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def assert_same_logits(model):
    arguments, weights = to_timm(model)
    theirs = Timm(**arguments)
    theirs.load_state_dict(weights, strict=True)
    images = images_for(model.config)
    expected = model.eval()(images)
    torch.testing.assert_close(theirs.eval()(images), expected, rtol=1e-4, atol=1e-4)
    assert expected.std() > 0.05


def random_config(seed):
    """Return a small model with a random value of every field."""
    rng = random.Random(seed)
    heads = rng.choice([1, 2, 3, 4])
    patch_size = rng.choice([2, 4, 5, 8])
    return ModelConfig(
        image_size=patch_size * rng.randint(1, 4) + (4 if patch_size == 2 else 0),
        patch_size=patch_size,
        in_channels=rng.choice([1, 3, 4]),
        num_classes=rng.choice([2, 10, 37]),
        embed_dim=heads * rng.choice([8, 12]),
        depth=rng.randint(1, 3),
        num_heads=heads,
        mlp_ratio=rng.choice([0.7, 1.0, 2.5, 4.0]),
        pooling=rng.choice(["cls", "mean"]),
        dropout=rng.choice([0.0, 0.3]),
        attention_dropout=rng.choice([0.0, 0.2]),
        drop_path=rng.choice([0.0, 0.2]),
        patch_drop=rng.choice([0.0, 0.5]),
        attention_scale=rng.choice(["head_dim", "embed_dim"]),
        token_init_std=rng.choice([0.02, 1.0]),
    )


@pytest.mark.parametrize("seed", range(40))
def test_random_models_give_timms_logits(seed):
    assert_same_logits(uneven(random_config(seed), seed))


def test_random_models_cover_every_setting():
    configs = [random_config(seed) for seed in range(40)]
    for name in set(settings_of(ModelConfig)) - {"stem"}:
        assert len({getattr(config, name) for config in configs}) > 1, name


@pytest.mark.parametrize("name", ["annotation", "recommended"])
def test_presets_give_timms_logits(name):
    assert_same_logits(uneven(PRESETS[name][0]))


def test_shipped_vit_gives_timms_logits(trained_model):
    assert_same_logits(trained_model)


def test_export_leaves_the_model_unchanged():
    model = uneven(PRESETS["annotation"][0])
    before = model.blocks[0].attn.qkv.weight.clone()
    _, weights = to_timm(model)
    weights["head.bias"].zero_()
    assert torch.equal(model.blocks[0].attn.qkv.weight, before)
    assert model.head.bias.abs().max() > 0


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_way_to_timm_and_back_gives_the_same_logits(pooling):
    config = ModelConfig(patch_size=8, embed_dim=24, depth=2, num_heads=3, pooling=pooling)
    model = uneven(config)
    _, weights = to_timm(model)
    with torch.no_grad():
        images = images_for(config)
        torch.testing.assert_close(from_timm(weights, num_heads=3)(images), model(images))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"stem": "conv"}, "no convolutional stem of this kind. Export a model with stem patch."),
        ({"pooling": "attention"}, "no attention pooling of this kind"),
    ],
)
def test_models_that_timm_lacks_are_refused(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        to_timm(uneven(ModelConfig(depth=1, embed_dim=8, num_heads=1, **changes)))


def test_shipped_hybrid_is_refused():
    with pytest.raises(ConfigError, match="convolutional stem"):
        to_timm(load_checkpoint(SHIPPED / "hybrid.safetensors")[0])


def test_file_for_timm_loads_as_its_help_says(tmp_path):
    model = uneven(PRESETS["annotation"][0])
    path = tmp_path / "model.safetensors"
    path.write_bytes(timm_file(model, CLASSES))
    (code,) = re.findall(r"```python\n(.*?)```", TIMM_HELP, re.S)
    names = {"path": path, "json": json, "safe_open": safe_open, "load_file": load_file}
    names["VisionTransformer"] = Timm
    exec(code, names)
    images = images_for(model.config)
    with torch.no_grad():
        torch.testing.assert_close(names["model"].eval()(images), model(images))
    header = safe_open(path, "pt").metadata()
    assert json.loads(header["classes"]) == list(CLASSES)
    assert json.loads(header["normalization"]) == {"mean": [0.5] * 3, "std": [0.5] * 3}
