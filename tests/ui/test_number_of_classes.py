"""Every page works with models of 2 to 1,000 classes, with the names that belong to the run."""

from dataclasses import replace

import numpy as np
import pytest
from open_app import captions_of, open_app, prediction_of, table, trained_run, two_class_run

from vitdemo.config import PRESETS
from vitdemo.data.cifar10 import CLASSES
from vitdemo.model import VisionTransformer
from vitdemo.runs.run import new_run, save_run
from vitdemo.ui.attention.state import TABS
from vitdemo.ui.cached import probabilities_of

TABS_AND_TRAIN = ("train", *TABS)


@pytest.fixture(params=[2, 20, 1000])
def run(request, tiny, short):
    """Return a run of a few steps: of two classes on own images, or of more on CIFAR-10."""
    if request.param == 2:
        return two_class_run(short)
    return trained_run(replace(tiny, num_classes=request.param), short)


def open_part(part: str, run):
    """Open the Train page or a tab of the Attention page, which must not raise."""
    if part == "train":
        return open_app(run=run.id)
    return open_app("pages/attention.py", run=run.id, view=part)


@pytest.mark.parametrize("part", TABS_AND_TRAIN)
def test_page_works(part, run):
    app = open_part(part, run)
    assert not app.exception
    assert not app.error
    assert app.session_state["run"] == run.id
    if part != "train":
        assert prediction_of(app)[0] in {f"Prediction: {name}" for name in run.classes}


def test_train_page_shows_which_classes_are_confused(run):
    app = open_app(run=run.id)
    headings = [heading.value for heading in app.header]
    if not run.sees_own_classes:
        assert "Confusion matrix" not in headings
        assert "trained on other images than those of CIFAR-10" in app.info[0].value
        return
    assert headings[-3:] == [
        "Confusion matrix",
        "Most confident correct predictions",
        "Most confident errors",
    ]
    if len(run.classes) == 20:
        assert "Rows: true class" in captions_of(app)
        return
    predicted = probabilities_of(run).argmax(axis=1)
    head, *rows = table(app, "True class")
    assert head == ["True class", "Predicted class", "Images"]
    assert all(true in CLASSES and called in run.classes for true, called, _ in rows)
    counts = [int(count) for *_, count in rows]
    assert counts == sorted(counts, reverse=True)
    shown = f"{len(predicted) - sum(counts)} are classified correctly"
    assert shown in captions_of(app)


def test_nothing_of_all_pairs_of_classes_is_sent_to_the_browser(tiny, short):
    run = trained_run(replace(tiny, num_classes=1000), short)
    app = open_app(run=run.id)
    sent = sum(len(element.proto.SerializeToString()) for element in app.main if element.proto)
    assert 20_000 < sent < 1_000_000  # bytes; the charts of the metrics alone are 40,000


def test_two_classes_have_no_five_most_probable(short):
    app = open_app("pages/attention.py", run=two_class_run(short).id)
    assert "All 2 classes." in captions_of(app)
    assert "five most probable" not in captions_of(app)


def test_picture_is_labeled_where_the_model_has_its_class(short):
    run = two_class_run(short)
    app = open_app("pages/attention.py", run=run.id, **{"class": "cat"})
    assert app.session_state["picture"] == 0  # a cat, the first test image
    assert prediction_of(app)[1] in ("Correct", "Wrong; true class: cat")
    app.session_state["picture"] = 1  # a ship, which the model does not know
    app.run()
    assert prediction_of(app)[1] == "CIFAR-10 label: ship"


def test_class_to_explain_is_the_one_that_is_chosen(run):
    name = run.classes[-1]
    app = open_app("pages/attention.py", run=run.id, view="attribution", target=name)
    assert app.session_state["target"] == name
    assert name in captions_of(app) + "\n".join(text.value for text in app.markdown)


def test_table_2_stands_beside_the_papers_ten_classes_only(saved_run):
    model, training = PRESETS["annotation"]
    papers_code = replace(
        new_run(model, training), state="finished", threads=1, history=saved_run.history
    )
    weights = VisionTransformer(model, seed=0)
    for classes, shown in ((CLASSES, True), (tuple(reversed(CLASSES)), False)):
        save_run(replace(papers_code, classes=classes), weights)
        app = open_app(run=papers_code.id)
        assert any("Paper |" in text.value for text in app.markdown) == shown


def test_names_of_classes_are_shown_as_they_are(tiny, short):
    run = trained_run(tiny, short)
    names = ("[a](https://b.example)", "$x$", ":red[c]", "**d**", "e|f", "<b>g</b>", *CLASSES[6:])
    save_run(replace(run, classes=names), VisionTransformer(tiny, seed=0))
    for part in TABS_AND_TRAIN:
        app = open_part(part, run)
        for text in (*app.markdown, *app.caption, *app.info):
            assert "[a](https" not in text.value
            assert "**d**" not in text.value.replace("**\\*\\*d\\*\\***", "")
    assert np.isfinite(probabilities_of(run)).all()
