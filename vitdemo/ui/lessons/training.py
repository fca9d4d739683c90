"""Training and evaluation: the loop, the metrics, comparisons, and the paper's results."""

import numpy as np
import streamlit as st
import torch

from ...config import PRESETS, ConfigError
from ...lessons.attention_by_hand import read_matrix
from ...lessons.comparisons import PAIRS, least_loss, metrics_of, nearest_count
from ...lessons.paper import TABLE_2
from ...training.metrics import METRICS, compute_metrics
from ..metrics import curves, show_metrics
from ..wording import plain
from .experiment_panel import experiment_panel
from .lesson import Lesson
from .training_walk import LOOP
from .two_runs import compare

CLASSES, IMAGES = 3, 6  # of the table of predictions
PROBABILITIES = "0.7 0.2 0.1\n0.4 0.5 0.1\n0.1 0.8 0.1\n0.2 0.5 0.3\n0.1 0.1 0.8\n0.5 0.2 0.3"
LABELS = "0 0 1 1 2 2"
MODEL, RECIPE = PRESETS["annotation"]  # the paper's
_MODEL, _TRAINING = PAIRS["dropout"]["No dropout"]
_SETUP = (
    f"A ViT with {_MODEL.depth} blocks is trained twice, on {_TRAINING.train_images} images for "
    f"{_TRAINING.epochs} epochs."
)
COMPARED = {  # key of PAIRS -> label and explanation
    "decay": (
        "Adam and AdamW",
        "The paper's model is trained twice: with Adam, as in the paper, and with AdamW. The "
        "learning rate is ours, because the paper gives none. Both optimizers shrink the weights "
        f"(**weight decay**). Adam adds {RECIPE.weight_decay:g} times each weight to its gradient "
        "(L2 regularization) and then rescales the sum. AdamW decouples the two: it rescales only "
        "the gradient and shrinks each weight directly (Loshchilov and Hutter 2019).",
    ),
    "dropout": (
        "Dropout",
        f"{_SETUP} **Dropout** sets a random fraction of the activations to 0 in each training "
        "step, so that no part of the model can rely too much on any other. It reduces "
        "**overfitting**: memorizing the training images instead of learning what also holds for "
        "new ones.",
    ),
    "augmentation": (
        "Augmentation",
        f"{_SETUP} With **augmentation**, each image is flipped, translated and changed in "
        "brightness and color at random, differently in each epoch. It still shows the same "
        "class, so the model sees many variants of each image without any new labels.",
    ),
}


def loop(lesson: Lesson) -> None:
    """Explain the training loop, then walk through its source."""
    st.header("The training loop")
    st.markdown(
        "For each batch, the model classifies the images (**forward pass**), and the "
        "**cross-entropy** loss measures how wrong it is. Backpropagation computes the "
        "**gradient**: how the loss changes with each weight (**backward pass**). The "
        "**optimizer** then moves each weight a small step in the direction that lowers the loss. "
        "One pass over all training images is an **epoch**. After each epoch, the model is "
        "evaluated on validation images, which it is never trained on."
    )
    model, training = PRESETS["recommended"]
    smoothing, K = training.label_smoothing, model.num_classes
    lesson.walk(LOOP, {"smoothing": smoothing, "K": K, "least": f"{least_loss(smoothing, K):.2f}"})


def metrics(lesson: Lesson) -> None:
    """Compute every metric of a small table of predictions that the reader can edit."""
    st.header("What each metric measures")
    st.markdown(
        f"A model classifies {IMAGES} images. Each line below belongs to one image and contains "
        "the predicted probabilities of the classes 0, 1 and 2; a line that does not sum to 1 is "
        "normalized. Edit the probabilities or the true classes, and see how each metric changes."
    )
    left, right = st.columns([2, 3])
    try:
        with left:
            probabilities, labels = _predictions(lesson)
    except ConfigError as error:
        st.error(plain(str(error)))
        return
    values = metrics_of(torch.from_numpy(probabilities), torch.from_numpy(labels))
    rows = ["| Metric | Value | Meaning |", "|---|---:|---|"]
    for key, value in values.items():
        name, meaning = METRICS[key]
        rows.append(
            f"| {name} | {'undefined' if np.isnan(value) else f'{value:.3f}'} | {meaning} |"
        )
    right.markdown("\n".join(rows))
    st.caption(
        f"Predicted classes: {_listed(probabilities.argmax(axis=1))}. True classes: "
        f"{_listed(labels)}. F1, precision, recall and AUROC are computed for each class and then "
        "averaged over the classes, weighted by the number of images in each. With only "
        f"{CLASSES} classes, top-5 accuracy is always 1."
    )
    lesson.predict(
        "recall",
        "With this weighted average, how does recall compare with accuracy?",
        {"smaller": -0.1, "equal": 0.0, "larger": 0.1},
        lambda: values["recall"] - values["accuracy"],
        "The difference is {:.3g}: each class's recall, multiplied by the class's fraction of the "
        "images, adds up to the accuracy. Accuracy and recall are equal in the paper's Table 2, "
        "too. That fits both kinds of average: by images as here, or both metrics by classes with "
        "equal weights.",
    )
    lesson.code(
        compute_metrics, "torchmetrics computes the metrics; `weighted` is the type of average."
    )


