"""The model's prediction for the picture."""

import numpy as np
import streamlit as st

from ...figures.predictions import top_classes
from ..chart import chart
from ..picture_picker import Picture
from ..wording import plain


def show_prediction(probabilities: np.ndarray, classes: tuple[str, ...], picture: Picture) -> None:
    """Show the most probable classes, and whether the first is correct where that is known.

    Args:
        probabilities: (K,).
        classes: their K names.
        picture: the classified picture.
    """
    best, label = int(probabilities.argmax()), picture.label
    verdict = ""
    if label is not None:
        verdict = (
            " (correct)" if best == label else f" (wrong; true class: {plain(classes[label])})"
        )
    elif picture.shows:
        verdict = f" (CIFAR-10 label: {plain(picture.shows)})"
    st.markdown(f"**Prediction: {plain(classes[best])}**{verdict}")
    top = np.argsort(-probabilities)[:5]
    chart(
        top_classes(probabilities, classes, label),
        key="top_classes",
        alt="Most probable classes: "
        + ", ".join(f"{classes[k]} {probabilities[k]:.0%}" for k in top),
    )
    colors = "" if label is None else " Green: the true class. Red: a wrong prediction."
    shown = "All" if len(classes) <= 5 else "The five most probable of"
    st.caption(f"{shown} {len(classes):,} classes.{colors}")
