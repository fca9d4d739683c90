import math

import pytest
import torch

from vitdemo.config import TrainConfig
from vitdemo.model import VisionTransformer
from vitdemo.training.optimizer import learning_rate, make_optimizer


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_the_optimizer_takes_every_parameter(tiny, optimizer):
    model = VisionTransformer(tiny, seed=0)
    config = TrainConfig(optimizer=optimizer, learning_rate=0.01, weight_decay=0.2)
    groups = make_optimizer(model, config).param_groups
    assert {id(weight) for group in groups for weight in group["params"]} == {
        id(w) for w in model.parameters()
    }
    assert all((group["lr"], group["weight_decay"]) == (0.01, 0.2) for group in groups)


@pytest.mark.parametrize(
    ("optimizer", "torchs"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_each_step_is_that_of_torchs_optimizer(tiny, optimizer, torchs):
    ours, expected = VisionTransformer(tiny, seed=0), VisionTransformer(tiny, seed=0)
    config = TrainConfig(optimizer=optimizer, learning_rate=0.01, weight_decay=0.2)
    pairs = [
        (ours, make_optimizer(ours, config)),
        (expected, torchs(expected.parameters(), lr=0.01, weight_decay=0.2, fused=True)),
    ]
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        for model, taking in pairs:
            taking.zero_grad()
            model(images).square().sum().backward()
            taking.step()
    for mine, its in zip(ours.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(mine, its, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("config", "expected"),
    [  # two steps an epoch
        (TrainConfig(epochs=3, learning_rate=0.8), [0.8] * 6),
        (TrainConfig(epochs=3, learning_rate=0.8, warmup_epochs=2), [0.2, 0.4, 0.6, 0.8, 0.8, 0.8]),
        (TrainConfig(epochs=2, learning_rate=0.8, warmup_epochs=2), [0.2, 0.4, 0.6, 0.8]),
        (TrainConfig(epochs=2, learning_rate=0.8, warmup_epochs=0.25), [0.8] * 4),
        (
            TrainConfig(epochs=3, learning_rate=0.8, schedule="cosine"),
            [0.4 * (1 + math.cos(math.pi * done / 6)) for done in range(6)],
        ),
        (
            TrainConfig(epochs=3, learning_rate=0.8, schedule="cosine", warmup_epochs=1),
            [0.4, 0.8, 0.8, 0.4 * (1 + math.sqrt(0.5)), 0.4, 0.4 * (1 - math.sqrt(0.5))],
        ),
        (
            TrainConfig(epochs=2, learning_rate=0.8, schedule="cosine", warmup_epochs=2),
            [0.2, 0.4, 0.6, 0.8],
        ),
    ],
)
def test_the_learning_rate_of_each_step(config, expected):
    rates = [learning_rate(config, step, 2) for step in range(1, len(expected) + 1)]
    assert rates == pytest.approx(expected)


def test_the_cosine_ends_near_zero():
    config = TrainConfig(epochs=10, learning_rate=1.0, schedule="cosine")
    assert learning_rate(config, 10 * 100, 100) < 1e-5


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("warmup", [0.0, 0.3, 1.0, 2.7, 3.0])
def test_the_learning_rate_is_never_above_its_largest_nor_below_zero(schedule, warmup):
    config = TrainConfig(epochs=3, learning_rate=0.5, schedule=schedule, warmup_epochs=warmup)
    rates = [learning_rate(config, step, 7) for step in range(1, 22)]
    assert all(0 < rate <= 0.5 for rate in rates)
