"""Training and evaluation: the loop, what each metric means, comparisons, and the paper's results."""

import numpy as np
import streamlit as st
import torch

from ...config import PRESETS, ConfigError
from ...lessons.attention_by_hand import read_matrix
from ...lessons.comparisons import PAIRS, listing, metrics_of, nearest_count
from ...lessons.paper import TABLE_2
from ...runs.run import epoch_record
from ...training.metrics import METRICS, compute_metrics
from ..task_panel import task_panel
from ..train.live import curves
from ..train.results import show_metrics
from .lesson import Lesson
from .two_runs import compare
from .walks import LOOP

CLASSES = 3  # of the small table
IMAGES = 6
LABELS = "0 0 1 1 2 2"
TABLE = "0.7 0.2 0.1\n0.4 0.5 0.1\n0.1 0.8 0.1\n0.2 0.5 0.3\n0.1 0.1 0.8\n0.5 0.2 0.3"
_SMALL, _RECIPE = PAIRS["dropout"]["no dropout"]
_OF_WHAT = (
    f"A ViT of {_SMALL.depth} blocks, {_RECIPE.train_images} images, {_RECIPE.epochs} epochs."
)
COMPARED = {  # of PAIRS: label and what to look at
    "decay": (
        "Adam and AdamW",
        "The listing as printed, with a learning rate of ours, as it prints none; and with one change. Adam adds "
        f"{PRESETS['annotation'][1].weight_decay:g} times each weight to its gradient (L2), then rescales the sum. AdamW "
        "rescales the gradient alone and shrinks each weight apart from it (Loshchilov and Hutter 2019).",
    ),
    "dropout": (
        "Dropout",
        f"{_OF_WHAT} In each step a share of the numbers is zeroed at random, so that no part can rely on another. It "
        "slows the learning by heart.",
    ),
    "augmentation": (
        "Augmentation",
        f"{_OF_WHAT} Each image is mirrored, shifted and changed in brightness and color at random, differently in each "
        "epoch: more images for free.",
    ),
}


def loop(lesson: Lesson) -> None:
    """The loop and the evaluation, as they run."""
    st.header("The loop")
    st.markdown(
        "For each batch: let the model answer, measure how wrong it is (**cross-entropy**), ask which way each weight "
        "makes it less wrong (the **gradient**, by back-propagation), and move the weights a little that way (the "
        "**optimizer**). Once all images were seen, an **epoch** is over, and the model is asked about images that it "
        "does not learn from."
    )
    lesson.walk(LOOP)


def metrics(lesson: Lesson) -> None:
    """A small table of predictions that one can edit."""
    st.header("What each metric means")
    st.markdown(
        f"{IMAGES} images, {CLASSES} classes. Each line: the probabilities that a model gives to the classes 0, 1 and 2 "
        "(they are divided by their sum). Change them, or what is right, and see what each metric makes of it."
    )
    left, right = st.columns([2, 3])
    with left:
        text = lesson.write(
            "table",
            "Probabilities",
            TABLE,
            f"{IMAGES} lines of {CLASSES} numbers, none negative.",
            180,
        )
        right_ones = lesson.write(
            "labels", "Right classes", LABELS, f"{IMAGES} numbers from 0 to {CLASSES - 1}.", 70
        )
    try:
        table = read_matrix(text, IMAGES, CLASSES)
        labels = read_matrix(right_ones.replace("\n", " "), 1, IMAGES)[0]
        if (table < 0).any() or (table.sum(axis=1) <= 0).any():
            raise ConfigError("Probabilities must not be negative, and not all of a line 0.")
        if not np.isin(labels, range(CLASSES)).all():
            raise ConfigError(f"Every right class must be a whole number from 0 to {CLASSES - 1}.")
    except ConfigError as error:
        st.error(str(error))
        return
    found = metrics_of(torch.from_numpy(table), torch.from_numpy(labels).long())
    called = table.argmax(axis=1)
    rows = ["| Metric | Value | What it says |", "|---|---:|---|"]
    rows += [
        f"| {METRICS[key][0]} | {'none' if np.isnan(value) else f'{value:.3f}'} | {METRICS[key][1]} |"
        for key, value in found.items()
    ]
    with right:
        st.markdown("\n".join(rows))
    st.caption(
        f"Called: {', '.join(map(str, called))}; right: {', '.join(f'{label:.0f}' for label in labels)}. F1, precision, "
        f"recall and AUROC are means over the classes, each with the number of its images as weight. With {CLASSES} "
        "classes, top-5 counts all: it is always 1."
    )
    lesson.predict(
        "recall",
        "With the number of images as weights, how much larger is recall than accuracy?",
        {"not at all": 0.0, "a little": 0.1, "twice as large": found["accuracy"]},
        lambda: abs(found["recall"] - found["accuracy"]),
        "The difference is {:.3g}: each class's recall times its share of the images adds up to the accuracy. In Table 2 they "
        "agree as well, which does not show what was taken there: with equal weights for both they also agree.",
    )
    lesson.code(compute_metrics, "torchmetrics does the counting; `weighted` is the kind of mean.")


