"""The stored results of the lessons fit the code; damaged ones and those of others are not read."""

import json
import sys
from dataclasses import replace
from functools import partial

import pytest

from vitdemo.config import ModelConfig, TrainConfig
from vitdemo.lessons import measure
from vitdemo.lessons.experiments import Experiment, experiments
from vitdemo.lessons.measured import FILE, Measurement, read_measurement, write_measurement

EXPERIMENT = Experiment(
    total=2,
    steps=lambda: iter([("a", {"loss": 2.3}), ("a", {"loss": 1 / 3})]),
    like=("", {"loss": 0.0}),
    recipes={"a": (ModelConfig(depth=1), TrainConfig(epochs=2))},
    numbers={"sizes": [1, 2]},
)
FOUND = Measurement("2026-11-26", "Some CPU, 2 cores", 1.25, tuple(EXPERIMENT.steps()))


@pytest.fixture
def path(tmp_path):
    """A file with the results of EXPERIMENT under the name "a"."""
    write_measurement("a", EXPERIMENT, FOUND, tmp_path / "measured.json")
    return tmp_path / "measured.json"


@pytest.mark.parametrize("name", experiments())
def test_shipped_results_fit_the_present_settings(name):
    """If this fails: `python -m vitdemo.lessons.measure NAME` on an idle machine."""
    assert read_measurement(name, experiments()[name])


def test_shipped_results_have_no_others():
    assert set(json.loads(FILE.read_text())) == set(experiments())


def test_results_are_read_as_written_with_six_digits(path):
    found = read_measurement("a", EXPERIMENT, path)
    assert found == replace(FOUND, results=(("a", {"loss": 2.3}), ("a", {"loss": 0.333333})))


def test_writing_keeps_other_results_and_replaces_ones_own(path):
    write_measurement("b", EXPERIMENT, FOUND, path)
    write_measurement("a", EXPERIMENT, replace(FOUND, date="2027-01-01"), path)
    dates = [read_measurement(name, EXPERIMENT, path).date for name in ("a", "b")]
    assert dates == ["2027-01-01", "2026-11-26"]


@pytest.mark.parametrize(
    "changes",
    [
        {"numbers": {"sizes": [1, 3]}},
        {"numbers": {}},
        {"recipes": {"b": EXPERIMENT.recipes["a"]}},
        {"recipes": {"a": (ModelConfig(depth=2), TrainConfig(epochs=2))}},
        {"recipes": {"a": (ModelConfig(depth=1), TrainConfig(epochs=2, learning_rate=2e-3))}},
    ],
)
def test_results_of_other_settings_are_not_read(path, changes):
    assert read_measurement("a", replace(EXPERIMENT, **changes), path) is None


def test_results_from_before_a_setting_existed_are_those_of_its_default(path):
    stored = json.loads(path.read_text())
    del stored["a"]["settings"]["recipes"]["a"]["training"]["label_smoothing"]
    path.write_text(json.dumps(stored))
    assert read_measurement("a", EXPERIMENT, path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("results", [["a", {"loss": 2.3}]]),
        ("results", [["a", {"loss": 2.3}], ["a", {}]]),
        ("results", [["a", {"loss": 2.3}], ["a", {"loss": None}]]),
        ("results", [["a", {"loss": 2.3}], ["a", {"loss": "low"}]]),
        ("results", [["a", {"loss": 2.3}], ["a", {"loss": float("nan")}]]),
        ("results", [["a", {"loss": 2.3}], ["a"]]),
        ("results", [["a", {"loss": 2.3}], [1, {"loss": 2.3}]]),
        ("results", [["a", {"loss": 2.3}], 7]),
        ("results", None),
        ("date", "yesterday"),
        ("date", 20261126),
        ("machine", ["CPU"]),
        ("seconds", "1"),
        ("settings", {"recipes": {"a": {"model": {"height": 3}, "training": {}}}, "numbers": {}}),
        ("settings", []),
    ],
)
def test_damaged_results_are_not_read(path, field, value):
    stored = json.loads(path.read_text())
    stored["a"][field] = value
    path.write_text(json.dumps(stored))
    assert read_measurement("a", EXPERIMENT, path) is None


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"b": {}}', '{"a": 3}', "[" * 100_000])
def test_damaged_file_is_not_read(path, text):
    path.write_text(text)
    assert read_measurement("a", EXPERIMENT, path) is None
    path.unlink()
    assert read_measurement("a", EXPERIMENT, path) is None


def test_command_measures_what_is_named(path, monkeypatch, capsys):
    monkeypatch.setattr(measure, "write_measurement", partial(write_measurement, path=path))
    monkeypatch.setattr(measure, "experiments", lambda: {"a": EXPERIMENT, "b": EXPERIMENT})
    monkeypatch.setattr(sys, "argv", ["measure", "b"])
    measure.main()
    assert "b: 2 results in " in capsys.readouterr().out
    found = read_measurement("b", EXPERIMENT, path)
    assert [record["loss"] for _, record in found.results] == [2.3, 0.333333]
    assert read_measurement("a", EXPERIMENT, path).date == FOUND.date
    monkeypatch.setattr(sys, "argv", ["measure", "c"])
    with pytest.raises(SystemExit):
        measure.main()
    assert "There is no experiment 'c'. Use a or b." in capsys.readouterr().err
