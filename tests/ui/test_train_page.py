"""Runs on the Train page without a browser: train, stop, resume, pick, results and downloads."""

import copy
import csv
import io
import json
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest
from open_app import by_label, captions_of, open_app, open_groups, table, trained_run

from vitdemo.background.training_queue import QUEUE
from vitdemo.config import PRESETS, ModelConfig, TrainConfig
from vitdemo.data.cifar10 import load_cifar10
from vitdemo.model import VisionTransformer
from vitdemo.runs.run import list_runs, load_run, load_weights, new_run, save_run
from vitdemo.runs.train_run import train_run
from vitdemo.training.loop import train
from vitdemo.training.metrics import METRICS
from vitdemo.ui.run_name import run_name
from vitdemo.ui.train import export, live

TINY = {"depth": 1, "num_heads": 1, "patch_size": 16, "embed_dim": 16, "warmup_epochs": 0}
PERCENT = ("accuracy", "top1", "top5")


def printed(key: str, value: float) -> str:
    """Return a metric as the table on the page shows it."""
    return f"{100 * value:.2f}%" if key in PERCENT else f"{value:.4f}"


def labels_of(app) -> list[str]:
    """Return the labels of all buttons on the page."""
    return [button.label for button in app.button]


def test_train_starts_a_run_and_shows_its_results():
    app = open_app(**TINY, mlp_ratio=1, epochs=2)
    open_groups(app)
    by_label(app.select_slider, "Batch size").set_value(256).run()
    app.session_state["train_images"] = app.session_state["validation_images"] = 100
    by_label(app.button, "Train").click().run()
    assert not app.exception
    run_id = app.session_state["run"]
    assert app.query_params["run"] == run_id
    QUEUE.wait(run_id, 60)
    app.run()
    assert not app.exception
    head, *rows = table(app)
    assert head == ["Metric", "Training", "Validation"]
    last = QUEUE.snapshot(run_id).run.history[-1]
    assert [name for name, *_ in rows] == [name for name, _ in METRICS.values()]
    for part, column in (("train", 1), ("validation", 2)):
        assert [row[column] for row in rows] == [printed(key, last[part][key]) for key in METRICS]
    assert by_label(app.button, "Stop").disabled
    assert "Resume" not in labels_of(app)
    headings = [heading.value for heading in app.header]
    assert headings == [
        "Metrics after the last epoch",
        "Download",
        "Confusion matrix",
        "Most confident correct predictions",
        "Most confident errors",
    ]


def stopped_in_the_app(epochs: int):
    """Train in the app, stop after at least one epoch, and return the app and the id of the run."""
    app = open_app(**TINY, epochs=epochs)
    by_label(app.button, "Train").click().run()
    run_id = app.session_state["run"]
    end = time.monotonic() + 60
    while len(QUEUE.snapshot(run_id).run.history) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    app.run()
    assert "Resume" not in labels_of(app)
    by_label(app.button, "Stop").click().run()
    assert not app.exception
    QUEUE.wait(run_id, 60)
    app.run()
    assert QUEUE.snapshot(run_id).run.state == "stopped"
    assert by_label(app.button, "Stop").disabled
    return app, run_id


@pytest.mark.slow
def test_stopped_run_can_be_resumed_to_its_last_epoch():
    app, run_id = stopped_in_the_app(epochs=40)
    done = load_run(run_id).history
    assert 2 <= len(done) < 40
    by_label(app.button, "Resume").click().run()
    assert not app.exception
    assert not app.error
    QUEUE.wait(run_id, 120)
    app.run()
    assert not app.exception
    resumed = load_run(run_id)
    assert (resumed.state, len(resumed.history)) == ("finished", 40)
    assert resumed.history[: len(done)] == done
    assert app.session_state["run"] == app.query_params["run"] == run_id
    assert by_label(app.button, "Stop").disabled
    assert "Resume" not in labels_of(app)


def test_run_that_can_no_longer_be_resumed_shows_an_error():
    app, run_id = stopped_in_the_app(epochs=40)
    load_run(run_id).state_file.unlink()
    by_label(app.button, "Resume").click().run()
    assert not app.exception
    assert [f"Run {run_id} cannot be resumed" in error.value for error in app.error] == [True]
    assert "Resume" not in labels_of(app)
    assert not app.run().error


