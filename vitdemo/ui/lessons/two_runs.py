"""Two training runs side by side, started from the page."""

from functools import partial

import streamlit as st

from ...figures.curves import metric_curve
from ...lessons.comparisons import PAIRS, Recipe
from ...training.metrics import METRICS
from ..chart import chart
from .experiment_panel import experiment_panel

TYPICAL = 0.3  # accuracy that such short runs reach
KEYS = ("accuracy", "loss")  # metrics that are drawn


def compare(name: str, help: str) -> None:
    """Show accuracy and loss by epoch of two recipes on the same scales, and offer to train both.

    Args:
        name: of the pair of recipes, in PAIRS.
        help: help text of the button.
    """
    show = partial(_show, PAIRS[name], name)
    experiment_panel(name, "Train both", "epochs", show, help)


def _show(recipes: dict[str, Recipe], key: str, results: tuple[tuple[str, dict], ...]) -> None:
    ends = {key: _end_of_axis(results, key) for key in KEYS}
    for (name, (model, training)), column in zip(recipes.items(), st.columns(2), strict=True):
        history = tuple(record for trained, record in results if trained == name)
        if history:
            with column:
                st.markdown(f"**{name}**")
                _curves(history, f"{key}-{name}", training.epochs, model.num_classes, ends)
    images = next(iter(recipes.values()))[1].validation_images
    st.caption(
        f":blue[●] Solid: training images. :orange[◆] Dashed: {images:,} test images, which the "
        f"model is never trained on. On that many images, an accuracy of {TYPICAL:.0%} has a "
        f"standard error of {100 * (TYPICAL * (1 - TYPICAL) / images) ** 0.5:.1f} percentage "
        "points; the choice of the random seed adds to the uncertainty."
    )


def _end_of_axis(results: tuple[tuple[str, dict], ...], key: str) -> float:
    """Return where the axis of a metric ends, so that the values of both runs fit."""
    values = [record[part][key] for _, record in results for part in ("train", "validation")]
    return 1.05 * max(values)


def _curves(
    history: tuple[dict, ...], key: str, epochs: int, num_classes: int, ends: dict[str, float]
) -> None:
    train, test = history[-1]["train"], history[-1]["validation"]
    for metric in KEYS:
        figure = metric_curve(history, metric, epochs, num_classes, 220)
        figure.update_yaxes(range=[0, ends[metric]])
        alt = (
            f"{METRICS[metric][0]} by epoch; after the last, {train[metric]:.2f} on training "
            f"images and {test[metric]:.2f} on test images."
        )
        chart(figure, key=f"{key}-{metric}", alt=alt)
    gap = round(100 * (train["accuracy"] - test["accuracy"]))
    st.caption(
        f"After {len(history)} epochs: accuracy {train['accuracy']:.0%} on training images, "
        f"{test['accuracy']:.0%} on test images, a gap of {gap} percentage points. Loss "
        f"{train['loss']:.2f} and {test['loss']:.2f}."
    )
