"""Cached models, whoever loads them first."""

import torch

from vitdemo.explain.methods import Method
from vitdemo.ui.attention.case import Case, predict_picture
from vitdemo.ui.picture_picker import validation_picture


def test_model_first_loaded_in_inference_mode_has_gradients(saved_run):
    """Side by side only predicts with another model; later, it may be the model to explain."""
    picture = validation_picture(saved_run, 0)
    probabilities, _ = predict_picture(saved_run, picture)
    case = Case(saved_run, picture, int(probabilities.argmax()))
    assert not any(parameter.is_inference() for parameter in case.model.parameters())
    found = Method("relevance")(case.model, case.images, case.classes)
    assert torch.isfinite(found).all()
