import math
import threading

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmVisionTransformer
from torch.nn import functional as F

from vitdemo.config import ConfigError, ModelConfig
from vitdemo.model import Dropout, VisionTransformer

SHAPES = [
    ModelConfig(),
    ModelConfig(patch_size=8, embed_dim=48, depth=3, num_heads=3, mlp_ratio=2.0, num_classes=100),
    ModelConfig(image_size=24, patch_size=6, in_channels=1, embed_dim=20, depth=2, num_heads=5, mlp_ratio=1.5),
    ModelConfig(patch_size=32, embed_dim=16, depth=1, num_heads=1),
]
SMALL = ModelConfig(image_size=16, patch_size=4, embed_dim=24, depth=2, num_heads=3, mlp_ratio=2.0)


def images_for(config, count=3, seed=0):
    shape = (count, config.in_channels, config.image_size, config.image_size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def with_large_weights(model, seed=1):
    """Weights about as far from their start as those of a trained model, norms and biases included."""
    generator = torch.Generator().manual_seed(seed)
    for tensor in model.parameters():
        tensor.add_(torch.randn(tensor.shape, generator=generator), alpha=0.15)
    return model


def timm_twin(model):
    """timm's model of the same shape and weights."""
    c = model.config
    twin = TimmVisionTransformer(
        img_size=c.image_size,
        patch_size=c.patch_size,
        in_chans=c.in_channels,
        num_classes=c.num_classes,
        embed_dim=c.embed_dim,
        depth=c.depth,
        num_heads=c.num_heads,
        mlp_ratio=c.mlp_ratio,
    )
    twin.load_state_dict(model.state_dict(), strict=True)
    for block in twin.blocks:
        block.attn.fused_attn = False
    return twin.eval()


@pytest.mark.parametrize("make", [lambda model: model, with_large_weights], ids=["first weights", "large weights"])
@pytest.mark.parametrize("config", SHAPES, ids=str)
def test_logits_and_attention_are_those_of_timm(config, make):
    model = make(VisionTransformer(config, seed=0)).eval()
    twin = timm_twin(model)
    theirs = []
    for block in twin.blocks:
        block.attn.attn_drop.register_forward_pre_hook(lambda module, inputs: theirs.append(inputs[0]))
    images = images_for(config)
    with torch.no_grad():
        logits, trace = model.trace(images)
        expected = twin(images)
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(torch.stack(trace.attention), torch.stack(theirs), rtol=0, atol=1e-5)


def test_tokens_are_those_of_timm():
    model = with_large_weights(VisionTransformer(SMALL, seed=0)).eval()
    twin = timm_twin(model)
    theirs = []
    twin.blocks[0].register_forward_pre_hook(lambda module, inputs: theirs.append(inputs[0]))
    for block in twin.blocks:
        block.register_forward_hook(lambda module, inputs, output: theirs.append(output))
    with torch.no_grad():
        _, trace = model.trace(images_for(SMALL))
        twin(images_for(SMALL))
    torch.testing.assert_close(torch.stack(trace.tokens), torch.stack(theirs), rtol=1e-5, atol=1e-5)


def attention_by_loops(x, qkv, proj, heads, divisor):
    """softmax(QK^T / divisor) V for each head, then the projection, written number by number. x: (T, D)."""
    T, D = x.shape
    d = D // heads
    weight, bias = qkv.weight.tolist(), qkv.bias.tolist()
    rows = [
        [sum(weight[o][i] * float(x[t, i]) for i in range(D)) + bias[o] for o in range(3 * D)] for t in range(T)
    ]  # each token's q, k and v of all heads, one after the other
    maps, joined = torch.zeros(heads, T, T, dtype=x.dtype), torch.zeros(T, D, dtype=x.dtype)
    for head in range(heads):
        for t in range(T):
            q = rows[t][head * d : (head + 1) * d]
            scores = []
            for s in range(T):
                k = rows[s][D + head * d : D + (head + 1) * d]
                scores.append(math.exp(sum(a * b for a, b in zip(q, k, strict=True)) / divisor))
            for s in range(T):
                share = scores[s] / sum(scores)
                maps[head, t, s] = share
                for i in range(d):
                    joined[t, head * d + i] += share * rows[s][2 * D + head * d + i]
    return joined @ proj.weight.T + proj.bias, maps


@pytest.mark.parametrize(("scale", "divisor"), [("head_dim", math.sqrt(4)), ("embed_dim", math.sqrt(12))])
def test_attention_is_the_formula_worked_out_number_by_number(scale, divisor):
    config = ModelConfig(image_size=8, patch_size=4, embed_dim=12, depth=1, num_heads=3, attention_scale=scale)
    attention = with_large_weights(VisionTransformer(config, seed=0)).double().blocks[0].attn
    x = torch.randn(2, 5, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        output, maps = attention(x)
        for image in range(2):
            expected, expected_maps = attention_by_loops(x[image], attention.qkv, attention.proj, 3, divisor)
            torch.testing.assert_close(maps[image], expected_maps, rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(output[image], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("config", SHAPES, ids=str)
def test_shapes_of_logits_and_trace(config):
    logits, trace = VisionTransformer(config, seed=0).trace(images_for(config, count=2))
    B, T, D = 2, config.num_patches + 1, config.embed_dim
    assert logits.shape == (B, config.num_classes)
    assert [tuple(tokens.shape) for tokens in trace.tokens] == [(B, T, D)] * (config.depth + 1)
    assert [tuple(maps.shape) for maps in trace.attention] == [(B, config.num_heads, T, T)] * config.depth


@pytest.mark.parametrize("training", [False, True])
def test_each_row_of_attention_is_a_distribution(training):
    config = ModelConfig(image_size=16, embed_dim=24, depth=2, num_heads=3, attention_dropout=0.5)
    model = with_large_weights(VisionTransformer(config, seed=0)).train(training)
    maps = torch.stack(model.trace(images_for(config))[1].attention)
    assert (maps >= 0).all()
    torch.testing.assert_close(maps.sum(dim=-1), torch.ones(maps.shape[:-1]))


def test_trace_gives_the_logits_of_forward_to_the_bit():
    model = with_large_weights(VisionTransformer(SMALL, seed=0)).eval()
    assert torch.equal(model(images_for(SMALL)), model.trace(images_for(SMALL))[0])


def test_trace_begins_with_the_embedding():
    model = with_large_weights(VisionTransformer(SMALL, seed=0)).eval()
    images = images_for(SMALL)
    first = model.trace(images)[1].tokens[0]
    assert torch.equal(first, model.embed(images))
    torch.testing.assert_close(first[:, 0], (model.cls_token + model.pos_embed[:, :1])[:, 0].expand(3, -1))
    torch.testing.assert_close(first[:, 1:], model.patch_embed(images) + model.pos_embed[:, 1:])


def test_the_head_reads_cls_after_the_last_block():
    model = with_large_weights(VisionTransformer(SMALL, seed=0)).eval()
    logits, trace = model.trace(images_for(SMALL))
    cls = trace.tokens[-1][:, 0]
    normalised = (cls - cls.mean(-1, keepdim=True)) / (cls.var(-1, unbiased=False, keepdim=True) + 1e-6).sqrt()
    expected = (normalised * model.norm.weight + model.norm.bias) @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("config", SHAPES, ids=str)
def test_patch_embedding_is_a_linear_projection_of_flattened_patches(config):
    projection = VisionTransformer(config, seed=0).patch_embed
    images = images_for(config)
    patches = F.unfold(images, config.patch_size, stride=config.patch_size).transpose(1, 2)  # (B, N, C * P * P)
    expected = patches @ projection.proj.weight.flatten(1).T + projection.proj.bias
    torch.testing.assert_close(projection(images), expected, rtol=1e-5, atol=1e-5)


def test_a_gradient_reaches_every_parameter():
    model = VisionTransformer(SMALL, seed=0).train()
    F.cross_entropy(model(images_for(SMALL)), torch.tensor([0, 1, 2])).backward()
    without = [name for name, tensor in model.named_parameters() if tensor.grad is None or not tensor.grad.any()]
    assert without == []


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (2, 1, 16, 16), (2, 3, 16, 15), (3, 16, 16), (2, 16, 16, 3)])
def test_images_of_another_shape_are_refused(shape):
    model = VisionTransformer(SMALL, seed=0)
    for call in (model, model.trace, model.embed):
        with pytest.raises(ConfigError) as caught:
            call(torch.zeros(shape))
        assert str(caught.value) == f"the model takes images of shape (B, 3, 16, 16), not {shape}."


def test_an_image_is_classified_alike_alone_and_in_a_batch():
    model = with_large_weights(VisionTransformer(SMALL, seed=0)).eval()
    images = images_for(SMALL, count=4)
    torch.testing.assert_close(model(images), torch.cat([model(image[None]) for image in images]), rtol=1e-5, atol=1e-5)


def shuffled_patches(images, patch, order):
    patches = F.unfold(images, patch, stride=patch)[:, :, order]
    return F.fold(patches, images.shape[2:], patch, stride=patch)


def test_without_positions_the_order_of_patches_does_not_matter():
    model = with_large_weights(VisionTransformer(SMALL, seed=0)).eval()
    images = images_for(SMALL)
    shuffled = shuffled_patches(images, 4, torch.randperm(16, generator=torch.Generator().manual_seed(4)))
    with torch.no_grad():
        assert not torch.allclose(model(images), model(shuffled), atol=1e-3)
        model.pos_embed.zero_()
        torch.testing.assert_close(model(images), model(shuffled), rtol=1e-5, atol=1e-5)


# Dropout


def test_dropout_changes_nothing_in_evaluation_or_without_a_probability():
    x, generator = torch.randn(4, 5), torch.Generator().manual_seed(0)
    assert torch.equal(Dropout(0.5, generator).eval()(x), x)
    assert torch.equal(Dropout(0.0, generator).train()(x), x)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_zeroes_its_share_and_keeps_the_expectation(p):
    dropped = Dropout(p, torch.Generator().manual_seed(0)).train()(torch.full((100_000,), 3.0))
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], torch.full((int(kept.sum()),), 3.0 / (1 - p)))
    assert kept.float().mean().item() == pytest.approx(1 - p, abs=0.01)
    assert dropped.mean().item() == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize("kind", ["dropout", "attention_dropout"])