def _predictions(lesson: Lesson) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities (IMAGES, CLASSES) and true classes (IMAGES,) from the text areas.

    Raises:
        ConfigError: the text is not such a table.
    """
    lines = f"{IMAGES} lines of {CLASSES} numbers, none of them negative."
    text = lesson.write("table", "Probabilities", PROBABILITIES, lines, 180)
    classes = f"{IMAGES} numbers from 0 to {CLASSES - 1}."
    label_text = lesson.write("labels", "True classes", LABELS, classes, 70)
    probabilities = read_matrix(text, IMAGES, CLASSES)
    labels = read_matrix(label_text.replace("\n", " "), 1, IMAGES)[0]
    if (probabilities < 0).any() or (probabilities.sum(axis=1) <= 0).any():
        raise ConfigError(
            "Probabilities must not be negative. Each line needs at least one above 0."
        )
    if not np.isin(labels, range(CLASSES)).all():
        raise ConfigError(f"True classes must be whole numbers from 0 to {CLASSES - 1}.")
    return probabilities, labels.astype(np.int64)


def _listed(classes: np.ndarray) -> str:
    return ", ".join(map(str, classes))


def comparisons(lesson: Lesson) -> None:
    """Offer pairs of runs that differ in one thing."""
    st.header("One change at a time")
    subject = lesson.choose(
        "compared",
        "Compare",
        tuple(COMPARED),
        "decay",
        "The one thing in which the two runs differ.",
        format_func=lambda key: COMPARED[key][0],
    )
    st.markdown(COMPARED[subject][1])
    compare(subject, "Two short runs, one after the other.")


def papers_results(lesson: Lesson) -> None:
    """Show Table 2 beside a run of our own, and which of its values are impossible."""
    st.header("The paper's results and ours")
    st.markdown(
        f"Section 1.5.4 of the paper reports the results of its code after {RECIPE.epochs} epochs: "
        "the final values in Table 2, the curves in Figure 4. The button trains the same model "
        f"here, with the same recipe: {RECIPE.train_images} training images and "
        f"{RECIPE.validation_images} test images for validation. The learning rate, "
        f"{RECIPE.learning_rate:g}, and the random seed, {RECIPE.seed}, are ours, because the "
        "paper gives none."
    )
    experiment_panel(
        "papers-code", "Run the paper's code", "epochs", _beside_table_2, "One short run."
    )
    printed, images = TABLE_2["accuracy"][1], RECIPE.validation_images
    if lesson.predict(
        "whole",
        f"The paper reports a validation accuracy of {printed:.4f}, on {images} images. Can that "
        "be the fraction of images that were classified correctly?",
        {"yes": round(printed * images), "no": printed * images},
        lambda: printed * images,
        f"{printed:.4f} × {images} = {{:.2f}}, and the number of correctly classified images must "
        "be a whole number.",
    ):
        _impossible_values()


def _beside_table_2(results: tuple[tuple[str, dict], ...]) -> None:
    history = tuple(record for _, record in results)
    curves(history, RECIPE.epochs, MODEL.num_classes, live=False, printed=True)
    st.caption(
        ":blue[●] Solid: training. :orange[◆] Dashed: validation. Open markers: the paper's final "
        "values, from Table 2. Its Figure 4 gives no other exact values."
    )
    show_metrics(history[-1], paper=True)
    st.caption(
        f"After epoch {len(history)}. Adam adds {RECIPE.weight_decay:g} times each weight to its "
        "gradient (L2 regularization), which keeps the model near chance here; the comparison "
        "*Adam and AdamW* above changes only that. Another random seed gives other values; you can "
        "try one on the page *Train*."
    )


def _impossible_values() -> None:
    lines = []
    for key in ("accuracy", "top5"):
        for part, fraction, images in zip(
            ("training", "validation"),
            TABLE_2[key],
            (RECIPE.train_images, RECIPE.validation_images),
            strict=True,
        ):
            correct, exact = nearest_count(fraction, images)
            lines.append(
                f"- {METRICS[key][0]}, {part}: {fraction:.4f} × {images} = "
                f"{fraction * images:.2f}. The nearest possible value is {correct} of {images} = "
                f"{exact:.4f}."
            )
    st.markdown("\n".join(lines))
    st.markdown(
        "So none of these values can be the fraction of correctly classified images. An average "
        "over classes with equal weights can give such values, and that is the default of "
        "`MulticlassAccuracy` in torchmetrics. The paper does not say which average it used."
    )
