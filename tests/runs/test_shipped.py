"""The checkpoints that ship are what their cards say, and small enough to ship."""

import pytest

from vitdemo.costs import parameters
from vitdemo.data.cifar10 import load_cifar10
from vitdemo.files import SHIPPED
from vitdemo.runs.checkpoint import load_checkpoint, read_header
from vitdemo.runs.model_card import command
from vitdemo.runs.run import shipped_runs
from vitdemo.runs.snapshots import COUNT, snapshot_steps
from vitdemo.training.loop import evaluate
from vitdemo.training.metrics import METRICS

MOST_PARAMETERS = {"vit": 3e6, "hybrid": 1.5e6}
MOST_BYTES = 25e6  # of all together
FILES = sorted(SHIPPED.glob("*.safetensors"))
each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


def test_some_ship_and_each_is_listed():
    assert [run.id for run in shipped_runs()] == [file.stem for file in FILES]
    assert FILES


@each_file
def test_it_is_as_good_as_its_card_says(file):
    model, card = load_checkpoint(file)
    measured = evaluate(model, load_cifar10(1, 1000).validation)
    assert {name: measured[name] for name in METRICS} == pytest.approx(
        {name: card["sample"][name] for name in METRICS}, abs=2e-3
    )
    assert (card["sample"]["images"], card["test"]["images"]) == (1000, 10_000)
    last = card["history"][-1]
    assert last["epoch"] == card["training"]["epochs"]
    assert card["test"]["accuracy"] == pytest.approx(
        last["validation"]["accuracy"], abs=3e-3
    )  # half precision since


@each_file
def test_its_command_repeats_its_training(file):
    run = next(run for run in shipped_runs() if run.id == file.stem)
    assert read_header(file)[1]["command"] == command(
        run
    )  # a preset that changes must not change what a card says


@each_file
def test_it_is_small(file):
    config, _ = read_header(file)
    assert sum(parameters(config).values()) <= MOST_PARAMETERS[file.stem]
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*.safetensors")) <= MOST_BYTES


@each_file
def test_its_snapshots_show_it_learn(file):
    config, card = read_header(file)
    images, recipe = load_cifar10(1, 1000).validation, card["training"]
    steps_an_epoch = -(-recipe["train_images"] // recipe["batch_size"])
    reached = []
    for number, step in enumerate(snapshot_steps(recipe["epochs"], steps_an_epoch), start=1):
        model, moment = load_checkpoint(SHIPPED / file.stem / f"{number}.safetensors")
        assert model.config == config
        assert moment["step"] == pytest.approx(
            step, abs=steps_an_epoch / 2
        )  # taken when steps were not rounded
        reached.append(evaluate(model, images)["accuracy"])
        assert reached[-1] == pytest.approx(
            moment["validation"]["accuracy"], abs=0.04
        )  # which is of 10,000 images
    assert len(reached) == COUNT
    assert reached[0] < 0.25
    assert reached[-1] > reached[3] > reached[0]
    assert card["sample"]["accuracy"] > reached[-1] - 0.02


def test_the_readme_of_the_checkpoints_has_their_cards_figures():
    text = (SHIPPED / "README.md").read_text()
    for file in FILES:
        _, card = read_header(file)
        assert f"`{file.name}`" in text
        assert card["command"] in text.replace(" \\\n    ", " ")
        for share in (
            card["test"]["accuracy"],
            card["sample"]["accuracy"],
            *card["test"]["by_class"].values(),
        ):
            assert percent(share) in text
