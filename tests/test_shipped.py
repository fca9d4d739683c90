"""The checkpoints that ship are what their cards say."""

import pytest

from vitdemo.checkpoint import SHIPPED, load_checkpoint
from vitdemo.config import TrainConfig, config_from_dict
from vitdemo.data import load_cifar10
from vitdemo.metrics import METRICS
from vitdemo.runs import shipped_runs
from vitdemo.training import evaluate

FILES = sorted(SHIPPED.glob("*.safetensors"))


def test_some_ship_and_each_is_listed():
    assert [run.id for run in shipped_runs()] == [file.stem for file in FILES]
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_is_as_good_as_its_card_says(file):
    model, card = load_checkpoint(file)
    training = config_from_dict(TrainConfig, card["training"])
    split = load_cifar10(1, training.validation_images, training.validation_from).validation
    measured, said = evaluate(model, split), card["history"][-1]["validation"]
    assert card["history"][-1]["epoch"] == training.epochs
    assert {name: measured[name] for name in METRICS} == pytest.approx(said, abs=2e-3)


def test_the_readme_of_the_checkpoints_has_their_accuracy():
    text = (SHIPPED / "README.md").read_text()
    for run in shipped_runs():
        assert f"`{run.id}.safetensors`" in text
        assert f"{run.history[-1]['validation']['accuracy']:.1%}".replace("%", " %") in text
