"""Scaling: the cost of attention over the number of tokens, and accuracy over training images."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from ..config import PRESETS, ModelConfig
from ..costs import macs
from ..data.cifar10 import load_cifar10
from ..model import Attention, VisionTransformer
from ..training.loop import evaluate, train

PATCH_SIZES = (8, 4, 2, 1)  # in pixels: more and more tokens
BATCH = 8  # images in one timed pass
MODELS = {"plain ViT": "recommended", "hybrid": "hybrid"}  # model -> its preset
TRAIN_IMAGES = (50, 200, 800, 3200)  # sizes of the training set
IMAGES_SEEN = 9600  # in each run, whatever the size of its training set
TEST_IMAGES = 1000


class AttentionCost(NamedTuple):
    """Cost of one attention module for BATCH images."""

    tokens: int
    seconds: float  # the fastest of several passes
    megabytes: float  # memory of the attention maps


@torch.no_grad()
def attention_costs(
    config: ModelConfig, patch_sizes: tuple[int, ...], repeats: int = 9
) -> list[AttentionCost]:
    """Measure time and memory of attention on this machine, for the tokens of each patch size.

    Args:
        config: embedding dimension and heads.
        patch_sizes: in pixels.
        repeats: timed passes for each size.
    """
    attention = Attention(config, torch.Generator())
    tokens = [replace(config, patch_size=size).num_tokens for size in patch_sizes]
    inputs = [torch.randn(BATCH, T, config.embed_dim) for T in tokens]
    seconds = [[] for _ in inputs]
    megabytes = [0.0 for _ in inputs]
    for _ in range(
        repeats + 1
    ):  # sizes in turn, so that other load on the machine affects them all
        for index, x in enumerate(inputs):
            started = time.perf_counter()
            _, maps = attention(x)  # (BATCH, H, T, T)
            seconds[index].append(time.perf_counter() - started)
            megabytes[index] = maps.untyped_storage().nbytes() / 1e6
            del maps  # outside the timed part of the next pass
    fastest = [min(times[1:]) for times in seconds]  # the first pass warms up
    return [AttentionCost(*cost) for cost in zip(tokens, fastest, megabytes, strict=True)]


def quadratic_share(config: ModelConfig) -> float:
    """Return the fraction of a model's MACs that grows with T²: QK^T and the weighted sum of V."""
    parts = macs(config)
    return parts["attention"] / sum(parts.values())


def break_even(config: ModelConfig) -> int:
    """Return the T at which that part of a block costs as much as its linear layers.

    2T²D equals 4TD² (projections) + 2 TD² mlp_ratio (MLP) at T = (2 + mlp_ratio) D.
    """
    return round((2 + config.mlp_ratio) * config.embed_dim)


def exponent(x: list[float], y: list[float]) -> float:
    """Return the exponent p of the power law y = a x^p that fits best: 1 linear, 2 quadratic."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def data_efficiency() -> Iterator[tuple[str, int, float]]:
    """Train each of MODELS on training sets of growing size, with equally many images seen.

    Yields:
        The model, the size of its training set, and its accuracy on TEST_IMAGES test images.
    """
    for train_images in TRAIN_IMAGES:
        for name, preset in MODELS.items():
            model_config, training = PRESETS[preset]
            epochs = max(1, IMAGES_SEEN // train_images)
            training = replace(
                training, train_images=train_images, epochs=epochs, warmup_epochs=0.0
            )
            data = load_cifar10(train_images, TEST_IMAGES)
            model = VisionTransformer(model_config, seed=0)
            # Only the final accuracy counts, so one image is enough to validate each epoch.
            for _ in train(model, replace(data, validation=data.validation[:1]), training):
                pass
            yield name, train_images, evaluate(model, data.validation)["accuracy"]
