"""timm's models as ours: the same logits and attention, or a sentence that says why not."""

import random
from functools import partial

import pytest
import timm
import torch
from timm.layers import SwiGLU, resample_abs_pos_embed
from timm.models.vision_transformer import ParallelThingsBlock
from timm.models.vision_transformer import VisionTransformer as Timm
from timm.models.vision_transformer_hybrid import HybridEmbed
from timm_models import IMAGENET, SMALL, normalized, timm_model, with_large_weights
from torch.nn import functional as F

from vitdemo import ConfigError, from_timm
from vitdemo.data.cifar10 import normalize


def pictures(size=32, count=3, channels=3):
    generator = torch.Generator().manual_seed(1)
    shape = (count, channels, size, size)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


@torch.no_grad()
def assert_same(theirs, ours, images, mean=(0.5,) * 3, std=(0.5,) * 3):
    """Compare logits of the same pictures, each model with its own normalization."""
    expected = theirs(normalized(images, list(mean), list(std)))
    torch.testing.assert_close(ours(normalize(images)), expected, rtol=1e-4, atol=1e-4)
    assert expected.std() > 0.05
    assert not ours.training


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"init_values": 0.5},
        {"qkv_bias": False},
        {"proj_bias": False},
        {"qkv_bias": False, "proj_bias": False, "init_values": 0.1},
        {"no_embed_class": True},
        {"class_token": False, "global_pool": "avg", "fc_norm": False},
        {"class_token": False, "global_pool": "avg", "fc_norm": False, "init_values": 1.0},
        {"mlp_ratio": 2.7},
        {"num_classes": 1000},
        {"img_size": 8},
    ],
    ids=str,
)
def test_plain_models_give_the_same_logits(changes):
    theirs = timm_model(**changes)
    ours = from_timm(theirs.state_dict(), num_heads=3)
    assert_same(theirs, ours, pictures(ours.config.image_size))


@pytest.mark.parametrize("seed", range(20))
def test_random_models_give_the_same_logits(seed):
    rng = random.Random(seed)
    heads, patch, side = rng.choice([1, 2, 4]), rng.choice([2, 4, 7]), rng.randint(2, 5)
    changes = {
        "img_size": patch * side,
        "patch_size": patch,
        "embed_dim": heads * rng.choice([8, 16]),
        "depth": rng.randint(1, 4),
        "num_heads": heads,
        "num_classes": rng.randint(2, 50),
        "mlp_ratio": rng.choice([1, 3.3, 4]),
        "init_values": rng.choice([None, 0.3]),
        "qkv_bias": rng.random() < 0.5,
        "no_embed_class": rng.random() < 0.5,
    }
    mean = [rng.random() for _ in range(3)]
    std = [rng.uniform(0.1, 1) for _ in range(3)]
    theirs = timm_model(seed, **changes)
    ours = from_timm(theirs.state_dict(), heads, mean=mean, std=std)
    assert_same(theirs, ours, pictures(patch * side), mean, std)


def test_attention_equals_timms():
    theirs = timm_model(init_values=0.5)
    found = []
    for block in theirs.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
    ours = from_timm(theirs.state_dict(), num_heads=3, **IMAGENET)
    with torch.no_grad():
        theirs(normalized(pictures(), **IMAGENET))
        _, trace = ours.trace(normalize(pictures()))
    torch.testing.assert_close(torch.stack(trace.attention), torch.stack(found), rtol=0, atol=1e-5)


def test_its_own_normalization_is_respected():
    theirs = timm_model()
    assert_same(theirs, from_timm(theirs.state_dict(), 3, **IMAGENET), pictures(), **IMAGENET)
    with pytest.raises(AssertionError):
        assert_same(theirs, from_timm(theirs.state_dict(), 3), pictures(), **IMAGENET)


