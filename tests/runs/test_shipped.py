"""Shipped checkpoints match their model cards and are small."""

import pytest

from vitdemo.costs import parameters
from vitdemo.data.cifar10 import load_cifar10
from vitdemo.files import SHIPPED
from vitdemo.runs.checkpoint import load_checkpoint, read_header
from vitdemo.runs.model_card import command
from vitdemo.runs.shipped import shipped_runs
from vitdemo.runs.snapshots import COUNT, snapshot_steps
from vitdemo.training.loop import evaluate
from vitdemo.training.metrics import METRICS

MOST_PARAMETERS = {"vit": 3e6, "hybrid": 1.5e6}
MOST_BYTES = 25e6  # of all files together
FILES = sorted(SHIPPED.glob("*.safetensors"))
each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def test_all_shipped_checkpoints_are_listed():
    assert [run.id for run in shipped_runs()] == [file.stem for file in FILES]
    assert FILES


@each_file
def test_metrics_match_the_card(file):
    model, card = load_checkpoint(file)
    measured = evaluate(model, load_cifar10(1, 1000).validation)
    assert {name: measured[name] for name in METRICS} == pytest.approx(
        {name: card["sample"][name] for name in METRICS}, abs=2e-3
    )
    assert (card["sample"]["images"], card["test"]["images"]) == (1000, 10_000)
    last = card["history"][-1]
    assert last["epoch"] == card["training"]["epochs"]
    # Not equal, as the weights were rounded to half precision since.
    assert card["test"]["accuracy"] == pytest.approx(last["validation"]["accuracy"], abs=3e-3)


@each_file
def test_card_has_the_command_of_the_run(file):
    """A preset that changes must not change the command of a card."""
    run = next(run for run in shipped_runs() if run.id == file.stem)
    assert read_header(file)[1]["command"] == command(run)


@each_file
def test_checkpoint_is_small(file):
    config, _ = read_header(file)
    assert sum(parameters(config).values()) <= MOST_PARAMETERS[file.stem]
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*.safetensors")) <= MOST_BYTES


@pytest.mark.slow
@each_file
def test_snapshots_improve_with_training(file):
    config, card = read_header(file)
    images, recipe = load_cifar10(1, 1000).validation, card["training"]
    steps_per_epoch = -(-recipe["train_images"] // recipe["batch_size"])
    reached = []
    for number, step in enumerate(snapshot_steps(recipe["epochs"], steps_per_epoch), start=1):
        model, snapshot = load_checkpoint(SHIPPED / file.stem / f"{number}.safetensors")
        assert model.config == config
        # They were taken before steps were moved to the ends of epochs.
        assert snapshot["step"] == pytest.approx(step, abs=steps_per_epoch / 2)
        reached.append(evaluate(model, images)["accuracy"])
        # The card's metrics are those of all 10,000 test images.
        assert reached[-1] == pytest.approx(snapshot["validation"]["accuracy"], abs=0.04)
    assert len(reached) == COUNT
    assert reached[0] < 0.25
    assert reached[-1] > reached[3] > reached[0]
    assert card["sample"]["accuracy"] > reached[-1] - 0.02


def test_readme_of_the_checkpoints_matches_their_cards():
    text = (SHIPPED / "README.md").read_text()
    for file in FILES:
        _, card = read_header(file)
        assert f"`{file.name}`" in text
        assert card["command"] in text.replace(" \\\n    ", " ")
        accuracies = [card["test"]["accuracy"], card["sample"]["accuracy"]]
        accuracies += card["test"]["by_class"].values()
        assert all(f"{accuracy:.1%}" in text for accuracy in accuracies)
