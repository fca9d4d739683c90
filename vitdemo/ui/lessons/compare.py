"""Two trainings side by side, run while one watches."""

import numpy as np
import streamlit as st

from ...explain.comparisons import Recipe, train_each
from ...figures.numbers import two_lines
from ..chart import chart
from ..question import question


def compare(recipes: dict[str, Recipe], key: str, help: str) -> None:
    """A button that trains each, and a chart for each: accuracy on training and on test images by epoch.

    Args:
        recipes: by name, two of them.
        key: that no other comparison has.
        help: of the button.
    """

    def show(answers: tuple) -> None:
        for name, column in zip(recipes, st.columns(2), strict=True):
            reached = np.array([shares for which, *shares in answers if which == name])
            if not len(reached):
                continue
            train, test = reached[-1]
            with column:
                st.markdown(f"**{name[0].upper()}{name[1:]}**")
                lines = {"training images": reached[:, 0], "test images": reached[:, 1]}
                alt = f"{name}, after {len(reached)} epochs: {train:.0%} of training and {test:.0%} of test images."
                epochs = tuple(range(1, len(reached) + 1))
                chart(two_lines(epochs, lines, "epoch", "accuracy", 260, most=1.02), key=f"{key}-{name}", alt=alt)
                st.caption(f"After {len(reached)} epochs: {train:.0%} and {test:.0%}, a gap of {train - test:.0%}.")

    total = sum(training.epochs for _, training in recipes.values())
    question((key,), total, lambda: train_each(recipes), f"Train both: {key}", "epochs", show, help)
