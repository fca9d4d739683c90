"""The tab Training of the Attention page without a browser."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from open_app import by_label, open_app, prediction_of, sent, trained_run

from vitdemo.config import ConfigError
from vitdemo.data.cifar10 import load_cifar10, normalize
from vitdemo.explain.rollout import rollout
from vitdemo.files import SHIPPED
from vitdemo.runs.checkpoint import load_checkpoint
from vitdemo.ui.attention import at_snapshot
from vitdemo.ui.cached import snapshot_model
from vitdemo.ui.chart import WANTED

PAGE = "pages/attention.py"
CHARTS = ("training-attention", "training-rollout", "training-prediction", "over-training")


@pytest.mark.parametrize("number", [0, 3, 8])
def test_training_shows_the_maps_of_that_snapshot(number):
    app = open_app(PAGE, run="vit", view="training", snapshot=number, layer=2, head=1)
    files = [SHIPPED / "vit" / f"{n}.safetensors" for n in range(1, 9)]
    model, _ = load_checkpoint([*files, SHIPPED / "vit.safetensors"][number])
    with torch.no_grad():
        logits, trace = model.trace(normalize(load_cifar10(1, 1).validation.images))
    drawn = app.session_state["drawn"]
    shown = np.array(drawn["training-attention"][1].data[-1].z)
    expected = trace.attention[1][0, 0, 0, 1:].reshape(8, 8)
    np.testing.assert_allclose(shown, expected, rtol=1e-4)
    shown = np.array(drawn["training-rollout"][1].data[-1].z)
    expected = rollout(trace.attention)[0, 0, 1:].reshape(8, 8)
    np.testing.assert_allclose(shown, expected, rtol=1e-4)
    highest = f"{float(logits.softmax(dim=1).max()):.0%}"
    assert drawn["training-prediction"][0].endswith(f"{highest}.")


def test_training_shows_the_snapshot_of_the_url():
    app = open_app(PAGE, run="vit", view="training", snapshot=0)
    assert not app.warning
    assert by_label(app.select_slider, "Epochs trained").value == 0
    assert dict(app.query_params) == {"run": "vit", "view": "training", "snapshot": "0"}
    assert sent(app, "training-prediction")["charts"][0]["title"] == "Prediction: deer"
    assert prediction_of(app) == ["Prediction: cat", "Correct"]
    by_label(app.select_slider, "Epochs trained").set_value(8).run()
    assert "snapshot" not in app.query_params
    assert sent(app, "training-prediction")["charts"][0]["title"] == "Prediction: cat"


def probabilities_over_training(app) -> list[float | None]:
    """Return the first curve of the tab Training."""
    return json.loads(sent(app, "over-training")["charts"][0]["figure"])["data"][0]["y"]


def plain(value):
    """Return JSON of a figure with the four digits of a hover text, without encoded arrays."""
    if isinstance(value, dict) and "bdata" in value:
        numbers = np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"])
        shape = [int(size) for size in value.get("shape", "-1").split(",")]
        return plain(numbers.reshape(shape).tolist())
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


@pytest.mark.parametrize("options", [{}, {"scale": "shared", "layer": 2, "token": 7}])
def test_training_sends_what_each_chart_shows_at_each_snapshot(options):
    app = open_app(PAGE, run="vit", view="training", snapshot=0, picture=3, **options)
    assert sent(app, "snapshot-states")["charts"] == "{}"
    at_once = probabilities_over_training(app)
    of = sent(app, "snapshot-states")["of"]
    app.session_state[WANTED] = {
        "snapshot": of
    }  # as the browser asks for, once it has drawn the page
    app.run()
    first, *between, last = probabilities_over_training(app)
    assert None not in between
    assert at_once == [first, *[None] * 7, last]
    states = json.loads(sent(app, "snapshot-states")["charts"])
    assert set(states) == set(CHARTS)
    first = {key: sent(app, key)["charts"][0] for key in CHARTS}
    for number in range(9):
        by_label(app.select_slider, "Epochs trained").set_value(number).run()
        for key in CHARTS:
            shown, state = sent(app, key), states[key][str(number)]
            (follows,) = shown["follows"]
            assert follows == {
                "key": "snapshot",
                "at": number,
                "of": of,
                "ahead": True,
                "chart": key,
            }
            (expected,) = shown["charts"]
            words = {name: state.get(name, first[key][name]) for name in ("alt", "title")}
            assert words == {name: expected[name] for name in words}
            figure, wanted = (json.loads(one["figure"]) for one in (first[key], expected))
            drawn = [
                (figure["data"][i] if i < len(figure["data"]) else {}) | values
                for i, values in enumerate(state["traces"])
            ]
            assert plain(drawn) == plain(wanted["data"])
            layout = figure["layout"] | state["layout"]
            notes = layout.pop("annotations", [])
            assert notes == wanted["layout"].pop("annotations", [])
            assert plain(layout) == plain(wanted["layout"])


def test_a_snapshot_that_cannot_be_read_leaves_the_rest_of_the_tab(monkeypatch):
    def fails(snapshot, images):
        if snapshot.weights.name == "4.safetensors":
            raise ConfigError("The weights are *damaged*.")
        return snapshot_model(snapshot, images)

    monkeypatch.setattr(at_snapshot, "snapshot_model", fails)
    app = open_app(PAGE, run="vit", view="training", snapshot=0, picture=5)
    assert not app.error
    app.session_state[WANTED] = {"snapshot": sent(app, "snapshot-states")["of"]}
    app.run()
    assert [error.value for error in app.error] == [r"The weights are \*damaged\*."]
    assert sent(app, "training-attention")["charts"]
    assert "Download" in [header.value for header in app.header]


def test_states_of_another_view_are_named_otherwise():
    names = [
        sent(open_app(PAGE, run="vit", view="training", **options), "snapshot-states")["of"]
        for options in ({}, {"snapshot": 2}, {"layer": 2}, {"picture": 3}, {"opacity": 40})
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 4


def test_training_plays_to_the_end_and_stops():
    app = open_app(PAGE, run="vit", view="training")
    by_label(app.button, "Play").click().run()
    seen = []
    for _ in range(10):
        seen.append(app.session_state["snapshot"])
        app.run()
        assert not app.exception
    assert seen == [0, 1, 2, 3, 4, 5, 6, 7, 8, 8]
    assert not app.session_state["playing"]


def test_a_run_of_one_step_has_no_snapshots(tiny, short):
    run = trained_run(tiny, replace(short, epochs=1, batch_size=20))
    app = open_app(PAGE, run=run.id, view="training")
    assert "This run has no snapshots, only its final model" in app.info[0].value


# Heads
