"""Predictions over a split, against torch, torchmetrics and values worked by hand."""

from collections import Counter

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_confusion_matrix

from vitdemo.data.cifar10 import load_cifar10, normalize
from vitdemo.explain.predictions import (
    class_probabilities,
    confusion_matrix,
    frequent_errors,
    most_confident,
)
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


@pytest.mark.parametrize("num_classes", [2, 20, 1000])
def test_confusion_matrix_and_frequent_errors_count_each_pair(num_classes):
    random = np.random.default_rng(num_classes)
    labels = random.integers(0, num_classes, 400)
    predicted = np.where(random.random(400) < 0.3, labels, random.integers(0, num_classes, 400))
    counted = Counter(zip(labels.tolist(), predicted.tolist(), strict=True))
    matrix = confusion_matrix(labels, predicted, num_classes)
    assert matrix.shape == (num_classes, num_classes)
    assert matrix.sum() == 400
    for (true, called), count in counted.items():
        assert matrix[true, called] == count
    errors = {pair: count for pair, count in counted.items() if pair[0] != pair[1]}
    found = frequent_errors(labels, predicted, 5)
    assert len(found) == min(5, len(errors))
    for true, called, count in found:
        assert errors[true, called] == count
    assert [count for *_, count in found] == sorted(errors.values(), reverse=True)[:5]
    everything = frequent_errors(labels, predicted, num_classes**2)
    assert {(true, called): count for true, called, count in everything} == errors


def test_no_errors_are_none():
    assert frequent_errors(np.array([0, 1]), np.array([0, 1]), 5) == []
