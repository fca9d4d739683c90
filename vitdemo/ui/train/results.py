"""The results of a run: metrics, confusion matrix, and most confident predictions."""

from dataclasses import replace

import numpy as np
import streamlit as st

from ...config import PRESETS, ConfigError
from ...data.cifar10 import CLASSES, Split, pixels_of
from ...explain.predictions import confusion_matrix, most_confident
from ...figures.predictions import confusion
from ...runs.run import Run
from ..cached import probabilities_of, validation_split
from ..chart import chart
from ..metrics import show_metrics
from ..wording import plain
from .export import show_downloads

SHOWN = 6  # most confident correct predictions, and as many errors
ENLARGED = 4  # times, so that the browser does not blur the pixels
IMAGE_WIDTH = 104  # pixels; three fit side by side on a phone


def show_results(run: Run) -> None:
    """Show everything about a run that has ended and has weights."""
    if run.active or not run.history or not run.has_weights:
        return
    left, right = st.columns([2, 3])
    with left:
        _last_epoch(run)
        show_downloads(run)
    try:
        split, probabilities = validation_split(run), probabilities_of(run)
    except ConfigError as error:
        right.warning(plain(str(error)))
        return
    labels = split.labels.numpy()
    with right:
        _confusion_matrix(run, labels, probabilities)
    st.header("Most confident correct predictions")
    _images(split, probabilities, most_confident(probabilities, labels, True, SHOWN))
    st.caption("The predicted class with its probability.")
    st.header("Most confident errors")
    _images(split, probabilities, most_confident(probabilities, labels, False, SHOWN))
    st.caption("The predicted class with its probability, and the true class.")


def _last_epoch(run: Run) -> None:
    st.header("Metrics after the last epoch")
    is_papers_code = (run.model, replace(run.training, seed=0)) == PRESETS["annotation"]
    show_metrics(run.history[-1], is_papers_code)
    caption = (
        "AUROC, F1, precision and recall are averaged over the classes, weighted by the number of "
        "images in each class. With these weights, recall equals accuracy."
    )
    if is_papers_code:
        caption += " The Paper columns show Table 2 of the paper (section 1.5.4)."
    st.caption(caption)


def _confusion_matrix(run: Run, labels: np.ndarray, probabilities: np.ndarray) -> None:
    st.header("Confusion matrix")
    matrix = confusion_matrix(labels, probabilities.argmax(axis=1), len(CLASSES))
    chart(confusion(matrix, CLASSES), key="confusion", alt=_confusion_alt(matrix))
    images = f"{len(labels):,} validation images"
    if len(labels) < run.training.validation_images:
        images = f"first {images}"
    st.caption(
        "Rows: true class. Columns: predicted class. Each cell counts images, out of the "
        f"{images}. Correct predictions are on the diagonal; bright cells off the diagonal are the "
        "most frequent errors."
    )


def _confusion_alt(matrix: np.ndarray) -> str:
    errors = matrix - np.diag(np.diag(matrix))
    true, predicted = np.unravel_index(errors.argmax(), errors.shape)
    return (
        f"Confusion matrix: {np.trace(matrix)} of {matrix.sum()} images are on the diagonal. The "
        f"most frequent error: true class {CLASSES[true]}, predicted class {CLASSES[predicted]}, "
        f"{errors.max()} times."
    )


def _images(split: Split, probabilities: np.ndarray, chosen: np.ndarray) -> None:
    """Show images with predicted class and probability, and the true class if it differs."""
    if not len(chosen):
        st.write("There are none.")
        return
    with st.container(horizontal=True):
        for index in chosen:
            predicted, true = probabilities[index].argmax(), int(split.labels[index])
            lines = [f"{CLASSES[predicted]} {probabilities[index, predicted]:.0%}"]
            if predicted != true:
                lines.append(f"true: {CLASSES[true]}")
            pixels = pixels_of(split.images[index])
            st.image(
                pixels.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1),
                caption="  \n".join(map(plain, lines)),
                alt=f"Validation image {index}: {', '.join(lines)}",
                width=IMAGE_WIDTH,
            )