def test_interrupted_run_on_disk_can_be_resumed(saved_run):
    assert "Resume" not in labels_of(open_app(run=saved_run.id))
    save_run(replace(saved_run, state="running", history=saved_run.history[:1]))
    saved_run.state_file.write_bytes(b"")
    assert "Resume" in labels_of(open_app(run=saved_run.id))


def test_run_picker_shows_the_chosen_run(saved_run):
    app = open_app()
    shown = app.session_state["run"]
    assert shown != saved_run.id
    by_label(app.selectbox, "Run").set_value(saved_run.id).run()
    assert app.session_state["run"] == app.query_params["run"] == saved_run.id
    by_label(app.slider, "Depth").set_value(2).run()
    assert app.session_state["run"] == saved_run.id


def test_late_value_of_the_picker_does_not_undo_a_new_run(saved_run):
    app = open_app(**TINY, epochs=1)
    by_label(app.selectbox, "Run").set_value(saved_run.id)
    by_label(app.button, "Train").click().run()
    run_id = app.session_state["run"]
    assert run_id not in (saved_run.id, "vit")
    assert QUEUE.wait(run_id, 60)


def test_run_name_gives_accuracy_shape_and_stem(tiny, short, saved_run):
    assert "(conv)" not in run_name(new_run(tiny, short))
    assert "patch 16 (conv)" in run_name(new_run(replace(tiny, stem="conv"), short))
    accuracy = saved_run.history[-1]["validation"]["accuracy"]
    assert f"accuracy {accuracy:.1%} · depth 1 · 2 heads · patch 16" in run_name(saved_run)
    assert " · in progress · " in run_name(new_run(tiny, short))
    assert " · stopped · " in run_name(replace(saved_run, state="stopped"))


def test_papers_values_are_shown_only_beside_the_papers_code(saved_run):
    app = open_app(run=saved_run.id)
    assert table(app)[0] == ["Metric", "Training", "Validation"]
    model, training = PRESETS["annotation"]
    papers_code = replace(
        new_run(model, training), state="finished", threads=1, history=saved_run.history
    )
    save_run(papers_code, VisionTransformer(model, seed=0))
    app = open_app(run=papers_code.id)
    for part, loss, accuracy in (
        ("Training", "2.0789", "20.27%"),
        ("Validation", "2.1240", "20.51%"),
    ):
        head, first, second, *_ = table(app, part)
        assert head == [part, "This run", "Paper"]
        assert (first[0], first[2], second[0], second[2]) == ("Loss", loss, "Accuracy", accuracy)


def test_training_metrics_of_mixed_images_are_explained(tiny, short):
    note = "which makes its training metrics look worse"
    assert note not in captions_of(open_app(run=trained_run(tiny, short).id))
    assert note in captions_of(open_app(run=trained_run(tiny, replace(short, mixup=0.5)).id))


def test_exploding_loss_names_the_learning_rate(saved_run):
    assert "too high" not in open_app(run=saved_run.id).warning[0].value
    exploded = copy.deepcopy(saved_run.history)
    exploded[-1]["train"]["loss"] = 5.0
    save_run(replace(saved_run, history=exploded), load_weights(saved_run))
    app = open_app(run=saved_run.id)
    assert "learning rate of 0.001 is too high" in app.warning[0].value


def test_failed_run_shows_its_message(tiny, short):
    message = "The loss is no longer a finite number at step 3."
    run = replace(new_run(tiny, short), state="failed", threads=1, message=message)
    save_run(run)
    app = open_app(run=run.id)
    assert [error.value for error in app.error] == [message]
    spoken = [
        part.proto.json for part in app.get("bidi_component") if "status" in part.proto.html_content
    ]
    assert json.loads(*spoken) == {"text": f"Run failed. {message}"}


