"""What is said of a run's curves: of dead runs, of healthy ones, and of those too short to tell."""

import math
from dataclasses import replace

import pytest

from vitdemo.config import PRESETS, ModelConfig, TrainConfig
from vitdemo.runs.shipped import shipped_runs
from vitdemo.training.diagnosis import diagnose

MODEL, RECOMMENDED = PRESETS["recommended"]
PLAIN = TrainConfig(epochs=20, validation_images=500)
CHANCE = [0.1, 0.09, 0.12, 0.1, 0.08, 0.11]
RANDOM = [2.31, 2.3, 2.31, 2.3, 2.3, 2.3]


def history(loss, accuracy, validation_loss=None, validation_accuracy=None):
    """Return the records of a run from its curves."""
    curves = (loss, accuracy, validation_loss or loss, validation_accuracy or accuracy)
    return tuple(
        {
            "train": {"loss": a, "accuracy": b, "auroc": None},
            "validation": {"loss": c, "accuracy": d, "auroc": None},
        }
        for a, b, c, d in zip(*curves, strict=True)
    )


def ended(training, curves):
    return diagnose(curves, MODEL, replace(training, epochs=len(curves)))


def test_nothing_is_said_before_the_first_epoch():
    assert diagnose((), MODEL, RECOMMENDED) == ""


# Recorded: the recommended preset at a learning rate of 10 and a batch size of 64, 12 epochs.
LOSS_AT_10 = [71.6, 383, 492, 282, 259, 214, 123, 48, 22.5, 5.14, 2.81, 2.38]
ACCURACY_AT_10 = [0.09, 0.12, 0.09, 0.09, 0.1, 0.09, 0.07, 0.12, 0.1, 0.1, 0.1, 0.08]


@pytest.mark.parametrize("epochs", range(1, 13))
def test_diverged_run_is_recognized_from_its_first_epoch_to_its_end(epochs):
    training = replace(RECOMMENDED, epochs=12, learning_rate=10.0)
    seen = diagnose(history(LOSS_AT_10, ACCURACY_AT_10)[:epochs], MODEL, training)
    most = "71.6" if epochs == 1 else "383" if epochs == 2 else "492"
    assert seen.startswith(f"The training loss rose to {most}, far above the 2.30 of random")
    assert seen.endswith("the learning rate of 10 is too high. Lower it, for example to 0.001.")


def test_large_loss_is_written_out():
    seen = diagnose(history([80.0, 1634.2, 9.0, 2.4], [0.1, 0.1, 0.1, 0.09]), MODEL, PLAIN)
    assert "rose to 1,634, " in seen


def test_run_that_recovered_from_a_high_loss_is_not_called_diverged():
    loss, accuracy = [9.0, 2.2, 1.9, 1.7], [0.1, 0.2, 0.3, 0.36]
    assert "rose" not in diagnose(history(loss, accuracy), MODEL, PLAIN)


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"learning_rate": 1e-7}, "the learning rate of 1e-07 is too low. Raise it to 0.001."),
        (
            {"learning_rate": 1.0},
            "the learning rate of 1 is too high. Lower it, for example to 0.001.",
        ),
        ({"optimizer": "adam", "weight_decay": 0.1}, "Use AdamW."),
        ({"train_images": 300}, "18 steps are too few. Train for more epochs."),
        ({"train_images": 6000}, "try a learning rate of 0.0001, or of 0.01."),
    ],
)
def test_run_at_chance_gets_the_likely_cause(changes, advice):
    seen = ended(replace(PLAIN, **changes), history(RANDOM, CHANCE))
    assert seen.startswith("After 6 epochs, the accuracy is hardly above that of random guessing: ")
    assert advice in seen


@pytest.mark.parametrize("epochs", [1, 2, 5, 7])
def test_chance_is_not_judged_during_warm_up(epochs):
    curves = history([2.3] * epochs, [0.1] * epochs)
    assert diagnose(curves, MODEL, RECOMMENDED) == ""
    assert diagnose(history([2.3] * 8, [0.1] * 8), MODEL, RECOMMENDED) != ""


def test_two_classes_at_half_are_at_chance_and_ten_are_not():
    curves = history([0.69] * 6, [0.5, 0.52, 0.49, 0.5, 0.51, 0.5])
    two = replace(MODEL, num_classes=2)
    assert "random guessing" in diagnose(curves, two, PLAIN)
    assert "random guessing" not in diagnose(curves, MODEL, PLAIN)


def test_overfitting_is_called_so():
    curves = history(
        [2.1, 1.7, 1.3, 0.9, 0.6], [0.2, 0.4, 0.55, 0.7, 0.79],
        [2.2, 2.1, 2.2, 2.6, 3.1], [0.2, 0.24, 0.25, 0.24, 0.23],
    )  # fmt: skip
    seen = ended(PLAIN, curves)
    assert seen == (
        "It overfits: 79% accuracy on the training images, 23% on the validation images, whose "
        "loss was lowest after epoch 2. Use more training images, augmentation, or fewer epochs."
    )
    augmented = ended(replace(PLAIN, augmentation="flip"), curves)
    assert "stronger augmentation or regularization" in augmented


def test_gap_without_a_rising_validation_loss_is_not_called_overfitting():
    curves = history(
        [2.0, 1.2, 0.6, 0.4], [0.3, 0.6, 0.8, 0.9], [2.0, 1.5, 1.3, 1.25], [0.3, 0.5, 0.58, 0.6]
    )
    assert diagnose(curves, MODEL, PLAIN) == ""


def test_augmented_training_images_that_are_harder_than_validation_images_are_no_problem():
    curves = history([2.0, 1.5, 1.3], [0.3, 0.4, 0.5], [1.8, 1.2, 0.9], [0.4, 0.6, 0.7])
    assert "overfits" not in ended(PLAIN, curves)


def test_run_that_still_improves_is_told_to_go_on_only_at_its_end():
    loss = [2.2 - 0.1 * epoch for epoch in range(8)]
    accuracy = [0.2 + 0.04 * epoch for epoch in range(8)]
    curves = history(loss, accuracy)
    assert ended(PLAIN, curves) == (
        "The validation accuracy rose from 40% to 48% in the last quarter of the run, which ended "
        "too early. Train for more epochs."
    )
    assert diagnose(curves, MODEL, PLAIN) == ""


def test_rise_within_chance_is_not_called_an_improvement():
    curves = history([2.0] * 4, [0.3, 0.3, 0.3, 0.31])
    assert ended(replace(PLAIN, validation_images=200), curves) == ""


@pytest.mark.parametrize("run", shipped_runs(), ids=lambda run: run.id)
def test_no_epoch_of_a_shipped_run_gives_a_false_alarm(run):
    for epochs in range(1, len(run.history) + 1):
        assert diagnose(run.history[:epochs], run.model, run.training) == ""


@pytest.mark.parametrize("epochs", [1, 2, 6])
@pytest.mark.parametrize("accuracy", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("loss", [0.0, 2.3, 1e4, math.inf])
def test_any_curve_gets_at_most_one_line(epochs, accuracy, loss):
    curves = history([loss] * epochs, [accuracy] * epochs)
    for training in (PLAIN, replace(PLAIN, epochs=epochs), replace(PLAIN, train_images=1)):
        assert "\n" not in diagnose(curves, ModelConfig(num_classes=2), training)
