"""What the pages say of a run belongs to its weights, and missing validation images are named."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from open_app import open_app

from vitdemo.background.training_queue import TrainingQueue
from vitdemo.config import PRESETS
from vitdemo.data.cifar10 import Data, Split, load_cifar10
from vitdemo.model import VisionTransformer
from vitdemo.runs.run import load_run, new_run, save_run
from vitdemo.runs.train_run import train_run
from vitdemo.training.loop import BatchEnd
from vitdemo.ui.cached import probabilities_of, validation_split
from vitdemo.ui.run_name import run_name

PAGES = ("pages/train.py", "pages/attention.py")


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_two_accuracies_of_a_stopped_run_agree(preset):
    """That in its history and its name, and that of the predictions that the page makes."""
    model, training = PRESETS[preset]
    training = replace(training, train_images=120, validation_images=100, batch_size=20)
    run = new_run(model, training)
    with closing(train_run(run, load_cifar10(120, 100))) as events:
        for _, event in events:
            if event.epoch == 2 and isinstance(event, BatchEnd) and event.batch == 3:
                break
    run = load_run(run.id)
    assert (run.state, len(run.history)) == ("stopped", 1)
    labels = validation_split(run).labels.numpy()
    accuracy = np.mean(probabilities_of(run).argmax(axis=1) == labels)
    assert accuracy == pytest.approx(run.history[-1]["validation"]["accuracy"])
    assert f"accuracy {accuracy:.1%}" in run_name(run)


def test_metrics_of_a_run_in_training_are_those_of_its_weights(saved_run):
    """Its weights are on disk a moment before the queue publishes their metrics."""
    queue = TrainingQueue(cores=1)
    older = replace(saved_run, state="running", history=saved_run.history[:1])
    queue._statuses[saved_run.id] = replace(queue.status_of(saved_run), run=older)
    status = queue.status_of(load_run(saved_run.id))
    assert (status.run.state, status.elsewhere) == ("running", False)
    assert status.run.history == saved_run.history


@pytest.mark.parametrize("page", PAGES)
def test_validation_images_that_are_not_here_are_named(saved_run, page):
    training = replace(saved_run.training, train_images=5000, validation_from="train")
    run = replace(saved_run, training=training)
    save_run(run, VisionTransformer(run.model, seed=0))
    app = open_app(page, run=run.id)
    said = [element.value.replace("\\", "") for element in (*app.error, *app.warning)]
    assert len(said) == 1
    assert "The validation images of this run are not on this machine" in said[0]
    assert app.query_params["run"] == run.id


@pytest.mark.parametrize("page", PAGES)
def test_run_on_images_of_one_s_own_says_that_they_are_not_here(tiny, short, page):
    large = replace(tiny, image_size=64)
    images = Split(np.zeros((20, 64, 64, 3), np.uint8), [0, 1] * 10)
    run = new_run(large, short)
    list(train_run(run, Data(images, images)))
    app = open_app(page, run=run.id)
    assert app.query_params["run"] == run.id
    said = " ".join(element.value for element in (*app.info, *app.warning, *app.caption))
    assert "other images" in said


def test_stopped_or_failed_run_without_weights_promises_none(tiny, short):
    for state, words in (("stopped", "was stopped"), ("failed", "failed")):
        run = replace(new_run(tiny, short), state=state, message="by hand")
        save_run(run)
        app = open_app("pages/attention.py", run=run.id)
        assert f"The chosen run {words} before the end of its first epoch" in app.info[0].value
        assert "until" not in app.info[0].value
