"""What the curves of a run show, and what to change: one line, or none if nothing is wrong."""

import math
from collections.abc import Sequence

from ..config import ModelConfig, TrainConfig

USUAL_RATE = 1e-3  # a learning rate that works for Adam and AdamW
LOW_RATE, HIGH_RATE = 1e-4, 5e-3  # below and above, the rate is the first suspect
FEW_STEPS = 150
NEAR = 0.06  # of the way from chance to an accuracy of 1
GAP = 0.25  # of accuracy between training and validation images


def diagnose(history: Sequence[dict], model: ModelConfig, training: TrainConfig) -> str:
    """Judge the whole curve of a run, under way or ended.

    Args:
        history: one record per epoch, with the metrics under `train` and `validation`.
        model: the model of the run.
        training: its recipe.

    Returns:
        What is seen and what to change, in one line. Empty if the run looks healthy, or if it is
        too early to tell.
    """
    if not history:
        return ""
    return (
        _diverged(history, model, training)
        or _at_chance(history, model, training)
        or _overfits(history, training)
        or _still_improves(history, training)
    )


def _diverged(history: Sequence[dict], model: ModelConfig, training: TrainConfig) -> str:
    """Say that the loss is, or was, far above that of random guessing and nothing is learned."""
    guessing = math.log(model.num_classes)
    losses = [record["train"]["loss"] for record in history]
    most = f"{max(losses):,.0f}" if max(losses) >= 100 else f"{max(losses):.3g}"
    dead = _is_at_chance(history[-3:], model, training)
    if losses[-1] <= 2 * guessing and not (max(losses) > 3 * guessing and dead):
        return ""
    return (
        f"The training loss rose to {most}, far above the {guessing:.2f} of random "
        f"guessing: {_too_high(training)}"
    )


def _at_chance(history: Sequence[dict], model: ModelConfig, training: TrainConfig) -> str:
    """Say that the accuracy is still that of random guessing, and the likely cause."""
    done, ended = len(history), len(history) == training.epochs
    # During the warm-up and the first epochs after it, a healthy run can be at chance, too.
    warmup = min(training.warmup_epochs, training.epochs / 4)
    if (done < max(3, warmup + 3) and not ended) or not _is_at_chance(
        history[-3:], model, training
    ):
        return ""
    seen = f"After {_epochs(done)}, the accuracy is hardly above that of random guessing: "
    rate, steps = training.learning_rate, done * _steps(training)
    if rate < LOW_RATE:
        cause = f"the learning rate of {rate:g} is too low. Raise it to {USUAL_RATE:g}."
    elif rate > HIGH_RATE:
        cause = _too_high(training)
    elif training.optimizer == "adam" and training.weight_decay >= 0.01:
        cause = (
            f"Adam adds the weight decay of {training.weight_decay:g} to the gradient, where it "
            "outweighs what could be learned. Use AdamW."
        )
    elif steps < FEW_STEPS:
        few = "1 step is" if steps == 1 else f"{steps} steps are"
        cause = f"{few} too few. Train for more epochs."
    else:
        cause = f"try a learning rate of {rate / 10:g}, or of {rate * 10:g}."
    return seen + cause


def _overfits(history: Sequence[dict], training: TrainConfig) -> str:
    """Say that the training images are classified far better than the validation images."""
    train, validation = history[-1]["train"], history[-1]["validation"]
    gap = train["accuracy"] - validation["accuracy"]
    losses = [record["validation"]["loss"] for record in history]
    best = min(losses)
    # A gap alone is common and harmless while the validation loss still falls.
    if gap < max(GAP, 3 * _error(0.5, training.validation_images)) or losses[-1] < 1.1 * best:
        return ""
    plain = training.augmentation == "none" and not training.mixup + training.cutmix
    change = "augmentation" if plain else "stronger augmentation or regularization"
    return (
        f"It overfits: {train['accuracy']:.0%} accuracy on the training images, "
        f"{validation['accuracy']:.0%} on the validation images, whose loss was lowest after epoch "
        f"{losses.index(best) + 1}. Use more training images, {change}, or fewer epochs."
    )


def _still_improves(history: Sequence[dict], training: TrainConfig) -> str:
    """Say that the validation accuracy was still rising when the run ended."""
    if len(history) < training.epochs or len(history) < 2:
        return ""
    earlier = history[-1 - math.ceil(len(history) / 4)]["validation"]
    last = history[-1]["validation"]
    risen = last["accuracy"] - earlier["accuracy"]
    noise = 2 * _error(last["accuracy"], training.validation_images)
    if risen < noise or last["loss"] > 0.97 * earlier["loss"]:
        return ""
    return (
        f"The validation accuracy rose from {earlier['accuracy']:.0%} to {last['accuracy']:.0%} in "
        "the last quarter of the run, which ended too early. Train for more epochs."
    )


def _is_at_chance(recent: Sequence[dict], model: ModelConfig, training: TrainConfig) -> bool:
    """Whether neither training nor validation accuracy differs much from random guessing."""
    chance = 1 / model.num_classes
    for part, images in (
        ("train", training.train_images),
        ("validation", training.validation_images),
    ):
        accuracy = sum(record[part]["accuracy"] for record in recent) / len(recent)
        if accuracy > chance + max(NEAR * (1 - chance), 3 * _error(chance, images)):
            return False
    return True


def _error(fraction: float, images: int) -> float:
    """Return the standard error of a fraction of so many images."""
    return math.sqrt(fraction * (1 - fraction) / images)


def _too_high(training: TrainConfig) -> str:
    rate = training.learning_rate
    lower = min(rate / 10, USUAL_RATE)
    return f"the learning rate of {rate:g} is too high. Lower it, for example to {lower:g}."


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"


def _steps(training: TrainConfig) -> int:
    return math.ceil(training.train_images / training.batch_size)
