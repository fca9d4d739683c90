"""The results of a run: metrics, confusion matrix, and most confident predictions."""

from dataclasses import replace

import streamlit as st

from ...config import PRESETS, ConfigError
from ...data.cifar10 import CLASSES, pixels_of
from ...explain.predictions import most_confident
from ...figures.pictures import to_source
from ...runs.run import Run
from ..cached import HASHES, probabilities_of, validation_split
from ..metrics import show_metrics
from ..wording import plain
from .confusion import show_confusion
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
    if not run.sees_own_classes:
        right.info(
            "This run was trained on other images than those of CIFAR-10. They are not on this "
            "machine, so there is no confusion matrix, and no predictions are shown."
        )
        return
    try:
        split, probabilities = validation_split(run), probabilities_of(run)
    except ConfigError as error:
        right.warning(plain(str(error)))
        return
    labels = split.labels.numpy()
    with right:
        show_confusion(run, labels, probabilities.argmax(axis=1))
    st.header("Most confident correct predictions")
    _images(run, correct=True)
    st.caption("The predicted class with its probability.")
    st.header("Most confident errors")
    _images(run, correct=False)
    st.caption("The predicted class with its probability, and the true class.")


def _last_epoch(run: Run) -> None:
    st.header("Metrics after the last epoch")
    is_papers_code = (run.model, replace(run.training, seed=0)) == PRESETS["annotation"]
    is_papers_code &= run.classes == CLASSES
    show_metrics(run.history[-1], is_papers_code)
    caption = (
        "AUROC, F1, precision and recall are averaged over the classes, weighted by the number of "
        "images in each class. With these weights, recall equals accuracy."
    )
    if is_papers_code:
        caption += " The Paper columns show Table 2 of the paper (section 1.5.4)."
    st.caption(caption)


def _images(run: Run, correct: bool) -> None:
    """Show images with predicted class and probability, and the true class if it differs."""
    shown = _shown(run, correct)
    if not shown:
        st.write("There are none.")
        return
    with st.container(horizontal=True):
        for source, index, lines in shown:
            st.image(
                source,
                caption="  \n".join(map(plain, lines)),
                alt=f"Validation image {index}: {', '.join(lines)}",
                width=IMAGE_WIDTH,
            )


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=HASHES)
def _shown(run: Run, correct: bool) -> list[tuple[str, int, list[str]]]:
    """Return data URL, number and caption of each image; a page draws them at each rerun."""
    split, probabilities = validation_split(run), probabilities_of(run)
    found = []
    for index in most_confident(probabilities, split.labels.numpy(), correct, SHOWN):
        predicted, true = probabilities[index].argmax(), int(split.labels[index])
        lines = [f"{run.classes[predicted]} {probabilities[index, predicted]:.0%}"]
        if predicted != true:
            lines.append(f"true: {run.classes[true]}")
        pixels = pixels_of(split.images[index]).repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
        found.append((to_source(pixels), index, lines))
    return found
