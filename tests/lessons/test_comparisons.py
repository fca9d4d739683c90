"""Pairs of recipes, the paper's code, metrics worked out by hand, and the printed accuracies."""

from dataclasses import asdict, replace
from fractions import Fraction
from inspect import signature
from itertools import islice
from random import Random

import pytest
import torch
from torch.nn.functional import cross_entropy

from vitdemo.config import PRESETS
from vitdemo.data.cifar10 import load_cifar10
from vitdemo.lessons.comparisons import (
    PAIRS,
    PAPERS_CODE,
    least_loss,
    metrics_of,
    nearest_count,
    train_each,
)
from vitdemo.lessons.paper import TABLE_2
from vitdemo.model import VisionTransformer
from vitdemo.training.loop import EpochEnd, train

DIFFERENT = {
    "decay": {"optimizer"},
    "dropout": {"dropout"},
    "augmentation": {"augmentation", "jitter"},
    "overfitting": {"augmentation", "jitter", "cutmix", "cutout"},
}


@pytest.mark.parametrize("name", PAIRS)
def test_recipes_of_a_pair_differ_only_in_their_subject(name):
    first, second = [asdict(model) | asdict(training) for model, training in PAIRS[name].values()]
    assert {field for field in first if first[field] != second[field]} == DIFFERENT[name]


def test_train_each_trains_recipes_in_order():
    pair = {
        name: (
            replace(model, depth=1),
            replace(training, train_images=20, epochs=2, warmup_epochs=0.0),
        )
        for name, (model, training) in PAIRS["dropout"].items()
    }
    found = [(name, epoch["epoch"], epoch["train"]["loss"]) for name, epoch in train_each(pair)]
    assert [step[:2] for step in found] == [(name, epoch) for name in pair for epoch in (1, 2)]
    assert found[0][2] != found[2][2]
    ((name, first),) = islice(train_each(pair), 1)
    assert (name, first["epoch"], first["train"]["loss"]) == found[0]


@pytest.mark.slow
def test_papers_code_equals_its_preset():
    _, found = next(train_each(PAPERS_CODE))
    model, recipe = PRESETS["annotation"]
    events = train(VisionTransformer(model, seed=0), load_cifar10(600, 200), recipe)
    first = next(event for event in events if isinstance(event, EpochEnd))
    assert first.validation == found["validation"]


def test_torchmetrics_averages_accuracy_over_classes_by_default():
    from torchmetrics.classification import MulticlassAccuracy

    assert signature(MulticlassAccuracy).parameters["average"].default == "macro"


def test_metrics_equal_values_worked_out_by_hand():
    """Three classes; images 0, 1 and 3 are classified correctly, image 2 (a 1) as a 2."""
    table = torch.tensor([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6], [0.1, 0.2, 0.7]])
    found = metrics_of(table, torch.tensor([0, 1, 1, 2]))
    assert found["accuracy"] == found["top1"] == found["recall"] == pytest.approx(3 / 4)
    assert found["top5"] == pytest.approx(1)
    assert found["precision"] == pytest.approx((1 * 1 + 2 * 1 + 1 * 1 / 2) / 4)
    assert found["f1"] == pytest.approx((1 * 1 + 2 * 2 / 3 + 1 * 2 / 3) / 4)
    assert found["auroc"] == pytest.approx(1)
    assert found["loss"] == pytest.approx(-float(torch.tensor([0.8, 0.7, 0.3, 0.7]).log().mean()))
    assert metrics_of(table * 7, torch.tensor([0, 1, 1, 2])) == pytest.approx(found)


def test_least_loss_is_reached_by_the_smoothed_target_alone():
    target = torch.full((1, 10), 0.01)
    target[0, 3] = 0.91
    labels = torch.tensor([3])
    reached = cross_entropy(target.log(), labels, label_smoothing=0.1)
    assert least_loss(0.1, 10) == pytest.approx(float(reached)) == pytest.approx(0.5003, abs=1e-4)
    more, less = target.log().clone(), target.log().clone()
    more[0, 3] += 0.3
    less[0, 3] -= 0.3
    for other in (more, less):
        assert cross_entropy(other, labels, label_smoothing=0.1) > reached + 1e-3
    assert least_loss(0.0, 10) == 0


def test_printed_accuracies_are_not_a_whole_number_of_images():
    train, validation = TABLE_2["accuracy"]
    for fraction, images in ((train, 600), (validation, 200)):
        assert all(abs(count / images - fraction) > 5e-5 for count in range(images + 1))
    assert nearest_count(train, 600) == (122, 122 / 600)
    assert nearest_count(validation, 200) == (41, 41 / 200)


def test_equal_probabilities_of_the_lessons_table_are_ties():
    from vitdemo.ui.lessons.training import LABELS, PROBABILITIES

    table = [[float(number) for number in line.split()] for line in PROBABILITIES.split("\n")]
    labels = torch.tensor([int(label) for label in LABELS.split()])
    value = metrics_of(torch.tensor(table, dtype=torch.double), labels)["auroc"]
    # Class 0: 0.7 is above all four others, 0.4 above three and below 0.5: 7/8. Class 1: 0.8 and
    # 0.5 against 0.2, 0.5, 0.1 and 0.2: 4 + 3.5 of 8. Class 2: 0.8 and 0.3 against 0.1, 0.1, 0.1
    # and 0.3: 4 + 3.5 of 8.
    assert (
        value == pytest.approx((7 / 8 + 7.5 / 8 + 7.5 / 8) / 3) == pytest.approx(0.9167, abs=1e-4)
    )


@pytest.mark.parametrize("seed", range(10))
def test_auroc_of_edited_tables_equals_counting_exact_pairs(seed):
    random = Random(seed)
    table = [[random.randrange(1, 10) / 10 for _ in range(3)] for _ in range(6)]
    labels = [0, 0, 1, 1, 2, 2]
    rows = [[Fraction(str(number)) for number in row] for row in table]
    exact = [[number / sum(row) for number in row] for row in rows]
    pairs = [
        (exact[a][k] > exact[b][k]) + (exact[a][k] == exact[b][k]) / 2
        for k in range(3)
        for a in range(6)
        for b in range(6)
        if labels[a] == k != labels[b]
    ]
    value = metrics_of(torch.tensor(table, dtype=torch.double), torch.tensor(labels))["auroc"]
    assert value == pytest.approx(sum(pairs) / len(pairs))
