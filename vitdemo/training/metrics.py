"""The metrics of the paper (section 1.5), computed by torchmetrics over all images at once."""

import math
import warnings

import torch
from torch import Tensor
from torch.nn import functional as F

# torchmetrics warns about classes without images, which have weight 0 here. The filter is set for
# the whole process, since `catch_warnings` is not thread-safe and runs train side by side.
warnings.filterwarnings("ignore", message="No (positive|negative) samples in targets")

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
    paper's Table 2.

    Args:
        logits: (N, K) float.
        labels: (N,) int64.

    Returns:
        key of METRICS -> value; `auroc` is NaN if all images belong to one class.
    """
    from torchmetrics.functional import classification as tm

    K = logits.shape[1]
    weighted = {"num_classes": K, "average": "weighted"}
    metrics = {
        "loss": F.cross_entropy(logits, labels).item(),
        "accuracy": tm.multiclass_accuracy(logits, labels, K, average="micro").item(),
        "auroc": auroc(log_odds(logits), labels),
        "f1": tm.multiclass_f1_score(logits, labels, **weighted).item(),
        "precision": tm.multiclass_precision(logits, labels, **weighted).item(),
        "recall": tm.multiclass_recall(logits, labels, **weighted).item(),
        "top1": tm.multiclass_accuracy(logits, labels, K, average="micro", top_k=1).item(),
        "top5": tm.multiclass_accuracy(logits, labels, K, average="micro", top_k=min(5, K)).item(),
    }
    # The weights of the classes are rounded, and so a perfect model may exceed 1 by 1e-7.
    return {key: value if key == "loss" else min(value, 1.0) for key, value in metrics.items()}


def class_accuracies(logits: Tensor, labels: Tensor) -> list[float]:
    """Return the accuracy on the images of each class; NaN for a class without images.

    Args:
        logits: (N, K) float.
        labels: (N,) int64.
    """
    from torchmetrics.functional import classification as tm

    K = logits.shape[1]
    accuracies = tm.multiclass_accuracy(logits, labels, K, average="none")  # 0 without images
    return accuracies.masked_fill(labels.bincount(minlength=K) == 0, math.nan).tolist()


def auroc(scores: Tensor, labels: Tensor) -> float:
    """Return the area under the ROC curve, one class versus the rest, weighted by class size.

    For a class, it is the probability that an image of the class has a higher score for it than
    another image, where a tie counts half (Hanley and McNeil 1982). Only the order of the scores
    within a class matters, so torchmetrics gets their ranks: it would apply a softmax in 32 bits to
    other numbers than those from 0 to 1, and round away what was ordered.

    Args:
        scores: (N, K), the score of each class for each image.
        labels: (N,) int64.

    Returns:
        0 to 1; NaN if all images belong to one class or a score is NaN.
    """
    from torchmetrics.functional import classification as tm

    N, K = scores.shape
    if len(labels.unique()) < 2 or scores.isnan().any():
        return math.nan
    ranks = [column.unique(return_inverse=True)[1] for column in scores.T]  # equal scores tie
    ranks = torch.stack(ranks, dim=1).double() / N  # (N, K), 0 to below 1
    return tm.multiclass_auroc(ranks, labels, K, average="weighted").item()


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