def test_missing_patch_bias_takes_the_normalization():
    weights = timm_model().state_dict()
    bias = weights.pop("patch_embed.proj.bias")
    theirs = Timm(**SMALL).eval()
    theirs.load_state_dict(weights | {"patch_embed.proj.bias": torch.zeros_like(bias)})
    assert_same(theirs, from_timm(weights, 3, **IMAGENET), pictures(), **IMAGENET)


@pytest.mark.parametrize("changes", [{}, {"no_embed_class": True}], ids=str)
@pytest.mark.parametrize("size", [8, 24, 48, 64])
def test_positions_are_resized_as_timm_does(size, changes):
    theirs = timm_model(**changes)
    ours = from_timm(theirs.state_dict(), num_heads=3, image_size=size)
    resized = timm_model(img_size=size, **changes)
    weights = theirs.state_dict()
    prefix = 0 if changes else 1
    weights["pos_embed"] = resample_abs_pos_embed(
        weights["pos_embed"], [size // 8, size // 8], num_prefix_tokens=prefix
    )
    resized.load_state_dict(weights)
    assert_same(resized, ours, pictures(size))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_any_precision_are_taken(kind):
    theirs = timm_model().to(kind)
    ours = from_timm(theirs.state_dict(), num_heads=3)
    assert {tensor.dtype for tensor in ours.parameters()} == {torch.float32}
    assert_same(theirs.float(), ours, pictures())


def test_heads_of_the_common_sizes_are_known():
    theirs = timm_model(embed_dim=192, num_heads=3)
    assert_same(theirs, from_timm(theirs.state_dict()), pictures())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("vit_tiny_patch16_224", 224),
        ("deit_tiny_patch16_224", 224),
        ("deit3_small_patch16_384", 224),  # LayerScale, CLS without a position
        ("vit_base_patch32_384", 256),
    ],
)
def test_named_models_of_timm(name, size):
    theirs = with_large_weights(timm.create_model(name, num_classes=10), 0, 0.05)
    cfg = theirs.pretrained_cfg
    ours = from_timm(theirs.state_dict(), image_size=size, mean=cfg["mean"], std=cfg["std"])
    resized = timm.create_model(name, num_classes=10, img_size=size).eval()
    weights = theirs.state_dict()
    weights["pos_embed"] = resample_abs_pos_embed(
        weights["pos_embed"],
        [size // ours.config.patch_size] * 2,
        num_prefix_tokens=0 if theirs.no_embed_class else 1,
    )
    resized.load_state_dict(weights)
    assert_same(resized, ours, pictures(size, 1), cfg["mean"], cfg["std"])


def test_weights_are_left_as_they_were():
    weights = timm_model(init_values=0.5).state_dict()
    before = {name: tensor.clone() for name, tensor in weights.items()}
    from_timm(weights, num_heads=3, **IMAGENET)
    assert list(weights) == list(before)
    assert all(torch.equal(weights[name], before[name]) for name in before)


# transformers


def transformers_names(weights):
    """Return timm's weights under the names of transformers' ViTForImageClassification.

    From its conversion script, `convert_vit_timm_to_pytorch.py`.
    """
    renamed = {
        "vit.embeddings.cls_token": weights["cls_token"],
        "vit.embeddings.position_embeddings": weights["pos_embed"],
    }
    layers = {
        "patch_embed.proj": "vit.embeddings.patch_embeddings.projection",
        "norm": "vit.layernorm",
        "head": "classifier",
    }
    for layer in range(2):
        its, block = f"vit.encoder.layer.{layer}", f"blocks.{layer}"
        layers |= {
            f"{block}.norm1": f"{its}.layernorm_before",
            f"{block}.norm2": f"{its}.layernorm_after",
            f"{block}.attn.proj": f"{its}.attention.output.dense",
            f"{block}.mlp.fc1": f"{its}.intermediate.dense",
            f"{block}.mlp.fc2": f"{its}.output.dense",
        }
        for part in ("weight", "bias"):
            parts = weights[f"{block}.attn.qkv.{part}"].chunk(3)
            for name, tensor in zip(("query", "key", "value"), parts, strict=True):
                renamed[f"{its}.attention.attention.{name}.{part}"] = tensor
    for timms, its in layers.items():
        for part in ("weight", "bias"):
            renamed[f"{its}.{part}"] = weights[f"{timms}.{part}"]
    return renamed


def test_transformers_names_are_understood():
    theirs = timm_model()
    weights = transformers_names(theirs.state_dict())
    assert len(weights) == len(theirs.state_dict()) + 2 * 2 * 2  # q, k and v are apart
    assert_same(theirs, from_timm(weights, num_heads=3), pictures())


def test_transformers_weights_without_a_part_are_refused():
    weights = transformers_names(timm_model().state_dict())
    del weights["vit.encoder.layer.1.attention.attention.key.weight"]
    with pytest.raises(ConfigError, match=r"blocks\.1\.attn\.qkv\.weight has shape"):
        from_timm(weights, num_heads=3)


# What ours cannot represent


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"qk_norm": True}, "qk_norm"),
        ({"reg_tokens": 4}, "register tokens"),
        ({"pre_norm": True}, "pre_norm"),
        ({"global_pool": "avg"}, "fc_norm"),
        ({"global_pool": "map", "class_token": False}, "attention pooling of another kind"),
        ({"mlp_layer": SwiGLU}, "SwiGLU"),
        ({"scale_attn_norm": True}, "normalizes inside of its attention"),
        ({"scale_mlp_norm": True}, "normalizes inside of its MLPs"),
        ({"embed_norm_layer": torch.nn.LayerNorm}, "normalizes its patch embeddings"),
        ({"block_fn": ParallelThingsBlock}, "blocks.0"),
        ({"pos_embed": "none"}, "no pos_embed"),
        ({"final_norm": False}, "no norm.weight"),
        ({"num_classes": 0}, "no head.weight"),
        ({"num_classes": 1001}, "num_classes must be a whole number from 2 to 1,000, not 1001"),
        ({"depth": 25}, "depth must be a whole number from 1 to 24"),
        ({"img_size": (32, 24)}, "do not make a square"),
        ({"patch_size": (8, 4)}, "ours are square"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_models_that_ours_cannot_represent_are_refused(changes, sentence):
    with pytest.raises(ConfigError) as caught:
        from_timm(timm_model(**changes).state_dict(), num_heads=3)
    assert sentence in str(caught.value)


def test_hybrid_models_are_refused():
    backbone = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 8, stride=8))
    backbone.num_features = 8
    embed = partial(HybridEmbed, backbone, feature_size=(4, 4))
    with pytest.raises(ConfigError, match="convolutional stem of another kind"):
        from_timm(timm_model(embed_layer=embed, patch_size=1).state_dict(), num_heads=3)


