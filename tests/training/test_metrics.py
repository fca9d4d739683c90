import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vitdemo.training.metrics import METRICS, class_accuracies, compute_metrics

# Three classes, six images. Predicted: 0 1 0 | 1 2 | 2.
#   predicted  0   1   2
# true class 0 2   1   0
# true class 1 0   1   1
# true class 2 0   0   1
PROBABILITIES = [
    [0.70, 0.20, 0.10],
    [0.40, 0.50, 0.10],
    [0.60, 0.30, 0.10],
    [0.20, 0.70, 0.10],
    [0.20, 0.15, 0.65],
    [0.10, 0.20, 0.70],
]
LABELS = [0, 0, 0, 1, 1, 2]


def metrics_of(probabilities, labels):
    return compute_metrics(torch.tensor(probabilities).log(), torch.tensor(labels))


def test_keys_are_the_papers_metrics():
    expected = ["loss", "accuracy", "auroc", "f1", "precision", "recall", "top1", "top5"]
    assert list(METRICS) == expected
    assert list(metrics_of(PROBABILITIES, LABELS)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("loss", -(sum(map(math.log, (0.7, 0.4, 0.6, 0.7, 0.15, 0.7)))) / 6),
        ("accuracy", 4 / 6),
        # Weighted by the images of each class; the macro average is 2/3.
        ("precision", (3 * 2 / 2 + 2 * 1 / 2 + 1 * 1 / 2) / 6),
        ("recall", (3 * 2 / 3 + 2 * 1 / 2 + 1 * 1 / 1) / 6),
        ("f1", (3 * 0.8 + 2 * 0.5 + 1 * 2 / 3) / 6),
        # Class 1: 0.70 is above all four others, 0.15 above none of them.
        ("auroc", (3 * 9 / 9 + 2 * 4 / 8 + 1 * 5 / 5) / 6),
        ("top1", 4 / 6),
        ("top5", 1.0),  # there are only three classes
    ],
)
def test_values_computed_by_hand(name, expected):
    assert metrics_of(PROBABILITIES, LABELS)[name] == pytest.approx(expected, abs=1e-6)


def test_class_accuracies():
    logits, labels = torch.tensor(PROBABILITIES).log(), torch.tensor(LABELS)
    assert class_accuracies(logits, labels) == pytest.approx([2 / 3, 1 / 2, 1])
    without_others = class_accuracies(logits[:3], labels[:3])
    assert without_others == pytest.approx([2 / 3, 0, 0])


def ordered(inside, outside):
    """Return what a pair of probabilities adds to AUROC: 1 if ordered, 1/2 if equal, else 0."""
    if inside == outside:
        return 0.5
    return 1.0 if inside > outside else 0.0


def by_counting(logits, labels):
    """Compute every metric by counting images and pairs of images."""
    N, K = logits.shape
    exponentials = logits.double().exp()
    p = (exponentials / exponentials.sum(dim=1, keepdim=True)).tolist()
    labels = labels.tolist()
    predicted = [row.index(max(row)) for row in p]
    rank = [sum(other > row[label] for other in row) for row, label in zip(p, labels, strict=True)]
    result = dict.fromkeys(("precision", "recall", "f1", "auroc"), 0.0)
    for k in range(K):
        inside = [n for n in range(N) if labels[n] == k]
        outside = [n for n in range(N) if labels[n] != k]
        correct = sum(predicted[n] == k for n in inside)
        pairs = [ordered(p[a][k], p[b][k]) for a in inside for b in outside]
        weight = len(inside) / N
        result["precision"] += weight * correct / max(1, predicted.count(k))
        result["recall"] += weight * correct / max(1, len(inside))
        result["f1"] += weight * 2 * correct / max(1, predicted.count(k) + len(inside))
        result["auroc"] += weight * sum(pairs) / max(1, len(pairs))
    result["loss"] = -sum(math.log(row[label]) for row, label in zip(p, labels, strict=True)) / N
    result["accuracy"] = result["top1"] = sum(r == 0 for r in rank) / N
    result["top5"] = sum(r < 5 for r in rank) / N
    return result


@pytest.mark.parametrize(
    ("classes", "images", "seed"), [(4, 60, 0), (10, 200, 1), (7, 5, 2), (2, 30, 3)]
)
def test_values_equal_counting_images(classes, images, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, classes, generator=generator)
    labels = torch.randint(classes, (images,), generator=generator)
    metrics = compute_metrics(logits, labels)
    expected = by_counting(logits, labels)
    assert metrics == {name: pytest.approx(expected[name], abs=1e-5) for name in METRICS}
    assert metrics["recall"] == pytest.approx(metrics["accuracy"], abs=1e-6)
    assert metrics["top1"] == metrics["accuracy"]


def test_top5_accepts_the_true_class_among_the_first_five():
    logits = torch.arange(7.0).flip(0).repeat(7, 1)  # class 0 first, class 6 last
    metrics = compute_metrics(logits, torch.arange(7))
    assert metrics["top1"] == pytest.approx(1 / 7)
    assert metrics["top5"] == pytest.approx(5 / 7)


def test_ties_count_as_half_in_auroc():
    metrics = compute_metrics(torch.zeros(6, 3), torch.tensor([0, 0, 1, 1, 2, 2]))
    assert metrics["auroc"] == pytest.approx(0.5)
    assert metrics["loss"] == pytest.approx(math.log(3))


def test_class_without_images_has_no_weight():
    metrics = metrics_of(PROBABILITIES[:5], LABELS[:5])  # none of class 2, but one predicted
    assert metrics["recall"] == pytest.approx(3 / 5)
    assert metrics["precision"] == pytest.approx((3 * 2 / 2 + 2 * 1 / 2) / 5)
    assert metrics["f1"] == pytest.approx((3 * 0.8 + 2 * 0.5) / 5)
    assert metrics["auroc"] == pytest.approx((3 * 6 / 6 + 2 * 3 / 6) / 5)


def test_auroc_of_a_single_class_is_nan():
    metrics = metrics_of(PROBABILITIES[:3], LABELS[:3])
    assert math.isnan(metrics.pop("auroc"))
    assert metrics["accuracy"] == pytest.approx(2 / 3)
    assert metrics["precision"] == pytest.approx(1.0)
    assert all(math.isfinite(value) for value in metrics.values())


@pytest.mark.slow
def test_classes_without_images_cause_no_warning():
    code = "import torch; from vitdemo.training.metrics import compute_metrics as compute; "
    code += "compute(torch.zeros(3, 4), torch.tensor([1, 1, 1])); "
    code += "compute(torch.zeros(3, 4), torch.tensor([0, 1, 1]))"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


def test_metrics_are_not_the_mean_over_batches():
    whole = metrics_of(PROBABILITIES, LABELS)
    parts = [metrics_of(PROBABILITIES[:4], LABELS[:4]), metrics_of(PROBABILITIES[4:], LABELS[4:])]
    for name in ("loss", "accuracy", "f1", "precision", "recall"):
        assert abs(whole[name] - (parts[0][name] + parts[1][name]) / 2) > 0.01


def test_values_are_python_floats():
    assert all(type(value) is float for value in metrics_of(PROBABILITIES, LABELS).values())
