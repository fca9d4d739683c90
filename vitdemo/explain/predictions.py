"""What does the model predict, and where is it correct?"""

import numpy as np
import torch

from ..data.cifar10 import Split
from ..model import VisionTransformer
from ..training.loop import predict


def class_probabilities(model: VisionTransformer, split: Split) -> np.ndarray:
    """Return the softmax of the logits for each image: (N, K), rows sum to 1.

    In float64, so that the most confident predictions do not all round to 1.
    """
    return torch.cat(list(predict(model, split))).double().softmax(dim=1).numpy()


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count images by true class (row) and predicted class (column): (K, K) int."""
    counts = np.bincount(labels * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def frequent_errors(
    labels: np.ndarray, predicted: np.ndarray, count: int
) -> list[tuple[int, int, int]]:
    """Find the most frequent errors, the most frequent first.

    Args:
        labels: (N,).
        predicted: (N,).
        count: largest number of errors to find.

    Returns:
        true class, predicted class, and how many images.
    """
    wrong = labels != predicted
    pairs = np.stack([labels[wrong], predicted[wrong]], axis=1)
    errors, images = np.unique(pairs, axis=0, return_counts=True)
    order = np.argsort(-images, kind="stable")[:count]
    return [(*errors[n].tolist(), int(images[n])) for n in order]


def most_confident(
    probabilities: np.ndarray, labels: np.ndarray, correct: bool, count: int
) -> np.ndarray:
    """Find the most confident correct predictions, or the most confident errors.

    Args:
        probabilities: (N, K).
        labels: (N,).
        correct: whether to find correct predictions, or errors.
        count: largest number of images to find.

    Returns:
        Indices of the images, the most confident first.
    """
    is_correct = probabilities.argmax(axis=1) == labels
    chosen = np.flatnonzero(is_correct == correct)
    order = np.argsort(-probabilities[chosen].max(axis=1), kind="stable")
    return chosen[order[:count]]
