"""Two trainings side by side, run while one watches."""

import streamlit as st

from ...figures.curves import metric_curve
from ...lessons.comparisons import Recipe, train_each
from ...runs.run import epoch_record
from ..chart import chart
from ..task_panel import task_panel

SHARE = 0.3  # an accuracy such as these trainings reach
KEYS = ("accuracy", "loss")  # of METRICS, drawn for both


def compare(recipes: dict[str, Recipe], key: str, help: str) -> None:
    """A button that trains each, and for each its accuracy and loss by epoch, on the same scales.

    Args:
        recipes: by name, two of them.
        key: that no other comparison has.
        help: of the button.
    """

    def show(answers: tuple) -> None:
        worst = max(max(event.train["loss"], event.validation["loss"]) for _, event in answers)
        for (name, (_, training)), column in zip(recipes.items(), st.columns(2), strict=True):
            events = [event for which, event in answers if which == name]
            if not events:
                continue
            history = tuple(epoch_record(event) for event in events)
            train, test = events[-1].train, events[-1].validation
            with column:
                st.markdown(f"**{name[0].upper()}{name[1:]}**")
                for metric in KEYS:
                    figure = metric_curve(history, metric, training.epochs, 220)
                    if metric == "loss":
                        figure.update_yaxes(range=[0, 1.05 * worst])
                    alt = f"{name}, {metric}: {train[metric]:.2f} in training, {test[metric]:.2f} on test images."
                    chart(figure, key=f"{key}-{name}-{metric}", alt=alt)
                gap = round(100 * (train["accuracy"] - test["accuracy"]))
                st.caption(
                    f"After {len(events)} epochs: {train['accuracy']:.0%} of training, {test['accuracy']:.0%} of test images, "
                    f"a gap of {gap} points. Loss {train['loss']:.2f} and {test['loss']:.2f}."
                )
        images = next(iter(recipes.values()))[1].validation_images
        st.caption(
            f":blue[●] solid: training images. :orange[◆] dashed: {images:,} test images, which no model learns from. With "
            f"so many, an accuracy of {SHARE:.0%} is off by {(SHARE * (1 - SHARE) / images) ** 0.5:.1%} by chance (one "
            "standard error), and another seed adds to that."
        )

    total = sum(training.epochs for _, training in recipes.values())
    task_panel((key,), total, lambda: train_each(recipes), "Train both", "epochs", show, help)
