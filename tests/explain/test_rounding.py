"""Rounding errors of maps: how large they are, and that no map shows them."""

import copy
import math

import numpy as np
import pytest
import torch

from vitdemo import ModelConfig, VisionTransformer, load_checkpoint
from vitdemo.data.cifar10 import load_cifar10, normalize
from vitdemo.explain.attention import attention_map, attention_maps, attention_matrix
from vitdemo.explain.faithfulness import Curves, verdict
from vitdemo.explain.heads import head_statistics
from vitdemo.explain.importance import head_importance
from vitdemo.explain.methods import METHODS
from vitdemo.explain.occlusion import map_of_parts, occlusion, occlusion_in_parts
from vitdemo.explain.randomization import similarity
from vitdemo.explain.rounding import ROUNDING, without_noise
from vitdemo.files import SHIPPED

EPSILON = torch.finfo(torch.float32).eps
GENERATOR = torch.Generator().manual_seed(0)
each_shipped = pytest.mark.parametrize(
    "name", sorted(p.stem for p in SHIPPED.glob("*.safetensors"))
)


def noise(size: float) -> torch.Tensor:
    """Return what a uniform map of that size looks like after rounding."""
    return size * (1 + EPSILON * torch.randint(-20, 20, (8, 8), generator=GENERATOR))


@pytest.mark.parametrize("size", [1e-9, 1 / 65, 1.0, 300.0])
def test_noise_becomes_uniform_and_small_patterns_stay(size):
    assert torch.unique(without_noise(noise(size))).numel() == 1
    pattern = noise(size)
    pattern[2, 3] += 1e-4 * size
    assert torch.equal(without_noise(pattern), pattern)


def test_each_map_has_a_floor_of_its_own():
    pattern = torch.eye(8)
    found = without_noise(torch.stack([noise(1.0), 1e-6 * pattern, pattern]))
    assert [torch.unique(each).numel() for each in found] == [1, 2, 2]


def test_differences_about_0_become_0():
    differences = noise(1.0) - 1
    assert differences.abs().max() > 0
    assert not without_noise(differences, size=1.0).any()
    assert torch.equal(without_noise(differences, size=1e-6), differences)


def test_nothing_is_noise_in_64_bits():
    pattern = 1 + 1e-9 * torch.eye(8, dtype=torch.float64)
    assert torch.equal(without_noise(pattern), pattern)


@each_shipped
@pytest.mark.parametrize("method", METHODS)
def test_the_floor_lies_between_rounding_and_what_maps_show(name, method):
    model = load_checkpoint(SHIPPED / f"{name}.safetensors")[0]
    exact = copy.deepcopy(model).double()
    images = normalize(load_cifar10(1, 3).validation.images)
    classes = model(images).argmax(dim=1)
    found = METHODS[method](model, images, classes).detach().double()
    torch.set_default_dtype(torch.float64)
    try:
        expected = METHODS[method](exact, images.double(), classes).detach()
    finally:
        torch.set_default_dtype(torch.float32)
    for one, other in zip(found, expected, strict=True):
        size = 1.0 if method == "occlusion" else float(other.abs().max())
        rounding = float((one - other).abs().max()) / size / EPSILON
        shown = float(other.max() - other.min()) / size / EPSILON
        assert rounding < ROUNDING / 5
        assert shown > ROUNDING * 5


@each_shipped
@pytest.mark.parametrize("gray", [0, 1, 77, 128, 200, 255])
@pytest.mark.parametrize("window", [1, 3])
def test_occlusion_of_a_uniform_picture_is_0(name, gray, window):
    model = load_checkpoint(SHIPPED / f"{name}.safetensors")[0]
    image = normalize(torch.full((1, 3, 32, 32), gray, dtype=torch.uint8))[0]
    for class_ in (0, int(model(image[None]).argmax())):
        assert not occlusion(model, image, class_, window).any()
        parts = occlusion_in_parts(model, image, class_, window, at_a_time=7)
        assert not map_of_parts(parts).any()


def test_the_whole_image_is_in_every_batch_of_occluded_ones(trained_model, pictures, monkeypatch):
    seen = []
    forward = trained_model.forward
    monkeypatch.setattr(trained_model, "forward", lambda x: seen.append(x) or forward(x))
    list(occlusion_in_parts(trained_model, pictures[0], 3, window=1, at_a_time=30))
    assert [len(batch) for batch in seen] == [31, 31, 5]
    assert all(torch.equal(batch[0], pictures[0]) for batch in seen)


@pytest.fixture(params=["cls", "mean", "attention"])
def even_model(request):
    """Return a model that attends evenly: its queries are 0, and no patch has a position."""
    config = ModelConfig(embed_dim=24, depth=2, num_heads=3, pooling=request.param)
    model = VisionTransformer(config, seed=0).eval()
    with torch.no_grad():
        for block in model.blocks:
            block.attn.qkv.weight[:24] = block.attn.qkv.bias[:24] = 0
            block.attn.proj.weight.mul_(30)
        model.pos_embed.zero_()
    return model


def test_maps_of_an_even_model_are_uniform(even_model):
    image = normalize(torch.full((1, 3, 32, 32), 93, dtype=torch.uint8))
    for method in METHODS.values():
        grid = method(even_model, image, torch.tensor([4]))[0].detach()
        assert torch.unique(grid).numel() == 1
        assert math.isnan(similarity(grid, torch.rand(8, 8)))
    attention = even_model.trace(image)[1].attention
    has_cls = even_model.config.has_cls
    maps = attention_maps(attention, 3, has_cls)
    matrix = attention_matrix(attention, -1, None)
    assert (np.ptp(maps, axis=(-2, -1)) == 0).all()
    assert np.ptp(matrix) == np.ptp(attention_map(matrix, 3, has_cls)) == 0


def test_heads_that_attend_evenly_have_the_same_statistics(even_model, pictures):
    found = head_statistics(even_model, pictures)
    for values in (found.distance, found.entropy, found.to_cls, found.to_self):
        assert torch.unique(values).numel() == 1


def test_heads_that_change_nothing_have_importance_0(even_model, pictures, labels):
    with torch.no_grad():
        even_model.head.weight.mul_(1e-9)
    assert not head_importance(even_model, pictures, labels).any()


def test_a_difference_within_rounding_is_not_better_than_chance():
    assert verdict([(0.5 + 1e-7, 0.5), (0.25 + 1e-7, 0.25)]).word == "unclear"
    assert verdict([(0.501, 0.5), (0.251, 0.25)]).word == "more"
    own, same, worse = (
        Curves(np.array([0, 1]), np.zeros(2), np.full(2, value)) for value in (0.5, 0.4999999, 0.4)
    )
    assert own.better_than([own, same, worse]) == 1
