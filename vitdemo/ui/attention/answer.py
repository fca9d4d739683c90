"""What the model says of the picture."""

import numpy as np
import streamlit as st

from ...data import CLASSES
from ...figures.predictions import top_classes
from ..chart import chart


def show_answer(probabilities: np.ndarray, label: int | None) -> None:
    """The most probable classes, and whether the first is right.

    Args:
        probabilities: (K,).
        label: what the picture shows, where that is known.
    """
    best = int(probabilities.argmax())
    verdict = ""
    if label is not None:
        verdict = ": right" if best == label else f": wrong, it is a {CLASSES[label]}"
    st.markdown(f"**The model says {CLASSES[best]}**{verdict}")
    chart(
        top_classes(probabilities, CLASSES, label),
        key="top_classes",
        alt="Most probable classes: "
        + ", ".join(f"{CLASSES[k]} {probabilities[k]:.0%}" for k in np.argsort(-probabilities)[:5]),
    )
    st.caption("The five most probable classes. Green is the right one, red a wrong first answer.")
