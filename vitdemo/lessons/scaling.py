"""What a Vision Transformer costs and needs: time over tokens, and accuracy over images."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..config import PRESETS, ModelConfig
from ..data.cifar10 import load_cifar10
from ..model import Attention, VisionTransformer
from ..training.loop import evaluate, train

BATCH = 8  # images at a time, for the times
HUNGRY = (50, 200, 800, 3200)  # training images
SEEN = 9600  # images in each training, few of them again and again or many a few times
HUNGRY_TEST = 1000  # test images
KINDS = {"plain ViT": "recommended", "hybrid": "hybrid"}  # to be fed, with their presets


@dataclass(frozen=True)
class Cost:
    """Of one attention over so many tokens."""

    tokens: int
    seconds: float  # for BATCH images, the fastest of several passes
    megabytes: float  # that its attention maps take


@torch.no_grad()
def attention_costs(
    config: ModelConfig, patch_sizes: tuple[int, ...], repeats: int = 9
) -> list[Cost]:
    """Measure attention over the tokens of several patch sizes, in turns, on this machine now.

    Args:
        config: width and heads.
        patch_sizes: in pixels.
        repeats: passes of each.
    """
    module = Attention(config, torch.Generator())
    tokens = [replace(config, patch_size=size).num_tokens for size in patch_sizes]
    inputs = [torch.randn(BATCH, T, config.embed_dim) for T in tokens]
    taken, maps = [[] for _ in inputs], {}
    for _ in range(repeats + 1):
        for x, seconds in zip(inputs, taken, strict=True):
            started = time.perf_counter()
            _, attention = module(x)
            seconds.append(time.perf_counter() - started)
            maps[x.shape[1]] = attention.untyped_storage().nbytes() / 1e6
            del attention  # now, or the next pass would pay for it
    each = zip(tokens, taken, strict=True)  # the first pass of each warms up
    return [Cost(T, min(seconds[1:]), maps[T]) for T, seconds in each]


def exponent(x: list[float], y: list[float]) -> float:
    """The power p of the line y = a x^p that fits best, in logarithms: 1 is proportional, 2 quadratic."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def hunger() -> Iterator[tuple[str, int, float]]:
    """Train both kinds on ever more images, until each training has seen as many.

    Yields:
        which kind, on how many images, and its accuracy on HUNGRY_TEST others.
    """
    for images in HUNGRY:
        for kind, preset in KINDS.items():
            model_config, recipe = PRESETS[preset]
            changed = replace(
                recipe, train_images=images, epochs=max(1, SEEN // images), warmup_epochs=0.0
            )
            data = load_cifar10(images, HUNGRY_TEST)
            model = VisionTransformer(model_config, seed=0)
            for _ in train(model, replace(data, validation=data.validation[:1]), changed):
                pass
            yield kind, images, evaluate(model, data.validation)["accuracy"]
