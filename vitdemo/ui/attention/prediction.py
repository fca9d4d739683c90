"""The model's prediction for the picture, and ahead of time for those that can be clicked."""

import numpy as np
import streamlit as st
import torch
from plotly.io.json import to_json_plotly

from ...costs import macs
from ...data.cifar10 import normalize
from ...figures.predictions import top_classes, top_classes_changes
from ...runs.run import Run
from ..cached import FEW_MACS, model_of
from ..chart import Control, chart, send_states, states_wanted
from ..fragments import fragment
from ..picture_picker import SHEET, Picture, validation_picture
from .case import CASE_HASHES

KEY = "top_classes"


def show_prediction(probabilities: np.ndarray, run: Run, picture: Picture) -> None:
    """Show the most probable classes, and whether the first is correct where that is known.

    Args:
        probabilities: (K,).
        run: run of the model.
        picture: the classified picture.
    """
    classes, label = run.classes, picture.label
    chart(
        top_classes(probabilities, classes, label),
        KEY,
        **_words(probabilities, classes, picture),
        follows=_sheet(run) if st.session_state["source"] == "Validation" else None,
    )
    colors = "" if label is None else " Green: the true class. Red: a wrong prediction."
    shown = "All" if len(classes) <= 5 else "The five most probable of"
    st.caption(f"{shown} {len(classes):,} classes.{colors}")


def _words(probabilities: np.ndarray, classes: tuple[str, ...], picture: Picture) -> dict[str, str]:
    """Return the title and the alternative text of the chart."""
    best, label = int(probabilities.argmax()), picture.label
    verdict = ""
    if label is not None:
        verdict = "Correct" if best == label else f"Wrong; true class: {classes[label]}"
    elif picture.shows:
        verdict = f"CIFAR-10 label: {picture.shows}"
    top = np.argsort(-probabilities)[:5]
    most_probable = ", ".join(f"{classes[k]} {probabilities[k]:.0%}" for k in top)
    return {
        "title": f"Prediction: {classes[best]}\n{verdict}".strip(),
        "alt": f"Most probable classes: {most_probable}",
    }


def _sheet(run: Run) -> Control:
    """Return the sheet of validation images, which the prediction follows."""
    of = str(hash(run.version))
    return Control(SHEET, st.session_state["picture"], of, ahead=False)


@fragment
def send_predictions(run: Run, numbers: list[int]) -> None:
    """Send the predictions for the images on the sheet, so that a click shows them at once.

    The browser asks for them when it has drawn the page. Not for a model that takes long.

    Args:
        run: run of the model.
        numbers: numbers of the images on the sheet.
    """
    if not numbers or sum(macs(run.model).values()) > FEW_MACS:
        return
    sheet = _sheet(run)
    wanted = states_wanted(sheet)
    send_states(sheet, _predictions(run, tuple(numbers)) if wanted else "{}")


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=CASE_HASHES)
@torch.inference_mode()
def _predictions(run: Run, numbers: tuple[int, ...]) -> str:
    """Return the JSON for `send_states`."""
    pictures = [validation_picture(run, number) for number in numbers]
    images = normalize(torch.stack([picture.image for picture in pictures]))
    probabilities = model_of(run, len(images))(images).softmax(dim=1).numpy()
    states = {}
    for number, picture, row in zip(numbers, pictures, probabilities, strict=True):
        words = _words(row, run.classes, picture)
        states[number] = words | top_classes_changes(row, run.classes, picture.label)
    return to_json_plotly({KEY: states})
