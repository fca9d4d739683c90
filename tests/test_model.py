"""The Vision Transformer: equal to timm and to formulas, for each stem and pooling."""

import math
from dataclasses import replace
from itertools import product

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmVisionTransformer
from torch.nn import functional as F

from tests.small_models import SMALL, VARIANTS, images_for, named, with_large_weights
from vitdemo.config import ConfigError, ModelConfig
from vitdemo.model import VisionTransformer

SHAPES = [
    ModelConfig(),
    ModelConfig(patch_size=8, embed_dim=48, depth=3, num_heads=3, mlp_ratio=2.0, num_classes=100),
    ModelConfig(
        image_size=24,
        patch_size=6,
        in_channels=1,
        embed_dim=20,
        depth=2,
        num_heads=5,
        mlp_ratio=1.5,
    ),
    ModelConfig(patch_size=32, embed_dim=16, depth=1, num_heads=1),
]
CONV = ModelConfig(
    image_size=16, patch_size=8, in_channels=2, embed_dim=12, depth=1, num_heads=1, stem="conv"
)


def timm_model(model):
    """Return timm's model with the same shape and weights."""
    c = model.config
    timm = TimmVisionTransformer(
        img_size=c.image_size,
        patch_size=c.patch_size,
        in_chans=c.in_channels,
        num_classes=c.num_classes,
        embed_dim=c.embed_dim,
        depth=c.depth,
        num_heads=c.num_heads,
        mlp_ratio=c.mlp_ratio,
    )
    timm.load_state_dict(model.state_dict(), strict=True)
    for block in timm.blocks:
        block.attn.fused_attn = False
    return timm.eval()


@pytest.mark.parametrize(
    "make", [lambda model: model, with_large_weights], ids=["initial weights", "large weights"]
)
@pytest.mark.parametrize("config", SHAPES, ids=str)
def test_logits_and_attention_equal_timm(config, make):
    model = make(VisionTransformer(config, seed=0)).eval()
    timm = timm_model(model)
    theirs = []
    for block in timm.blocks:
        block.attn.attn_drop.register_forward_pre_hook(
            lambda module, inputs: theirs.append(inputs[0])
        )
    images = images_for(config)
    with torch.no_grad():
        logits, trace = model.trace(images)
        expected = timm(images)
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(torch.stack(trace.attention), torch.stack(theirs), rtol=0, atol=1e-5)


def test_tokens_equal_timm():
    model = with_large_weights(VisionTransformer(SMALL, seed=0)).eval()
    timm = timm_model(model)
    theirs = []
    timm.blocks[0].register_forward_pre_hook(lambda module, inputs: theirs.append(inputs[0]))
    for block in timm.blocks:
        block.register_forward_hook(lambda module, inputs, output: theirs.append(output))
    with torch.no_grad():
        _, trace = model.trace(images_for(SMALL))
        timm(images_for(SMALL))
    torch.testing.assert_close(torch.stack(trace.tokens), torch.stack(theirs), rtol=1e-5, atol=1e-5)


def attention_by_loops(x, qkv, proj, heads, divisor):
    """Compute softmax(QK^T / divisor) V of each head, and the projection. x: (T, D)."""
    T, D = x.shape
    d = D // heads
    weight, bias = qkv.weight.tolist(), qkv.bias.tolist()
    rows = [
        [sum(weight[o][i] * float(x[t, i]) for i in range(D)) + bias[o] for o in range(3 * D)]
        for t in range(T)
    ]  # for each token: q of all heads, then k, then v
    maps, joined = torch.zeros(heads, T, T, dtype=x.dtype), torch.zeros(T, D, dtype=x.dtype)
    for head in range(heads):
        for t in range(T):
            q = rows[t][head * d : (head + 1) * d]
            scores = []
            for s in range(T):
                k = rows[s][D + head * d : D + (head + 1) * d]
                scores.append(math.exp(sum(a * b for a, b in zip(q, k, strict=True)) / divisor))
            for s in range(T):
                probability = scores[s] / sum(scores)
                maps[head, t, s] = probability
                for i in range(d):
                    joined[t, head * d + i] += probability * rows[s][2 * D + head * d + i]
    return joined @ proj.weight.T + proj.bias, maps


