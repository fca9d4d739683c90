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
        probabilities: probabilities of one or two classes by name, at each snapshot; the first is
            the one that the final model predicts.
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
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
    )
    final, *other = probabilities.items()
    figure.add_scatter(**_curve(epochs, *final, CORRECT))
    figure.add_scatter(
        x=epochs,
        y=accuracy,
        name="validation accuracy",
        mode="lines+markers",
        line={"color": VALIDATION["color"], "dash": VALIDATION["dash"], "width": 2},
        marker={"symbol": VALIDATION["symbol"]},
        hovertemplate="accuracy %{y:.1%} after %{x:.3g} epochs<extra></extra>",
    )
    for class_ in other:  # last, as it comes and goes
        figure.add_scatter(**_curve(epochs, *class_, NEUTRAL))
    return figure.add_shape(_mark(epochs[chosen]))


def over_training_changes(
    epochs: list[float], probabilities: dict[str, np.ndarray], chosen: int
) -> dict:
    """Return what another chosen snapshot changes in `over_training`: traces and layout."""
    _, *other = probabilities.items()
    curves = [_curve(epochs, *class_, NEUTRAL) for class_ in other]
    return {"traces": [{}, {}, *curves], "layout": {"shapes": [_mark(epochs[chosen])]}}


def _curve(epochs: list[float], name: str, values: np.ndarray, color: str) -> dict:
    shown = literal(name)
    return {
        "type": "scatter",
        "x": epochs,
        "y": values.tolist(),
        "name": f"probability of {shown}",
        "mode": "lines+markers",
        "line": {"color": color, "width": 2},
        "hovertemplate": f"{shown} %{{y:.1%}} after %{{x:.3g}} epochs<extra></extra>",
    }


def _mark(epoch: float) -> dict:
    """Return a vertical line at a snapshot."""
    across = {"x0": epoch, "x1": epoch, "y0": 0, "y1": 1, "yref": "y domain"}
    return {"type": "line", "line": {"color": MARK, "width": 2}} | across
