"""A metric by epoch, training and validation in one chart."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..training.metrics import METRICS
from .style import TRAIN, VALIDATION, axis, blank

PARTS = (("train", "Training", TRAIN), ("validation", "Validation", VALIDATION))
PERCENT = ("accuracy", "top1", "top5")  # metrics that are shown in percent


def metric_curve(
    history: tuple[dict, ...],
    key: str,
    epochs: int,
    height: int = 190,
    printed: tuple[float, float] | None = None,
) -> go.Figure:
    """Draw one point per epoch for training and for validation.

    Args:
        history: records as from `epoch_record`; may be empty.
        key: key of METRICS.
        epochs: number of epochs of the whole run, which the axis spans from the start.
        height: height in pixels.
        printed: values that the paper prints for training and validation after the last epoch,
            drawn as open markers.
    """
    figure = blank(
        height,
        x=axis(
            "Epoch", range=[0.5, epochs + 0.5], tickformat="d", dtick=1 if epochs <= 8 else None
        ),
        y=_value_axis(key),
        showlegend=False,
        title={"text": METRICS[key][0], "x": 0, "xref": "paper", "y": 0.97},
    )
    shown = "%{y:.2%}" if key in PERCENT else "%{y:.4f}"
    for (_, name, style), values in zip(PARTS, curve_values(history, key, epochs), strict=True):
        figure.add_scatter(
            **values,
            name=name,
            line={"color": style["color"], "dash": style["dash"], "width": 2},
            marker={"symbol": style["symbol"], "size": 6},
            hovertemplate=f"{name}, epoch %{{x}}: {shown}<extra></extra>",
        )
    if printed:
        _mark_printed(figure, printed, epochs, shown)
    return figure


def _mark_printed(figure: go.Figure, printed: tuple[float, float], epochs: int, shown: str) -> None:
    for (_, name, style), value in zip(PARTS, printed, strict=True):
        figure.add_scatter(
            x=[epochs],
            y=[value],
            mode="markers",
            marker={
                "symbol": f"{style['symbol']}-open",
                "size": 11,
                "color": style["color"],
                "line": {"width": 2},
            },
            hovertemplate=f"{name}, in the paper: {shown}<extra></extra>",
        )


def _value_axis(key: str) -> dict:
    if key == "loss":
        return axis("nats", rangemode="tozero")
    if key in PERCENT:
        return axis("accuracy", range=[0, 1.02], tickformat=".0%")
    return axis("score", range=[0, 1.02])


def curve_values(history: tuple[dict, ...], key: str, epochs: int) -> list[dict]:
    """Return what changes in a `metric_curve` as a run goes on: x, y and mode of each trace."""
    many = epochs > 12 and len(history) > 1
    mode = "lines" if many else "lines+markers"  # many markers would hide the dashes
    x = [record["epoch"] for record in history]
    return [
        {"x": x, "y": [record[part][key] for record in history], "mode": mode} for part, *_ in PARTS
    ]


def all_curves(history: tuple[dict, ...], epochs: int, title: str) -> go.Figure:
    """Draw every metric in one figure, for a file.

    Args:
        history: records as from `epoch_record`.
        epochs: number of epochs of the whole run.
        title: name of the run.
    """
    columns = 2
    rows = -(-len(METRICS) // columns)
    names = [name for name, _ in METRICS.values()]
    figure = make_subplots(rows=rows, cols=columns, subplot_titles=names)
    for number, key in enumerate(METRICS):
        cell = {"row": number // columns + 1, "col": number % columns + 1}
        single = metric_curve(history, key, epochs)
        for trace in single.data:
            figure.add_trace(trace.update(showlegend=number == 0, legendgroup=trace.name), **cell)
        x, y = single.layout.xaxis, single.layout.yaxis
        figure.update_xaxes(title="Epoch", range=x.range, dtick=x.dtick, tickformat="d", **cell)
        figure.update_yaxes(
            title=y.title.text,
            range=y.range,
            rangemode=y.rangemode,
            tickformat=y.tickformat,
            **cell,
        )
    return figure.update_layout(height=300 * rows, template="plotly_white", title=title)
