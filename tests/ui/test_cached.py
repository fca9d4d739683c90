"""Cached models, whoever loads them first."""

import pytest
import torch

from vitdemo.background.training_queue import QUEUE
from vitdemo.explain.methods import Method
from vitdemo.runs.snapshots import list_snapshots
from vitdemo.ui.attention.case import Case, predict_picture
from vitdemo.ui.cached import model_of, snapshot_model
from vitdemo.ui.picture_picker import validation_picture


def test_model_first_loaded_in_inference_mode_has_gradients(saved_run):
    """Side by side only predicts with another model; later, it may be the model to explain."""
    picture = validation_picture(saved_run, 0)
    probabilities, _ = predict_picture(saved_run, picture)
    case = Case(saved_run, picture, int(probabilities.argmax()))
    assert not any(parameter.is_inference() for parameter in case.model.parameters())
    found = Method("relevance")(case.model, case.images, case.classes)
    assert torch.isfinite(found).all()


@pytest.mark.parametrize(("images", "threads"), [(1, 1), (4, 1), (10**9, 2), (None, 2)])
def test_a_few_images_take_one_thread(saved_run, monkeypatch, images, threads):
    monkeypatch.setattr(QUEUE, "spare_cores", lambda: 2)
    model_of(saved_run, images)
    assert torch.get_num_threads() == threads
    snapshot_model(list_snapshots(saved_run)[0], images)
    assert torch.get_num_threads() == threads
