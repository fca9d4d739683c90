"""Two training runs side by side, started from the page."""

import streamlit as st

from ...figures.curves import metric_curve
from ...lessons.comparisons import Recipe, train_each
from ...runs.run import epoch_record
from ...training.loop import EpochEnd
from ...training.metrics import METRICS
from ..chart import chart
from ..task_panel import task_panel

TYPICAL = 0.3  # accuracy that such short runs reach
KEYS = ("accuracy", "loss")  # metrics that are drawn


def compare(recipes: dict[str, Recipe], key: str, help: str) -> None:
    """Offer to train two recipes, and show their accuracy and loss by epoch on the same scales.

    Args:
        recipes: two recipes by name.
        key: unique name of the comparison.
        help: help text of the button.
    """
    epochs = sum(training.epochs for _, training in recipes.values())
    task_panel(
        (key,),
        epochs,
        lambda: train_each(recipes),
        "Train both",
        "epochs",
        lambda results: _show(recipes, key, results),
        help,
    )


def _show(recipes: dict[str, Recipe], key: str, results: tuple[tuple[str, EpochEnd], ...]) -> None:
    ends = {key: _end_of_axis(results, key) for key in KEYS}
    for (name, (model, training)), column in zip(recipes.items(), st.columns(2), strict=True):
        events = [event for trained, event in results if trained == name]
        if events:
            with column:
                st.markdown(f"**{name}**")
                _curves(events, f"{key}-{name}", training.epochs, model.num_classes, ends)
    images = next(iter(recipes.values()))[1].validation_images
    st.caption(
        f":blue[●] Solid: training images. :orange[◆] Dashed: {images:,} test images, which the "
        f"model is never trained on. On that many images, an accuracy of {TYPICAL:.0%} has a "
        f"standard error of {100 * (TYPICAL * (1 - TYPICAL) / images) ** 0.5:.1f} percentage "
        "points; the choice of the random seed adds to the uncertainty."
    )


def _end_of_axis(results: tuple[tuple[str, EpochEnd], ...], key: str) -> float:
    """Return where the axis of a metric ends, so that the values of both runs fit."""
    values = [part[key] for _, event in results for part in (event.train, event.validation)]
    return 1.05 * max(values)


def _curves(
    events: list[EpochEnd], key: str, epochs: int, num_classes: int, ends: dict[str, float]
) -> None:
    history = tuple(epoch_record(event) for event in events)
    train, test = events[-1].train, events[-1].validation
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
        f"After {len(events)} epochs: accuracy {train['accuracy']:.0%} on training images, "
        f"{test['accuracy']:.0%} on test images, a gap of {gap} percentage points. Loss "
        f"{train['loss']:.2f} and {test['loss']:.2f}."
    )
