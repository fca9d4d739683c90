import math
from decimal import Decimal, localcontext

import pytest
import torch

from vitdemo.data.cifar10 import load_cifar10
from vitdemo.training.metrics import (
    METRICS,
    auroc,
    chance_level,
    class_accuracies,
    compute_metrics,
    log_odds,
)

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


@pytest.mark.parametrize("num_classes", [2, 3, 10, 20])
def test_chance_level_is_what_random_scores_reach(num_classes):
    random = torch.Generator().manual_seed(num_classes)
    logits = torch.randn((20_000, num_classes), generator=random)
    # Classes of unequal size, as chance does not depend on that.
    labels = torch.randint(num_classes**2, (20_000,), generator=random).sqrt().long()
    found = compute_metrics(logits, labels)
    for key in ("accuracy", "recall", "top1", "top5", "auroc"):
        assert chance_level(key, num_classes) == pytest.approx(found[key], abs=0.015)
    uniform = compute_metrics(torch.zeros_like(logits), labels)
    assert chance_level("loss", num_classes) == pytest.approx(uniform["loss"], abs=1e-5)
    assert chance_level("f1", num_classes) is chance_level("precision", num_classes) is None


def test_class_accuracies():
    logits, labels = torch.tensor(PROBABILITIES).log(), torch.tensor(LABELS)
    assert class_accuracies(logits, labels) == pytest.approx([2 / 3, 1 / 2, 1])
    without_others = class_accuracies(logits[:3], labels[:3])
    assert without_others == pytest.approx([2 / 3, math.nan, math.nan], nan_ok=True)


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


@pytest.mark.parametrize(("classes", "images"), [(2, 40), (10, 300), (20, 100)])
def test_values_equal_torchmetrics(classes, images):
    from torchmetrics.functional import classification as tm

    generator = torch.Generator().manual_seed(classes)
    logits = torch.randn(images, classes, generator=generator)
    labels = torch.randint(classes, (images,), generator=generator)
    logits[torch.arange(images // 2), labels[: images // 2]] += 2
    metrics, weighted = compute_metrics(logits, labels), {"average": "weighted"}
    expected = {
        "accuracy": tm.multiclass_accuracy(logits, labels, classes, average="micro"),
        "auroc": tm.multiclass_auroc(logits.softmax(dim=1), labels, classes, **weighted),
        "f1": tm.multiclass_f1_score(logits, labels, classes, **weighted),
        "precision": tm.multiclass_precision(logits, labels, classes, **weighted),
        "recall": tm.multiclass_recall(logits, labels, classes, **weighted),
        "top5": tm.multiclass_accuracy(
            logits, labels, classes, average="micro", top_k=min(5, classes)
        ),
    }
    for name, value in expected.items():
        assert metrics[name] == pytest.approx(value.item(), abs=1e-6), name


# Ranks


def by_pairs(scores, labels):
    """Compute AUROC by comparing each image of a class with each other image."""
    total = 0.0
    for k in set(labels):
        inside = [row[k] for row, label in zip(scores, labels, strict=True) if label == k]
        outside = [row[k] for row, label in zip(scores, labels, strict=True) if label != k]
        pairs = [ordered(a, b) for a in inside for b in outside]
        total += len(inside) / len(labels) * sum(pairs) / len(pairs)
    return total


def some_scores(seed, values=6, images=40, classes=4):
    """Return scores with many ties, and labels."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(values, (images, classes), generator=generator).double()
    return scores, torch.randint(classes, (images,), generator=generator)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "change",
    [lambda x: x, lambda x: x.exp(), lambda x: -1 / (x + 1), lambda x: 1e-9 * x + 1, torch.sqrt],
    ids=["none", "exp", "reciprocal", "affine", "sqrt"],
)
def test_monotone_change_of_the_scores_changes_no_auroc(seed, change):
    scores, labels = some_scores(seed)
    value = auroc(scores, labels)
    assert auroc(change(scores), labels) == value
    assert value == pytest.approx(by_pairs(scores.tolist(), labels.tolist()), abs=1e-6)


def test_auroc_of_nan_scores_is_nan():
    scores, labels = some_scores(0)
    scores[3, 1] = math.nan
    assert math.isnan(auroc(scores, labels))


def exact_probabilities(logits):
    """Return the softmax of each row with 300 digits."""
    with localcontext() as context:
        context.prec = 300
        rows = [[Decimal(x).exp() for x in row] for row in logits.double().tolist()]
        return [[x / sum(row) for x in row] for row in rows]


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0, 200.0])
def test_auroc_ranks_the_probabilities_of_confident_models(scale):
    """Softmax in 32 bits rounds most of these probabilities to 0 or 1."""
    generator = torch.Generator().manual_seed(0)
    logits = scale * torch.randn(60, 4, generator=generator)
    labels = torch.randint(4, (60,), generator=generator)
    expected = by_pairs(exact_probabilities(logits), labels.tolist())
    assert compute_metrics(logits, labels)["auroc"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_equal_probabilities_have_equal_log_odds(classes):
    generator = torch.Generator().manual_seed(classes)
    row = 20 * torch.randn(classes, generator=generator)
    others = torch.stack([torch.randperm(classes - 1, generator=generator) for _ in range(50)])
    logits = torch.cat([row[:1].expand(50, 1), row[1:][others]], dim=1)  # the same for class 0
    shifts = 2.0 ** torch.arange(50)[:, None].remainder(5)
    odds = log_odds(logits.double() + shifts)[:, 0]
    assert odds.unique().numel() == 1


def test_log_odds_of_two_classes_are_the_difference_of_their_logits():
    logits = torch.tensor([[500.0, 0.0], [0.25, 0.5], [1.0, 1.0]])
    expected = [[500.0, -500.0], [-0.25, 0.25], [0.0, 0.0]]
    assert log_odds(logits).tolist() == expected


def test_top5_of_equal_logits_takes_the_first_classes():
    metrics = compute_metrics(torch.zeros(8, 8), torch.arange(8))
    assert metrics["top1"] == metrics["accuracy"] == 1 / 8
    assert metrics["top5"] == 5 / 8


def test_metrics_are_not_the_mean_over_batches():
    whole = metrics_of(PROBABILITIES, LABELS)
    parts = [metrics_of(PROBABILITIES[:4], LABELS[:4]), metrics_of(PROBABILITIES[4:], LABELS[4:])]
    for name in ("loss", "accuracy", "f1", "precision", "recall"):
        assert abs(whole[name] - (parts[0][name] + parts[1][name]) / 2) > 0.01


def test_values_are_python_floats():
    assert all(type(value) is float for value in metrics_of(PROBABILITIES, LABELS).values())


@pytest.mark.parametrize("images", [3, 20, 36, 104])
def test_no_metric_of_a_perfect_model_exceeds_one_on_the_first_images(images):
    """As torchmetrics rounds the weights of their classes, these add up to more than 1."""
    labels = load_cifar10(images, 1).train.labels
    metrics = compute_metrics(9 * torch.nn.functional.one_hot(labels, 10).float(), labels)
    assert max(metrics[name] for name in METRICS if name != "loss") == 1.0


@pytest.mark.parametrize("seed", range(20))
def test_no_metric_of_a_perfect_model_exceeds_one(seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(7, (97,), generator=generator)
    metrics = compute_metrics(5 * torch.nn.functional.one_hot(labels, 7).float(), labels)
    assert {metrics[name] for name in METRICS if name != "loss"} == {1.0}