def test_downloaded_metrics_hold_every_number(saved_run):
    lines = list(csv.DictReader(io.StringIO(export.metrics_csv(saved_run))))
    saved = json.loads(export.metrics_json(saved_run))
    assert len(lines) == len(saved_run.history) == 2
    for line, record in zip(lines, saved_run.history, strict=True):
        for part in ("train", "validation"):
            for key, value in record[part].items():
                assert line[f"{part}_{key}"] == ("" if value is None else str(value))
    assert saved["history"] == list(saved_run.history)
    assert ModelConfig(**saved["model"]) == saved_run.model
    assert TrainConfig(**saved["training"]) == saved_run.training


def test_model_is_offered_for_timm_or_says_why_not(tiny, short):
    for pooling, disabled in (("cls", False), ("mean", False), ("attention", True)):
        run = trained_run(replace(tiny, pooling=pooling), short)
        buttons = open_app(run=run.id).get("download_button")
        (button,) = [button for button in buttons if button.proto.label == "For timm"]
        assert button.proto.disabled == disabled
        assert ("no attention pooling" in button.proto.help) == disabled


def test_downloaded_charts_name_their_run_and_need_no_network(saved_run):
    page = export.charts_html(saved_run)
    assert "depth 1 · 2 heads · patch 16 · 20 images" in page
    assert "<script src=" not in page


@pytest.mark.parametrize(
    ("loss", "accuracy", "seen"),
    [
        ([80.0, 1634.0, 9.0, 2.4], [0.1, 0.1, 0.1, 0.09], "The training loss rose to 1,634"),
        ([2.4, 2.1, 1.9, 1.8], [0.1, 0.2, 0.25, 0.26], ""),
    ],
)
def test_page_says_what_the_curves_of_a_run_show(loss, accuracy, seen, saved_run):
    history = tuple(
        record | {"epoch": epoch, "train": values, "validation": values}
        for epoch, (record, values) in enumerate(
            (
                (saved_run.history[0], saved_run.history[0]["train"] | {"loss": a, "accuracy": b})
                for a, b in zip(loss, accuracy, strict=True)
            ),
            start=1,
        )
    )
    training = replace(saved_run.training, epochs=50, learning_rate=1.0, validation_images=200)
    run = replace(saved_run, history=history, training=training, state="stopped")
    save_run(run, load_weights(run))
    warnings = [warning.value for warning in open_app(run=run.id).warning]
    assert [warning.startswith(seen) for warning in warnings] == ([True] if seen else [])


def test_stop_is_shown_at_once_while_a_batch_is_long(monkeypatch):
    """A batch that lasts until the page has been looked at."""
    in_batch, released = threading.Event(), threading.Event()

    def train_slowly(*arguments):
        for event in train(*arguments):
            in_batch.set()
            released.wait(60)
            yield event

    monkeypatch.setattr("vitdemo.runs.train_run.train", train_slowly)
    shown = []
    monkeypatch.setattr(live, "progress", lambda fraction, text: shown.append(text))
    app = open_app(**TINY)
    by_label(app.button, "Train").click().run()
    run_id = app.session_state["run"]
    assert in_batch.wait(60)
    by_label(app.button, "Stop").click().run()
    released.set()
    assert shown[-1].startswith("Stopping")
    assert by_label(app.button, "Stop").disabled
    assert QUEUE.wait(run_id, 60).run.state == "stopped"
    app.run()
    assert "Stopped before the end of the first epoch" in app.info[0].value


def test_run_of_another_process_is_shown_as_in_training(tiny, short, monkeypatch):
    shown = []
    monkeypatch.setattr(live, "progress", lambda fraction, text: shown.append(text))
    run = new_run(tiny, replace(short, epochs=3))
    with closing(train_run(run, load_cifar10(20, 10))) as events:
        next(event for _, event in events if event.epoch == 2)
        app = open_app(run=run.id)
        assert " · in progress · " in run_name(list_runs()[0])
        assert "Resume" not in labels_of(app)
        assert by_label(app.button, "Stop").disabled
        assert shown[-1].startswith("In training by another process")
        assert shown[-1].endswith("1 of 3 epochs")
    app = open_app(run=run.id)
    assert "Resume" in labels_of(app)
