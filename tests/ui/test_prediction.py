"""The prediction on the Attention page, and what is sent ahead for the images on the sheet."""

import json

import numpy as np
import pytest
import torch
from open_app import by_label, open_app, sent

from vitdemo.data.cifar10 import CLASSES, load_cifar10, normalize
from vitdemo.files import SHIPPED
from vitdemo.runs.checkpoint import load_checkpoint
from vitdemo.ui.attention import prediction
from vitdemo.ui.chart import WANTED

PAGE = "pages/attention.py"


def open_and_ask(**options):
    """Open the page and ask for the predictions, as the browser does once it has drawn the page."""
    app = open_app(PAGE, run="vit", **options)
    states = sent(app, "sheet-states")
    assert states["charts"] == "{}"
    app.session_state[WANTED] = {"sheet": states["of"]}
    app.run()
    return app


def predictions_ahead(app) -> dict:
    """Return what the chart of the prediction shows for each image, by its number."""
    return json.loads(sent(app, "sheet-states")["charts"])["top_classes"]


def test_predictions_sent_ahead_are_those_of_the_model():
    model, _ = load_checkpoint(SHIPPED / "vit.safetensors")
    validation = load_cifar10(1, 30).validation
    with torch.no_grad():
        expected = model(normalize(validation.images)).softmax(dim=1).numpy()
    states = predictions_ahead(open_and_ask())
    assert list(states) == [str(number) for number in range(30)]
    for label, probabilities, state in zip(
        validation.labels, expected, states.values(), strict=True
    ):
        best = probabilities.argmax()
        verdict = "Correct" if best == label else f"Wrong; true class: {CLASSES[label]}"
        assert state["title"] == f"Prediction: {CLASSES[best]}\n{verdict}"
        shown = sorted(probabilities)[-5:]
        np.testing.assert_allclose(state["traces"][0]["x"], shown, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("number", [3, 6])
def test_the_prediction_sent_ahead_is_the_one_shown_after_the_click(number):
    app = open_and_ask()
    state = predictions_ahead(app)[str(number)]
    by_label(app.number_input, "Image number").set_value(number).run()
    (shown,) = sent(app, "top_classes")["charts"]
    figure = json.loads(shown["figure"])
    assert (state["title"], state["alt"]) == (shown["title"], shown["alt"])
    assert figure["layout"]["yaxis"] == state["layout"]["yaxis"]
    for name, value in state["traces"][0].items():
        if name == "x":
            np.testing.assert_allclose(value, figure["data"][0][name], rtol=1e-4, atol=1e-7)
        else:
            assert value == figure["data"][0][name]


def test_predictions_follow_the_filters_of_the_sheet():
    app = open_and_ask()
    by_label(app.selectbox, "Class").set_value("bird").run()
    by_label(app.selectbox, "Predictions").set_value("incorrect").run()
    states = predictions_ahead(app)
    assert len(states) == 14
    assert all("Wrong; true class: bird" in state["title"] for state in states.values())


def test_the_prediction_for_an_own_picture_follows_no_sheet():
    app = open_and_ask()
    assert sent(app, "top_classes")["follows"]
    by_label(app.segmented_control, "Picture source").set_value("Upload").run()
    assert "follows" not in sent(app, "top_classes")
    assert not [part for part in app.get("bidi_component") if part.key == "sheet-states"]


def test_nothing_is_predicted_ahead_by_a_model_that_takes_long(monkeypatch):
    monkeypatch.setattr(prediction, "FEW_MACS", 1e6)
    app = open_app(PAGE, run="vit")
    assert not [part for part in app.get("bidi_component") if part.key == "sheet-states"]


def test_predictions_of_another_model_are_named_otherwise():
    names = [sent(open_app(PAGE, run=run), "sheet-states")["of"] for run in ("vit", "hybrid")]
    assert len(set(names)) == 2
