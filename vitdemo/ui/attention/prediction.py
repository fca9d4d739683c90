"""What the model says of the picture."""

import numpy as np
import streamlit as st

from ...figures.predictions import top_classes
from ..chart import chart
from ..picture_picker import Picture


def show_answer(probabilities: np.ndarray, classes: tuple[str, ...], picture: Picture) -> None:
    """The most probable classes, and whether the first is right, where that is known.

    Args:
        probabilities: (K,).
        classes: their K names.
        picture: that the model was asked about.
    """
    best, label = int(probabilities.argmax()), picture.label
    verdict = ""
    if label is not None:
        verdict = ": right" if best == label else f": wrong, it is a {classes[label]}"
    elif picture.shows:
        verdict = f"; in CIFAR-10: {picture.shows}"
    st.markdown(f"**The model says {classes[best]}**{verdict}")
    chart(
        top_classes(probabilities, classes, label),
        key="top_classes",
        alt="Most probable classes: "
        + ", ".join(f"{classes[k]} {probabilities[k]:.0%}" for k in np.argsort(-probabilities)[:5]),
    )
    known = "" if label is None else " Green is the right one, red a wrong first answer."
    st.caption(f"The five most probable of {len(classes):,} classes.{known}")
