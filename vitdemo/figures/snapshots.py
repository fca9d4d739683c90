"""A model's prediction for one image, and its accuracy, over the snapshots of a run."""

import numpy as np
import plotly.graph_objects as go

from .style import CORRECT, MARK, NEUTRAL, VALIDATION, axis, blank, literal


def over_training(
    epochs: list[float],
    probabilities: dict[str, np.ndarray],
    accuracy: list[float | None],
    chosen: int,
    height: int,
) -> go.Figure:
    """Draw probabilities and accuracy at each snapshot of a run, with the chosen one marked.

    Args:
        epochs: epochs trained until each snapshot; the axis is logarithmic.
        probabilities: probabilities of one or two classes by name, at each snapshot.
        accuracy: validation accuracy at each snapshot; None where it is not known.
        chosen: index of the marked snapshot.
        height: height of the figure in pixels.
    """
    names = [f"{epoch:.2g}" if epoch < 10 else f"{epoch:.0f}" for epoch in epochs]
    ticks = {"tickvals": epochs, "ticktext": names, "showgrid": False}
    figure = blank(
        height,
        top=8,
        x=axis("Epochs (log scale)", type="log", **ticks),
        y=axis("Probability, accuracy", tickformat=".0%", range=[-0.02, 1.02]),
        legend={"orientation": "h", "y": 1.15, "x": 0},
    )
    for (name, values), color in zip(probabilities.items(), (CORRECT, NEUTRAL), strict=False):
        shown = literal(name)
        figure.add_scatter(
            x=epochs,
            y=values,
            name=f"probability of {shown}",
            mode="lines+markers",
            line={"color": color, "width": 2},
            hovertemplate=f"{shown} %{{y:.1%}} after %{{x:.3g}} epochs<extra></extra>",
        )
    figure.add_scatter(
        x=epochs,
        y=accuracy,
        name="validation accuracy",
        mode="lines+markers",
        line={"color": VALIDATION["color"], "dash": VALIDATION["dash"], "width": 2},
        marker={"symbol": VALIDATION["symbol"]},
        hovertemplate="accuracy %{y:.1%} after %{x:.3g} epochs<extra></extra>",
    )
    return figure.add_vline(x=epochs[chosen], line={"color": MARK, "width": 2})