def test_distilled_models_are_refused():
    from timm.models.deit import VisionTransformerDistilled

    with pytest.raises(ConfigError, match="distilled"):
        from_timm(VisionTransformerDistilled(**SMALL).state_dict(), num_heads=3)


def changed(**tensors):
    weights = timm_model().state_dict() | tensors
    return {name: tensor for name, tensor in weights.items() if tensor is not None}


D = 24


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ({}, "The weights have no patch_embed.proj.weight"),
        ({"model": 1}, "is not a tensor"),
        (
            changed(**{"head.weight": torch.zeros(7)}),
            "head.weight has shape (7,)",
        ),
        (changed(**{"head.weight": torch.zeros(7, 5)}), "head.weight has shape (7, 5)"),
        (changed(**{"head.weight": torch.full((7, D), torch.nan)}), "not numbers"),
        (changed(**{"head.bias": torch.tensor([torch.inf] * 7)}), "not numbers"),
        (changed(**{"head.bias": torch.zeros(7, dtype=torch.int64)}), "floating-point"),
        (changed(**{"norm.weight": None}), "no norm.weight"),
        (changed(**{"blocks.1.attn.qkv.weight": None}), "no blocks.1.attn.qkv.weight"),
        (changed(**{"blocks.7.norm1.weight": torch.ones(D)}), "blocks.7.norm1.weight"),
        (changed(**{"blocks.0.ls1.gamma": torch.ones(3)}), "blocks.0.ls1.gamma has shape (3,)"),
        (changed(**{"blocks.9999.ls1.gamma": torch.ones(D)}), "blocks.9999.ls1.gamma"),
        (changed(pos_embed=torch.zeros(1, 0, D)), "pos_embed has shape (1, 0, 24)"),
        (changed(pos_embed=torch.zeros(1, 3, D)), "3 position embeddings do not make a square"),
        (changed(pos_embed=torch.zeros(2, 17, D)), "pos_embed has shape (2, 17, 24)"),
        (changed(pos_embed=torch.zeros(1, 17, 5)), "pos_embed has shape (1, 17, 5)"),
        (changed(cls_token=torch.zeros(1, 2, D)), "cls_token has shape (1, 2, 24)"),
        (changed(**{"patch_embed.proj.weight": torch.zeros(0, 3, 8, 8)}), "has shape (0, 3, 8, 8)"),
        (changed(surprise=torch.zeros(1)), "The weights have surprise"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_weights_are_refused(weights, sentence):
    with pytest.raises(ConfigError) as caught:
        from_timm(weights, num_heads=3)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"num_heads": 5}, "num_heads 5 does not divide embed_dim 24"),
        ({"num_heads": None}, "The number of heads is not clear from embed_dim 24"),
        ({"image_size": 30}, "patch_size 8 does not divide image_size 30"),
        ({"image_size": 512}, "image_size must be a whole number from 4 to 256"),
        ({"mean": [0.5]}, "mean must be 3 numbers"),
        ({"std": [0.5, 0.5, 0.0]}, "std must be 3 numbers"),
        ({"std": [torch.nan] * 3}, "std must be 3 numbers"),
        ({"mean": [127.5] * 3}, "of pixels from 0 to 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, sentence):
    with pytest.raises(ConfigError) as caught:
        from_timm(timm_model().state_dict(), **({"num_heads": 3} | settings))
    assert sentence in str(caught.value)


def test_a_small_file_makes_no_large_model(monkeypatch):
    """A patch embedding and 24 tiny blocks: refused by their shapes, before a model is made."""
    weights = changed(
        **{
            "patch_embed.proj.weight": torch.zeros(1024, 3, 1, 1),
            "pos_embed": torch.zeros(1, 17, 1024),
            "cls_token": torch.zeros(1, 1, 1024),
            "blocks.0.mlp.fc1.weight": torch.zeros(4096, 1),
        },
        **{f"blocks.{n}.norm1.weight": torch.ones(1) for n in range(2, 24)},
    )
    made = []
    normal_ = torch.Tensor.uniform_
    monkeypatch.setattr(
        torch.Tensor,
        "uniform_",
        lambda self, *a, **k: (made.append(self.device.type), normal_(self, *a, **k))[1],
    )
    with pytest.raises(ConfigError, match="has shape"):
        from_timm(weights, num_heads=16)
    assert set(made) <= {"meta"}


def test_linear_patch_embedding_as_in_flexible_models_is_refused():
    weights = changed(**{"patch_embed.proj.weight": torch.zeros(D, 192)})
    with pytest.raises(ConfigError, match=r"patch_embed\.proj\.weight has shape"):
        from_timm(weights, num_heads=3)


def test_bicubic_resizing_is_not_the_identity():
    """The reference resizes: a model with positions of another grid gives other logits."""
    theirs = timm_model()
    grid = theirs.pos_embed[:, 1:].detach().reshape(1, 4, 4, D).permute(0, 3, 1, 2)
    ours = from_timm(theirs.state_dict(), num_heads=3, image_size=64)
    assert not torch.equal(ours.pos_embed[:, 1:], F.interpolate(grid, 8).flatten(2).mT)
