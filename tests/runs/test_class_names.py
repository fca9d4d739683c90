"""The names of the classes belong to the run and to its checkpoint."""

import json
from dataclasses import replace

import numpy as np
import pytest
from open_app import two_class_run

from vitdemo.config import ConfigError
from vitdemo.data.cifar10 import CLASSES, Data, load_cifar10
from vitdemo.model import VisionTransformer
from vitdemo.runs.checkpoint import read_header, save_checkpoint
from vitdemo.runs.model_card import model_card
from vitdemo.runs.pretrained import PRETRAINED, pretrained_runs, weights_file
from vitdemo.runs.run import DAMAGED, list_runs, load_run, load_weights, new_run, save_run
from vitdemo.runs.shipped import shipped_runs
from vitdemo.runs.train_run import resumable_run, train_run
from vitdemo.training.loop import predict


def changed_config(run, **changes):
    """Change config.json of a run; None takes a key away."""
    path = run.folder / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    return run.id


def test_own_names_are_in_the_run_and_in_its_checkpoint(short):
    run = two_class_run(short)
    assert run.classes == ("cat", "dog")
    assert json.loads((run.folder / "config.json").read_text())["classes"] == ["cat", "dog"]
    assert read_header(run.weights)[1]["classes"] == ["cat", "dog"]
    assert not run.sees_own_classes


def test_run_on_cifar10_has_its_names(saved_run):
    assert saved_run.classes == CLASSES
    assert saved_run.sees_own_classes


@pytest.mark.parametrize(
    ("num_classes", "names"),
    [
        (2, ("class 0", "class 1")),
        (9, tuple(f"class {k}" for k in range(9))),
        (10, CLASSES),
        (20, (*CLASSES, *(f"class {k}" for k in range(10, 20)))),
    ],
)
def test_run_of_an_earlier_version_has_no_names_on_disk(tiny, short, num_classes, names):
    run = new_run(replace(tiny, num_classes=num_classes), short)
    save_run(run)
    assert load_run(changed_config(run, classes=None, state="stopped")).classes == names


@pytest.mark.parametrize(
    "names",
    ["cat", ["cat"], ["a"] * 11, [1] * 10, {"a": 1}, [""] * 10, ["x" * 201] * 10, [None] * 10],
)
def test_run_with_damaged_names_is_listed_as_damaged(saved_run, names):
    changed_config(saved_run, classes=names)
    assert [run.state for run in list_runs()] == [DAMAGED]


def test_more_names_than_classes_are_refused(tiny, short):
    data = load_cifar10(20, 10)
    run = new_run(replace(tiny, num_classes=10), short)
    data = Data(data.train, data.validation, (*CLASSES, "eel"))
    with pytest.raises(ConfigError, match="names of 11 classes, and the model has 10"):
        next(train_run(run, data))


def test_names_of_images_without_names_are_not_those_of_cifar10(tiny, short):
    data = load_cifar10(20, 10)
    run = new_run(tiny, short)
    list(train_run(run, Data(data.train, data.validation)))
    assert load_run(run.id).classes == tuple(f"class {k}" for k in range(10))


def test_run_on_other_images_is_not_resumed_on_cifar10(short):
    run = two_class_run(short)
    save_run(replace(run, state="stopped"))
    run.state_file.write_bytes(b"")
    with pytest.raises(ConfigError, match="trained on other images than those of CIFAR-10"):
        resumable_run(run.id)


def test_card_states_the_accuracy_of_classes_that_have_images(tiny, short):
    run = new_run(replace(tiny, num_classes=20), short)
    list(train_run(run, load_cifar10(20, 10)))
    run = load_run(run.id)
    model, test = load_weights(run), load_cifar10(20, 10).validation
    by_class = model_card(run, model)["test"]["by_class"]
    predicted = next(iter(predict(model, test))).argmax(dim=1)
    expected = {}
    for k in sorted(set(test.labels.tolist())):
        own = predicted[test.labels == k]
        expected[CLASSES[k]] = float(np.mean([int(label) == k for label in own]))
    assert by_class == pytest.approx(expected)


def test_shipped_models_have_the_names_of_cifar10():
    assert {run.classes for run in shipped_runs()} == {CLASSES}


def test_pretrained_model_has_the_names_of_its_file(tiny, monkeypatch):
    monkeypatch.setitem(PRETRAINED, "vit_b_16", replace(tiny, num_classes=3))

    def names():
        return next(run for run in pretrained_runs() if run.id == "vit_b_16").classes

    assert names() == ("class 0", "class 1", "class 2")
    model = VisionTransformer(PRETRAINED["vit_b_16"], seed=0)
    save_checkpoint(weights_file("vit_b_16"), model, {"classes": ["crane", "tabby", "crane"]})
    assert names() == ("crane", "tabby", "crane (2)")
