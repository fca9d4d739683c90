"""Which classes a model confuses: a matrix, or a table where it has too many classes to label."""

from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ...explain.predictions import confusion_matrix, frequent_errors
from ...figures.predictions import MOST_LABELED, confusion
from ...runs.run import Run
from ..chart import chart
from ..wording import plain

ERRORS = 15  # rows of the table


def show_confusion(run: Run, labels: np.ndarray, predicted: np.ndarray) -> None:
    """Show the confusion matrix of the validation images, or the most frequent errors.

    Args:
        run: the run, with the names of its classes.
        labels: true classes (N,).
        predicted: predicted classes (N,).
    """
    st.header("Confusion matrix")
    images = f"{len(labels):,} validation images"
    if len(labels) < run.training.validation_images:
        images = f"first {images}"
    if len(run.classes) <= MOST_LABELED:
        _matrix(run.classes, labels, predicted, images)
    else:
        _table(run.classes, labels, predicted, images)


def _matrix(
    classes: tuple[str, ...], labels: np.ndarray, predicted: np.ndarray, images: str
) -> None:
    matrix = confusion_matrix(labels, predicted, len(classes))
    alt = f"Confusion matrix: {np.trace(matrix)} of {matrix.sum()} images are on the diagonal."
    for true, called, count in frequent_errors(labels, predicted, 1):
        alt += (
            f" The most frequent error: true class {classes[true]}, predicted class "
            f"{classes[called]}, {count} times."
        )
    chart(_figure(tuple(map(tuple, matrix.tolist())), classes), key="confusion", alt=alt)
    st.caption(
        "Rows: true class. Columns: predicted class. Each cell counts images, out of the "
        f"{images}. Correct predictions are on the diagonal; bright cells off the diagonal are the "
        "most frequent errors."
    )


@lru_cache(maxsize=64)  # a page draws it again at each rerun
def _figure(matrix: tuple[tuple[int, ...], ...], classes: tuple[str, ...]) -> go.Figure:
    return confusion(np.array(matrix), classes)


def _table(
    classes: tuple[str, ...], labels: np.ndarray, predicted: np.ndarray, images: str
) -> None:
    """Show the largest cells off the diagonal as a table."""
    errors = frequent_errors(labels, predicted, ERRORS)
    if errors:
        rows = ["| True class | Predicted class | Images |", "|---|---|---:|"]
        rows += [
            f"| {plain(classes[true])} | {plain(classes[called])} | {count} |"
            for true, called, count in errors
        ]
        st.markdown("\n".join(rows))
    st.caption(
        f"A matrix of {len(classes):,} × {len(classes):,} classes is too large to read. Of the "
        f"{images}, {(labels == predicted).sum():,} are classified correctly. The table shows the "
        "most frequent errors."
    )
