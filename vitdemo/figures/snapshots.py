"""How a model's answer to one picture, and its accuracy, grew over its training."""

import numpy as np
import plotly.graph_objects as go

from .style import MARK, NEUTRAL, RIGHT, VALIDATION, axis, blank


def growth(
    epochs: list[float],
    probabilities: dict[str, np.ndarray],
    accuracy: list[float],
    chosen: int,
    height: int,
) -> go.Figure:
    """Lines over the moments of a training, as far apart as they come, the chosen moment marked.

    Args:
        epochs: done at each moment; the axis is logarithmic.
        probabilities: of a few classes by name, at each moment; the first is drawn strongest.
        accuracy: on the validation images, at each moment.
        chosen: which moment.
        height: pixels on the screen.
    """
    names = [f"{epoch:.2g}" if epoch < 10 else f"{epoch:.0f}" for epoch in epochs]
    figure = blank(
        height,
        top=8,
        x=axis("Epochs (logarithmic)", type="log", tickvals=epochs, ticktext=names, showgrid=False),
        y=axis(tickformat=".0%", range=[-0.02, 1.02]),
        legend={"orientation": "h", "y": 1.15, "x": 0},
    )
    for (name, values), color in zip(probabilities.items(), (RIGHT, NEUTRAL), strict=False):
        figure.add_scatter(
            x=epochs,
            y=values,
            name=f"says {name}",
            mode="lines+markers",
            line={"color": color, "width": 2},
            hovertemplate=f"{name} %{{y:.1%}} after %{{x:.3g}} epochs<extra></extra>",
        )
    style = {"color": VALIDATION["color"], "dash": VALIDATION["dash"], "width": 2}
    figure.add_scatter(
        x=epochs,
        y=accuracy,
        name="accuracy, all images",
        mode="lines+markers",
        line=style,
        marker={"symbol": VALIDATION["symbol"]},
        hovertemplate="accuracy %{y:.1%} after %{x:.3g} epochs<extra></extra>",
    )
    return figure.add_vline(x=epochs[chosen], line={"color": MARK, "width": 2})
