from dataclasses import replace

import pytest
import torch

from vitdemo.config import PRESETS, ModelConfig, TrainConfig
from vitdemo.config.options import configs, parser
from vitdemo.data import cifar10
from vitdemo.data.cifar10 import CLASSES, load_cifar10
from vitdemo.model import VisionTransformer
from vitdemo.runs.model_card import command, model_card
from vitdemo.runs.run import card_of, new_run
from vitdemo.training.loop import evaluate, predict
from vitdemo.training.metrics import METRICS

OTHER = (
    ModelConfig(
        patch_size=8, embed_dim=48, num_heads=3, stem="conv", pooling="attention", drop_path=0.125
    ),
    TrainConfig(
        epochs=7,
        optimizer="adam",
        learning_rate=3e-7,
        mixup=0.5,
        precision="bfloat16",
        validation_from="train",
    ),
)


@pytest.mark.parametrize("pair", [*PRESETS.values(), OTHER], ids=[*PRESETS, "other"])
def test_command_repeats_the_run(pair):
    words = command(new_run(*pair)).split()
    assert words[:3] == ["python", "-m", "vitdemo"]
    assert configs(parser().parse_args(words[3:])) == pair


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_command_states_the_precision_that_was_decided(precision):
    run = replace(new_run(*PRESETS["hybrid"]), precision=precision)
    assert command(run) == f"python -m vitdemo train --preset hybrid --precision {precision}"
    assert card_of(run)["precision"] == precision


@pytest.mark.parametrize("name", PRESETS)
def test_command_starts_from_the_nearest_preset(name):
    model, training = PRESETS[name]
    assert command(new_run(model, training)) == f"python -m vitdemo train --preset {name}"
    changed = command(new_run(model, replace(training, seed=3)))
    assert changed == f"python -m vitdemo train --preset {name} --seed 3"


@pytest.mark.parametrize("source", ["test", "train"])
def test_card_has_the_metrics_of_the_model(tiny, short, source, monkeypatch):
    monkeypatch.setattr("vitdemo.runs.model_card.SAMPLE", {"train": 5000, "test": 30})
    training = replace(short, validation_images=100, validation_from=source)
    run, model = replace(new_run(tiny, training), threads=2), VisionTransformer(tiny, seed=0)
    validation = load_cifar10(training.train_images, 100, source).validation
    card = model_card(run, model)
    assert {name: card[name] for name in card_of(run)} == card_of(run)
    assert card["command"] == command(run)
    assert card["machine"].endswith(", 2 threads")

    test, sample = card["test"], card["sample"]
    assert (test["images"], sample["images"]) == (100, 30)
    assert {name: test[name] for name in METRICS} == pytest.approx(
        evaluate(model, validation), abs=1e-6
    )
    assert {name: sample[name] for name in METRICS} == pytest.approx(
        evaluate(model, validation[:30]), abs=1e-6
    )
    predicted = torch.cat(list(predict(model, validation))).argmax(dim=1)
    for k, name in enumerate(CLASSES):
        assert test["by_class"][name] == pytest.approx(
            (predicted[validation.labels == k] == k).float().mean().item()
        )


def test_sample_of_a_small_validation_set_is_all_of_it(tiny, short):
    card = model_card(new_run(tiny, short), VisionTransformer(tiny, seed=0))
    assert (
        card["sample"]["images"]
        == card["test"]["images"]
        == short.validation_images
        < cifar10.SAMPLE["test"]
    )