def comparisons(lesson: Lesson) -> None:
    """Two runs that differ in one thing."""
    st.header("What each ingredient does")
    name = lesson.choose(
        "compared",
        "Compare",
        tuple(COMPARED),
        "decay",
        "Two trainings that differ in this.",
        format_func=lambda k: COMPARED[k][0],
    )
    st.markdown(COMPARED[name][1])
    compare(
        PAIRS[name],
        name,
        "Two short trainings, one after the other: half a minute or less on two cores.",
    )


def papers_results(lesson: Lesson) -> None:
    """Table 2 and Figure 4 beside our own run, and values that cannot be."""
    st.header("The paper's results, and ours")
    recipe = PRESETS["annotation"][1]
    st.markdown(
        f"Section 1.5.4 prints what the listing reached after {recipe.epochs} epochs: the end values in Table 2, the way "
        f"there in Figure 4. The button runs the same listing here: {recipe.train_images} training images, "
        f"{recipe.validation_images} test images, seed {recipe.seed}, and, as the paper prints no learning rate, "
        f"{recipe.learning_rate:g}."
    )

    def show(answers: tuple) -> None:
        history = tuple(epoch_record(event) for event in answers)
        curves(history, recipe.epochs, live=False, printed=True)
        st.caption(
            ":blue[●] solid: training. :orange[◆] dashed: validation. Open marks: the paper's end values, from Table 2; of its "
            "Figure 4 no other number can be read."
        )
        show_metrics(history[-1], paper=True)
        st.caption(
            f"After epoch {len(history)}. The listing adds {recipe.weight_decay:g} times each weight to its gradient (L2), "
            "which holds it near chance here; *Adam and AdamW* above changes that one thing. Another seed, on the page "
            "*Train*, gives other numbers."
        )

    task_panel(
        ("listing",),
        recipe.epochs,
        listing,
        "Run the paper's listing",
        "epochs",
        show,
        "A few seconds on two cores.",
    )
    printed = TABLE_2["accuracy"][1]
    if not lesson.predict(
        "whole",
        f"The paper prints an accuracy of {printed:.4f} on {recipe.validation_images} images. How many did it name rightly?",
        {"40": 40, "41": 41, "no whole number of images": printed * recipe.validation_images},
        lambda: printed * recipe.validation_images,
        f"{printed:.4f} × {recipe.validation_images} = {{:.2f}}. Images come one by one.",
    ):
        return
    lines = []
    for key in ("accuracy", "top5"):
        for part, share, count in zip(
            ("training", "validation"),
            TABLE_2[key],
            (recipe.train_images, recipe.validation_images),
            strict=True,
        ):
            right, exact = nearest_count(share, count)
            lines.append(
                f"- {METRICS[key][0]}, {part}: {share:.4f} × {count} = {share * count:.2f}. The nearest that can be is {right} "
                f"of {count} = {exact:.4f}."
            )
    st.markdown(
        "\n".join(lines)
        + "\n\nSo as shares of images they cannot be. A mean over the classes, each with the same weight, could give such "
        "numbers: it is what torchmetrics takes for `MulticlassAccuracy` where nobody says otherwise. The paper does not say "
        "what it took."
    )
