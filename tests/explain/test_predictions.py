"""What the model says, against torch, torchmetrics and values worked by hand."""

import numpy as np
import torch
from torchmetrics.functional.classification import multiclass_confusion_matrix

from vitdemo.data.cifar10 import load_cifar10, normalize
from vitdemo.explain.predictions import class_probabilities, confusion_matrix, surest
from vitdemo.model import VisionTransformer


def test_probabilities_are_the_softmax_of_every_image(tiny):
    model = VisionTransformer(tiny, seed=0).eval()
    split = load_cifar10(1, 150).validation  # more than one batch
    probabilities = class_probabilities(model, split)
    with torch.no_grad():
        expected = model(normalize(split.images)).softmax(dim=1).numpy()
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_the_confusion_matrix_counts_as_torchmetrics_does():
    generator = np.random.default_rng(0)
    labels, predicted = generator.integers(0, 4, (2, 100))
    expected = multiclass_confusion_matrix(torch.tensor(predicted), torch.tensor(labels), 4).numpy()
    np.testing.assert_array_equal(confusion_matrix(labels, predicted, 4), expected)


def test_the_surest_come_first():
    probabilities = np.array([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    labels = np.array([0, 0, 0, 1])
    assert surest(probabilities, labels, right=True, count=5).tolist() == [2, 3, 0]
    assert surest(probabilities, labels, right=True, count=1).tolist() == [2]
    assert surest(probabilities, labels, right=False, count=5).tolist() == [1]
