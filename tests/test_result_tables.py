"""The options beside each result in the READMEs are those of the run that gave it."""

import re
from pathlib import Path

import pytest

from tests.benchmarks.recipes import ABLATIONS, OF_ONE_PRESET, RECIPES, SHORTER, changed
from vitdemo import PRESETS
from vitdemo.config.options import configs, parser

ROOT = Path(__file__).parents[1]
BENCHMARKS = (ROOT / "tests/benchmarks/README.md").read_text()


def rows_of(text, head):
    """Return the cells of the rows of the table whose first line starts with `head`."""
    lines = text[text.index(head) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def configs_of(options):
    return configs(parser().parse_args(["train", *options.strip("`").split()]))


def recipe(preset, changes):
    return tuple(changed(config, changes) for config in PRESETS[preset])


def test_each_recipe_stands_beside_its_result():
    rows = rows_of(BENCHMARKS, "| recipe | time |")
    assert [configs_of(row[-1]) for row in rows] == [recipe(*each) for each in RECIPES.values()]


def test_each_row_of_the_readme_is_one_of_the_recipes():
    rows = rows_of((ROOT / "README.md").read_text(), "| preset | training images | epochs |")
    recipes = [recipe(*each) for each in RECIPES.values()]
    for _, images, epochs, *_, options in rows:
        model, training = configs_of(options)
        assert (model, training) in recipes
        assert (f"{training.train_images:,}", str(training.epochs)) == (images, epochs)
    assert len(rows) == 5


@pytest.mark.parametrize("preset", OF_ONE_PRESET)
def test_each_ablation_stands_beside_its_result(preset):
    column = {"recommended": 1, "hybrid": 2}[preset]
    wanted = {
        recipe(preset, SHORTER | change) for change in (ABLATIONS | OF_ONE_PRESET[preset]).values()
    }
    measured = [row for row in rows_of(BENCHMARKS, "| change |") if re.match(r"\d", row[column])]
    given = ["" if row[-1] == "none" else row[-1].strip("`") for row in measured]
    found = [configs_of(f"--preset {preset} --epochs 50 {options}") for options in given]
    assert set(found) == wanted
    assert len(found) == len(wanted)


def test_each_choice_of_a_recipe_can_be_repeated():
    rows = rows_of(BENCHMARKS, "| recipe | accuracy | options |")
    chosen = [configs_of(row[-1]) for row in rows if "chosen" in row[0]]
    assert chosen == [PRESETS["recommended"], PRESETS["hybrid"]]
    assert len({configs_of(row[-1]) for row in rows}) == len(rows)


@pytest.mark.parametrize("name", ["attention", "start", "together"])
def test_each_part_of_a_benchmark_can_run_alone(name):
    code = (ROOT / f"tests/benchmarks/{name}.py").read_text()
    parts = set(re.findall(r"^def (\w+)", code, re.M))
    section = BENCHMARKS[BENCHMARKS.index(f"\n## {name}\n") :].split("\n## ")[1]
    options = re.findall(r"`--only (\w+)", section)
    assert options
    assert set(options) <= parts
