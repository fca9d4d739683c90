"""Predictions over a split, against torch, torchmetrics and values worked by hand."""

import numpy as np
import torch
from torchmetrics.functional.classification import multiclass_confusion_matrix

from vitdemo.data.cifar10 import load_cifar10, normalize
from vitdemo.explain.predictions import class_probabilities, confusion_matrix, most_confident
from vitdemo.model import VisionTransformer


def test_class_probabilities_are_the_softmax_of_every_image(tiny):
    model = VisionTransformer(tiny, seed=0).eval()
    split = load_cifar10(1, 150).validation  # more than one batch
    probabilities = class_probabilities(model, split)
    with torch.no_grad():
        expected = model(normalize(split.images)).softmax(dim=1).numpy()
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_confusion_matrix_equals_torchmetrics():
    generator = np.random.default_rng(0)
    labels, predicted = generator.integers(0, 4, (2, 100))
    expected = multiclass_confusion_matrix(torch.tensor(predicted), torch.tensor(labels), 4).numpy()
    np.testing.assert_array_equal(confusion_matrix(labels, predicted, 4), expected)


def test_most_confident_predictions_come_first():
    probabilities = np.array([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    labels = np.array([0, 0, 0, 1])
    assert most_confident(probabilities, labels, correct=True, count=5).tolist() == [2, 3, 0]
    assert most_confident(probabilities, labels, correct=True, count=1).tolist() == [2]
    assert most_confident(probabilities, labels, correct=False, count=5).tolist() == [1]


def test_confident_predictions_do_not_all_round_to_one(tiny, monkeypatch):
    logits = torch.tensor([[20.0, 0.0], [25.0, 0.0], [30.0, 0.0]])
    monkeypatch.setattr("vitdemo.explain.predictions.predict", lambda *_: [logits])
    probabilities = class_probabilities(VisionTransformer(tiny), load_cifar10(1, 3).validation)
    assert most_confident(probabilities, np.zeros(3), correct=True, count=3).tolist() == [2, 1, 0]