@pytest.mark.parametrize(
    ("scale", "divisor"), [("head_dim", math.sqrt(4)), ("embed_dim", math.sqrt(12))]
)
def test_attention_equals_the_formula_computed_with_loops(scale, divisor):
    config = ModelConfig(
        image_size=8, patch_size=4, embed_dim=12, depth=1, num_heads=3, attention_scale=scale
    )
    attention = with_large_weights(VisionTransformer(config, seed=0)).double().blocks[0].attn
    x = torch.randn(2, 5, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        output, maps = attention(x)
        for image in range(2):
            expected, expected_maps = attention_by_loops(
                x[image], attention.qkv, attention.proj, 3, divisor
            )
            torch.testing.assert_close(maps[image], expected_maps, rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(output[image], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("config", SHAPES + VARIANTS, ids=str)
def test_shapes_of_logits_and_trace(config):
    logits, trace = VisionTransformer(config, seed=0).trace(images_for(config, count=2))
    B, T, D = 2, config.num_patches, config.embed_dim
    if config.pooling == "cls":
        T += 1
    maps = (B, config.num_heads, T, T)
    assert logits.shape == (B, config.num_classes)
    assert [tuple(tokens.shape) for tokens in trace.tokens] == [(B, T, D)] * (config.depth + 1)
    assert [tuple(attention.shape) for attention in trace.attention] == [maps] * config.depth
    for updates in (trace.attention_updates, trace.mlp_updates):
        assert [tuple(update.shape) for update in updates] == [(B, T, D)] * config.depth


@pytest.mark.parametrize("training", [False, True])
def test_each_row_of_attention_sums_to_one(training):
    config = ModelConfig(image_size=16, embed_dim=24, depth=2, num_heads=3, attention_dropout=0.5)
    model = with_large_weights(VisionTransformer(config, seed=0)).train(training)
    maps = torch.stack(model.trace(images_for(config))[1].attention)
    assert (maps >= 0).all()
    torch.testing.assert_close(maps.sum(dim=-1), torch.ones(maps.shape[:-1]))


@pytest.mark.parametrize("config", VARIANTS, ids=named)
def test_trace_and_forward_give_identical_logits(config):
    model = with_large_weights(VisionTransformer(config, seed=0)).eval()
    assert torch.equal(model(images_for(SMALL)), model.trace(images_for(SMALL))[0])


def test_first_tokens_of_a_trace_are_the_embedding():
    model = with_large_weights(VisionTransformer(SMALL, seed=0)).eval()
    images = images_for(SMALL)
    first = model.trace(images)[1].tokens[0]
    assert torch.equal(first, model.embed(images))
    torch.testing.assert_close(
        first[:, 0], (model.cls_token + model.pos_embed[:, :1])[:, 0].expand(3, -1)
    )
    torch.testing.assert_close(first[:, 1:], model.patch_embed(images) + model.pos_embed[:, 1:])


@pytest.mark.parametrize("config", VARIANTS, ids=named)
def test_updates_of_a_trace_add_up_to_the_tokens(config):
    model = with_large_weights(VisionTransformer(config, seed=0)).eval()
    _, trace = model.trace(images_for(SMALL))
    for n in range(config.depth):
        expected = trace.tokens[n] + trace.attention_updates[n] + trace.mlp_updates[n]
        torch.testing.assert_close(trace.tokens[n + 1], expected)


def test_head_classifies_the_normalized_cls_token():
    model = with_large_weights(VisionTransformer(SMALL, seed=0)).eval()
    logits, trace = model.trace(images_for(SMALL))
    cls = trace.tokens[-1][:, 0]
    normalized = (cls - cls.mean(-1, keepdim=True)) / (
        cls.var(-1, unbiased=False, keepdim=True) + 1e-6
    ).sqrt()
    expected = (
        normalized * model.norm.weight + model.norm.bias
    ) @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("config", SHAPES, ids=str)
def test_patch_embedding_projects_flattened_patches(config):
    projection = VisionTransformer(config, seed=0).patch_embed
    images = images_for(config)
    patches = F.unfold(images, config.patch_size, stride=config.patch_size)  # (B, C * P * P, N)
    weight, bias = projection.proj.weight, projection.proj.bias
    expected = patches.transpose(1, 2) @ weight.flatten(1).T + bias
    torch.testing.assert_close(projection(images), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("config", VARIANTS, ids=named)
def test_every_parameter_gets_a_gradient(config):
    model = VisionTransformer(config, seed=0).train()
    F.cross_entropy(model(images_for(SMALL)), torch.tensor([0, 1, 2])).backward()
    gradients = {
        name: tensor.grad for name, tensor in model.named_parameters() if name != "pool.bias"
    }
    assert [
        name
        for name, gradient in gradients.items()
        if gradient is None or gradient.abs().max() < 1e-6
    ] == []


# Stems and poolings


@pytest.fixture
def narrow(monkeypatch):
    """Give conv stems few channels."""
    monkeypatch.setattr("vitdemo.config.model_config.STEM_WIDTH", 2)


def convolved_by_loops(x, weight):
    """Compute a 3x3 convolution of (B, C, H, W) with zero padding, pixel by pixel."""
    B, _, H, W = x.shape
    padded = torch.zeros(B, x.shape[1], H + 2, W + 2, dtype=x.dtype)
    padded[:, :, 1:-1, 1:-1] = x
    result = torch.zeros(B, len(weight), H, W, dtype=x.dtype)
    for image, out, row, column in product(range(B), range(len(weight)), range(H), range(W)):
        result[image, out, row, column] = (
            padded[image, :, row : row + 3, column : column + 3] * weight[out]
        ).sum()
    return result


def stem_by_hand(stem, images):
    """Compute the tokens (B, N, D), with batch or, in evaluation, running statistics."""
    x = images
    for conv, norm in zip(stem.convs, stem.norms, strict=True):
        x = convolved_by_loops(x, conv.weight)
        x = torch.stack([x[:, :, i::2, j::2] for i, j in product((0, 1), repeat=2)]).amax(dim=0)
        mean = x.mean(dim=(0, 2, 3)) if stem.training else norm.running_mean
        variance = x.var(dim=(0, 2, 3), unbiased=False) if stem.training else norm.running_var
        mean, variance, weight, bias = (
            v[:, None, None] for v in (mean, variance, norm.weight, norm.bias)
        )
        x = ((x - mean) / (variance + 1e-5).sqrt() * weight + bias).clamp(min=0)
    side = x.shape[2]
    tokens = [x[:, :, row, column] for row in range(side) for column in range(side)]
    return torch.stack(
        [token @ stem.proj.weight[:, :, 0, 0].T + stem.proj.bias for token in tokens], dim=1
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("patch_size", [2, 4, 8])
def test_conv_stem_equals_loops_over_pixels(narrow, patch_size, training):
    config = replace(CONV, patch_size=patch_size)
    stem = with_large_weights(VisionTransformer(config, seed=0)).patch_embed.double().train()
    generator = torch.Generator().manual_seed(3)
    stem(torch.randn(4, 2, 16, 16, dtype=torch.float64, generator=generator))  # for the norms
    stem.train(training)
    images = torch.randn(2, 2, 16, 16, dtype=torch.float64, generator=generator)
    with torch.no_grad():
        expected = stem_by_hand(stem, images)
        tokens = stem(images)
    assert tokens.shape == (2, (16 // patch_size) ** 2, 12)
    torch.testing.assert_close(tokens, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("stem", "neighbors"), [("patch", 1), ("conv", 9)])
def test_only_conv_stem_tokens_depend_on_neighboring_patches(stem, neighbors):
    config = replace(SMALL, image_size=20, stem=stem)
    model = with_large_weights(VisionTransformer(config, seed=0)).eval()
    images = images_for(config, count=1)
    changed = images.clone()
    changed[:, :, 8:12, 12:16] += 10  # the patch in row 2 and column 3 of 5 x 5
    with torch.no_grad():
        change = (model.patch_embed(changed) - model.patch_embed(images)).norm(dim=2).reshape(5, 5)
    rows, columns = torch.nonzero(change > 1e-5).T
    assert len(rows) == neighbors
    assert change.argmax() == 2 * 5 + 3
    reach = 0 if neighbors == 1 else 1
    assert (rows - 2).abs().max() == (columns - 3).abs().max() == reach


def logits_by_hand(model, images):
    """Compute the logits with torch's functions, and pool them image by image."""
    c, state = model.config, dict(model.named_parameters())

    def linear(x, name):
        return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def norm(x, name):
        return F.layer_norm(x, (c.embed_dim,), state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)

    x = model.patch_embed(images)
    if c.pooling == "cls":
        x = torch.cat([state["cls_token"].expand(len(x), 1, c.embed_dim), x], dim=1)
    x = x + state["pos_embed"]
    for n in range(c.depth):
        heads = linear(norm(x, f"blocks.{n}.norm1"), f"blocks.{n}.attn.qkv").unflatten(
            2, (3, c.num_heads, -1)
        )
        attended = (
            F.scaled_dot_product_attention(*heads.permute(2, 0, 3, 1, 4)).transpose(1, 2).flatten(2)
        )
        x = x + linear(attended, f"blocks.{n}.attn.proj")
        x = x + linear(
            F.gelu(linear(norm(x, f"blocks.{n}.norm2"), f"blocks.{n}.mlp.fc1")),
            f"blocks.{n}.mlp.fc2",
        )
    logits = []
    for tokens in norm(x, "norm"):
        weights = [1.0] + [0.0] * c.num_patches
        if c.pooling == "mean":
            weights = [1 / c.num_patches] * c.num_patches
        elif c.pooling == "attention":
            scores = [
                math.exp(token @ state["pool.weight"][0] + state["pool.bias"]) for token in tokens
            ]
            weights = [score / sum(scores) for score in scores]
        pooled = sum(weight * token for weight, token in zip(weights, tokens, strict=True))
        logits.append(linear(pooled, "head"))
    return torch.stack(logits)


@pytest.mark.parametrize("config", VARIANTS, ids=named)
def test_logits_of_each_stem_and_pooling_equal_torch_functions(config):
    model = with_large_weights(VisionTransformer(config, seed=0)).eval()
    with torch.no_grad():
        expected = logits_by_hand(model, images_for(config))
        torch.testing.assert_close(model(images_for(config)), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("config", VARIANTS, ids=named)
def test_pooling_decides_which_parameters_exist(config):
    model = VisionTransformer(config, seed=0)
    names = {name for name, _ in model.named_parameters()}
    assert ("cls_token" in names) == (config.pooling == "cls")
    assert ({"pool.weight", "pool.bias"} <= names) == (config.pooling == "attention")
    assert model.pos_embed.shape == (1, 17 if config.pooling == "cls" else 16, 24)


@pytest.mark.parametrize(
    "shape", [(2, 3, 32, 32), (2, 1, 16, 16), (2, 3, 16, 15), (3, 16, 16), (2, 16, 16, 3)]
)
def test_images_of_another_shape_are_refused(shape):
    model = VisionTransformer(SMALL, seed=0)
    for call in (model, model.trace, model.embed):
        with pytest.raises(ConfigError) as caught:
            call(torch.zeros(shape))
        assert str(caught.value) == f"The model takes images of shape (B, 3, 16, 16), not {shape}."


def test_logits_do_not_depend_on_the_batch():
    model = with_large_weights(VisionTransformer(SMALL, seed=0)).eval()
    images = images_for(SMALL, count=4)
    torch.testing.assert_close(
        model(images), torch.cat([model(image[None]) for image in images]), rtol=1e-5, atol=1e-5
    )


def shuffled_patches(images, patch, order):
    patches = F.unfold(images, patch, stride=patch)[:, :, order]
    return F.fold(patches, images.shape[2:], patch, stride=patch)


def test_without_positions_the_patch_order_does_not_matter():
    model = with_large_weights(VisionTransformer(SMALL, seed=0)).eval()
    images = images_for(SMALL)
    shuffled = shuffled_patches(
        images, 4, torch.randperm(16, generator=torch.Generator().manual_seed(4))
    )
    with torch.no_grad():
        assert not torch.allclose(model(images), model(shuffled), atol=1e-3)
        model.pos_embed.zero_()
        torch.testing.assert_close(model(images), model(shuffled), rtol=1e-5, atol=1e-5)
