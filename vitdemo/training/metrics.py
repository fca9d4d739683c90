"""The annotation's metrics (section 1.5), each computed by torchmetrics over all images at once."""

import math
import warnings

import torch
from torch import Tensor
from torch.nn import functional as F

# torchmetrics warns of a class without images (it has weight 0) and of images all of one class (then there is no AUROC).
# For the whole process: trainings run side by side, and `catch_warnings` is not made for threads.
warnings.filterwarnings("ignore", message="No (positive|negative) samples in targets")

METRICS = {  # key: (name on a chart, what it says)
    "loss": (
        "Loss",
        "Cross-entropy, the mean over images of −ln of the probability given to the right class.",
    ),
    "accuracy": ("Accuracy", "The share of images whose most probable class is the right one."),
    "auroc": (
        "AUROC",
        "The chance that an image of a class gets a higher probability for it than an image of another class.",
    ),
    "f1": ("F1", "The harmonic mean of precision and recall, for each class."),
    "precision": (
        "Precision",
        "Of the images that the model puts in a class, the share that belongs there.",
    ),
    "recall": ("Recall", "Of the images that belong to a class, the share that the model finds."),
    "top1": ("Top-1 accuracy", "The same as accuracy: the right class comes first."),
    "top5": (
        "Top-5 accuracy",
        "The share of images whose right class is among the five most probable.",
    ),
}


def compute_metrics(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Every metric of METRICS over all images given.

    AUROC, F1, precision and recall are computed for each class against the rest and averaged with the number of images
    of each class as weight: with that average recall equals accuracy, as it does in the annotation's Table 2.

    Args:
        logits: (N, K) float.
        labels: (N,) int64.

    Returns:
        key of METRICS -> value; `auroc` is NaN where all images are of one class.
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
    """For each class, the share of its images that are called so.

    Args:
        logits: (N, K) float.
        labels: (N,) int64.
    """
    from torchmetrics.functional import classification as tm

    return tm.multiclass_accuracy(logits, labels, logits.shape[1], average="none").tolist()
