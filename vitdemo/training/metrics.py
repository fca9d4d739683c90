"""The metrics of the paper (section 1.5), computed by torchmetrics over all images at once."""

import math
import warnings

import torch
from torch import Tensor
from torch.nn import functional as F

# torchmetrics warns about classes without images, which have weight 0 here, and about images of a
# single class, for which AUROC is undefined. The filter is set for the whole process, since
# `catch_warnings` is not thread-safe and runs train side by side.
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
    probabilities = logits.softmax(dim=1)
    weighted = {"num_classes": K, "average": "weighted"}
    auroc = tm.multiclass_auroc(probabilities, labels, **weighted).item()
    return {
        "loss": F.cross_entropy(logits, labels).item(),
        "accuracy": tm.multiclass_accuracy(logits, labels, K, average="micro").item(),
        "auroc": auroc if len(torch.unique(labels)) > 1 else math.nan,
        "f1": tm.multiclass_f1_score(logits, labels, **weighted).item(),
        "precision": tm.multiclass_precision(logits, labels, **weighted).item(),
        "recall": tm.multiclass_recall(logits, labels, **weighted).item(),
        "top1": tm.multiclass_accuracy(logits, labels, K, average="micro", top_k=1).item(),
        "top5": tm.multiclass_accuracy(logits, labels, K, average="micro", top_k=min(5, K)).item(),
    }


def class_accuracies(logits: Tensor, labels: Tensor) -> list[float]:
    """Return the accuracy on the images of each class; 0 for a class without images.

    Args:
        logits: (N, K) float.
        labels: (N,) int64.
    """
    from torchmetrics.functional import classification as tm

    return tm.multiclass_accuracy(logits, labels, logits.shape[1], average="none").tolist()
