"""The metrics of the paper (section 1.5), over all images at once."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

METRICS = {  # key: (name, definition), as the pages show them
    "loss": (
        "Loss",
        "Cross-entropy, the negative natural logarithm of the probability of the true class, "
        "averaged over the images.",
    ),
    "accuracy": ("Accuracy", "Fraction of images whose most probable class is the true class."),
    "auroc": (
        "AUROC",
        "Area under the ROC curve, one class versus the rest: the probability that a random image "
        "of the class gets a higher score for it than a random image of another class.",
    ),
    "f1": ("F1", "Harmonic mean of precision and recall."),
    "precision": (
        "Precision",
        "Of the images predicted as a class, the fraction that belongs to it.",
    ),
    "recall": (
        "Recall",
        "Of the images that belong to a class, the fraction predicted as that class.",
    ),
    "top1": ("Top-1 accuracy", "Fraction of images whose most probable class is the true class."),
    "top5": (
        "Top-5 accuracy",
        "Fraction of images whose true class is among the five most probable classes.",
    ),
}


def chance_level(key: str, num_classes: int) -> float | None:
    """Return a metric of a model that knows nothing, or None where it depends on the data.

    Loss: of the uniform prediction, ln K. Accuracy, which recall and top-1 equal: 1/K. Top-5: 5/K.
    AUROC: 0.5. F1 and precision depend on the classes that are guessed.

    Args:
        key: key of METRICS.
        num_classes: K.
    """
    levels = {
        "loss": math.log(num_classes),
        "accuracy": 1 / num_classes,
        "recall": 1 / num_classes,
        "top1": 1 / num_classes,
        "top5": min(5, num_classes) / num_classes,
        "auroc": 0.5,
    }
    return levels.get(key)


def compute_metrics(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Return every metric of METRICS over all images.

    AUROC, F1, precision and recall are computed for each class against the rest and averaged with
    the number of images per class as weights. With these weights recall equals accuracy, as in the
    paper's Table 2. Of equal logits, that of the first class counts as the largest.

    Args:
        logits: (N, K) float.
        labels: (N,) int64.

    Returns:
        key of METRICS -> value; `auroc` is NaN if all images belong to one class.
    """
    N, K = logits.shape
    counts = _confusion_matrix(labels, logits.argmax(dim=1), K).double()  # (K, K)
    correct, of_class, predicted = counts.diag(), counts.sum(dim=1), counts.sum(dim=0)  # (K,) each

    def weighted(ratio: Tensor) -> float:
        return (ratio.nan_to_num(0) * of_class).sum().item() / N  # 0 / 0 counts as 0

    above = _classes_above(logits, labels)  # (N,)
    return {
        "loss": F.cross_entropy(logits, labels).item(),
        "accuracy": (above < 1).double().mean().item(),
        "auroc": auroc(log_odds(logits), labels),
        "f1": weighted(2 * correct / (of_class + predicted)),
        "precision": weighted(correct / predicted),
        "recall": weighted(correct / of_class),
        "top1": (above < 1).double().mean().item(),
        "top5": (above < 5).double().mean().item(),
    }


def _confusion_matrix(labels: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """Count images (N,) by true class (row) and predicted class (column): (K, K) int64."""
    return torch.bincount(labels * classes + predicted, minlength=classes**2).view(classes, classes)


def class_accuracies(logits: Tensor, labels: Tensor) -> list[float]:
    """Return the accuracy on the images of each class; NaN for a class without images.

    Args:
        logits: (N, K) float.
        labels: (N,) int64.
    """
    counts = _confusion_matrix(labels, logits.argmax(dim=1), logits.shape[1]).double()
    return (counts.diag() / counts.sum(dim=1)).tolist()


def auroc(scores: Tensor, labels: Tensor) -> float:
    """Return the area under the ROC curve, one class versus the rest, weighted by class size.

    For a class, it is the probability that an image of the class has a higher score for it than
    another image, where a tie counts half (Hanley and McNeil 1982). Only the order of the scores
    within a class matters.

    Args:
        scores: (N, K), the score of each class for each image.
        labels: (N,) int64.

    Returns:
        0 to 1; NaN if all images belong to one class or a score is NaN.
    """
    classes = labels.unique()
    if len(classes) < 2 or scores.isnan().any():
        return math.nan
    area = 0.0
    for k in classes.tolist():
        inside = scores[labels == k, k].contiguous()
        outside = scores[labels != k, k].sort().values
        below = torch.searchsorted(outside, inside).sum().item()
        not_above = torch.searchsorted(outside, inside, right=True).sum().item()
        area += (below + not_above) / (2 * len(outside))  # weighted by the size of the class
    return area / len(labels)


def log_odds(logits: Tensor) -> Tensor:
    """Return log(p / (1 - p)) of each class's probability p: (N, K) float64.

    It orders images as the probability does, but does not saturate: in a confident model many
    probabilities round to 1 or 0. All numbers are differences of logits, and they are summed in
    sorted order, so that images with the same probability tie.
    """
    logits = logits.double()
    largest = logits.sort(dim=1, descending=True).values  # (N, K)
    first, second = largest[:, :1], largest[:, 1:2]
    total = (largest - first).exp().sum(dim=1, keepdim=True)
    others = total - (logits - first).exp()  # at least 1, except for the most probable class
    of_top = (first - second) - (largest[:, 1:] - second).exp().sum(dim=1, keepdim=True).log()
    return torch.where(logits == first, of_top, (logits - first) - others.log())


def _classes_above(logits: Tensor, labels: Tensor) -> Tensor:
    """Count the classes that rank above the true one (N,): larger logits, or equal and before."""
    own = logits.gather(1, labels[:, None])
    before = torch.arange(logits.shape[1]) < labels[:, None]
    return ((logits > own) | ((logits == own) & before)).sum(dim=1)
