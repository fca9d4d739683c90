from dataclasses import replace

import pytest

from vitdemo.config import PRESETS, TrainConfig
from vitdemo.data.cifar10 import load_cifar10
from vitdemo.model import VisionTransformer
from vitdemo.training.loop import EpochEnd, train
from vitdemo.training.optimizer import learning_rate
from vitdemo.training.settled import is_same, settled


@pytest.mark.parametrize(
    ("epochs", "warmup", "expected"),
    [(80, 5, 5), (20, 5, 5), (10, 5, 2.5), (2, 5, 0.5), (1, 1000, 0.25), (6, 0, 0), (6, 1, 1)],
)
def test_warm_up_is_at_most_a_quarter_of_the_run(epochs, warmup, expected):
    config = settled(TrainConfig(epochs=epochs, warmup_epochs=warmup, precision="float32"))
    assert config.warmup_epochs == expected
    assert settled(config) == config


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("epochs", [1, 2, 6])
def test_every_preset_can_be_shortened(preset, epochs):
    config = settled(replace(PRESETS[preset][1], epochs=epochs))
    rates = [learning_rate(config, step, 10) for step in range(1, 10 * epochs + 1)]
    assert max(rates) == pytest.approx(config.learning_rate, rel=0.01)
    assert rates.index(max(rates)) <= len(rates) / 4 + 1
    if config.schedule == "cosine":
        assert rates[-1] < 0.1 * config.learning_rate


def test_short_recommended_run_trains(tiny):
    recipe = replace(PRESETS["recommended"][1], epochs=2)
    events = train(VisionTransformer(tiny, seed=0), load_cifar10(64, 20), recipe)
    assert sum(isinstance(event, EpochEnd) for event in events) == 2


def test_recipes_are_the_same_if_only_open_choices_differ():
    config = TrainConfig(epochs=8, warmup_epochs=5, precision="auto")
    for precision in ("float32", "bfloat16"):
        assert is_same(settled(replace(config, precision=precision)), config)
        assert is_same(config, replace(config, precision=precision))
    assert not is_same(replace(config, precision="float32"), replace(config, precision="bfloat16"))
    assert not is_same(config, replace(config, warmup_epochs=1))
    assert not is_same(config, replace(config, learning_rate=0.1))