def test_both_dropouts_act_in_training_only(kind):
    plain = VisionTransformer(ModelConfig(depth=1), seed=0)
    model = VisionTransformer(ModelConfig(depth=1, **{kind: 0.3}), seed=0)
    images = images_for(model.config)
    assert torch.equal(model.eval()(images), plain.eval()(images))
    assert not torch.allclose(model.train()(images), plain.train()(images), atol=1e-4)


def test_dropout_acts_on_what_a_block_adds_not_on_the_stream():
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


def test_dropout_draws_from_the_generator_of_its_model_alone():
    config = ModelConfig(depth=2, dropout=0.2, attention_dropout=0.2)
    model, other = VisionTransformer(config, seed=0).train(), VisionTransformer(config, seed=1).train()
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


# The first weights


def same_weights(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_the_seed_decides_the_first_weights():
    torch.manual_seed(1)
    first = VisionTransformer(SMALL, seed=7)
    torch.manual_seed(2)
    assert same_weights(first, VisionTransformer(SMALL, seed=7))
    assert not same_weights(first, VisionTransformer(SMALL, seed=8))


def test_without_a_seed_the_weights_are_those_of_torch_manual_seed():
    models = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        models.append(VisionTransformer(SMALL))
    assert same_weights(models[0], models[1])
    assert not same_weights(models[0], models[2])


def test_models_made_at_the_same_time_do_not_change_each_other():
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


def test_layers_start_as_torch_would_start_them():
    model = VisionTransformer(ModelConfig(embed_dim=128, depth=2), seed=0)
    layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)]
    assert len(layers) == 2 * 4 + 2
    for layer in layers:
        inputs = layer.weight[0].numel()
        bound = 1 / math.sqrt(inputs)  # of torch's kaiming_uniform_(a=sqrt(5)), for weight and bias
        assert bound * 0.99 < layer.weight.abs().max().item() <= bound
        assert bound * 0.7 < layer.bias.abs().max().item() <= bound
        assert layer.weight.mean().item() == pytest.approx(0, abs=bound / 20)
        assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_norms_start_as_the_identity():
    model = VisionTransformer(SMALL, seed=0)
    norms = [module for module in model.modules() if isinstance(module, torch.nn.LayerNorm)]
    assert len(norms) == 2 * SMALL.depth + 1
    assert all((norm.weight == 1).all() and (norm.bias == 0).all() for norm in norms)


@pytest.mark.parametrize("std", [0.0, 0.02, 1.0])
def test_cls_and_positions_start_with_the_configured_spread(std):
    model = VisionTransformer(ModelConfig(embed_dim=256, depth=1, token_init_std=std), seed=0)
    assert model.pos_embed.std().item() == pytest.approx(std, rel=0.05)
    assert model.cls_token.std().item() == pytest.approx(std, rel=0.2)
    assert not model.pos_embed[0, 0].equal(model.cls_token[0, 0]) or std == 0
