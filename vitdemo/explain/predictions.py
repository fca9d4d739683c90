"""What does the model say, and where is it right or wrong?"""

import numpy as np
import torch

from ..data.cifar10 import Split
from ..model import VisionTransformer
from ..training.loop import predict


def class_probabilities(model: VisionTransformer, split: Split) -> np.ndarray:
    """Softmax of the logits for each image: (N, K) float32, rows sum to 1."""
    return torch.cat(list(predict(model, split))).softmax(dim=1).numpy()


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Images by their class (row) and the class they were given (column): (K, K) int."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def surest(probabilities: np.ndarray, labels: np.ndarray, right: bool, count: int) -> np.ndarray:
    """Which images the model is surest of among those it gets right (or wrong), the surest first.

    Args:
        probabilities: (N, K).
        labels: (N,).
        right: of the hits, or of the misses.
        count: at most so many.

    Returns:
        Indices into the N images.
    """
    hits = probabilities.argmax(axis=1) == labels
    chosen = np.flatnonzero(hits == right)
    order = np.argsort(-probabilities[chosen].max(axis=1), kind="stable")
    return chosen[order[:count]]
