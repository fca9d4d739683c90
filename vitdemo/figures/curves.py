"""A metric by epoch, training and validation in one chart."""

import math

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..training.metrics import METRICS, chance_level
from .style import NEUTRAL, TRAIN, VALIDATION, axis, blank

CHANCE = {"color": NEUTRAL, "dash": "dot", "width": 1}
EQUAL_TO_ACCURACY = {"recall": "Recall", "top1": "Top-1"}  # recall: with the weights used here
PARTS = (("train", "Training", TRAIN), ("validation", "Validation", VALIDATION))
PERCENT = ("accuracy", "top1", "top5")  # metrics that are shown in percent
LARGE = ("loss", "accuracy")  # what one watches during training
HEIGHTS = {True: 188, False: 116}  # pixels, large or not: all charts fit on a laptop's screen


def metric_curve(
    history: tuple[dict, ...],
    key: str,
    epochs: int,
    num_classes: int,
    height: int | None = None,
    printed: tuple[float, float] | None = None,
) -> go.Figure:
    """Draw one point per epoch for training and for validation, and the chance level.

    Args:
        history: records as from `epoch_record`; may be empty.
        key: key of METRICS.
        epochs: number of epochs of the whole run, which the axis spans from the start.
        num_classes: K, which the chance level depends on.
        height: height in pixels; without it, that of HEIGHTS.
        printed: values that the paper prints for training and validation after the last epoch,
            drawn as open markers.
    """
    figure = blank(
        height or HEIGHTS[key in LARGE],
        x=axis(
            "Epoch", range=[0.5, epochs + 0.5], tickformat="d", dtick=1 if epochs <= 8 else None
        ),
        y=_value_axis(key),
        showlegend=False,
        hovermode="x",
        title={"text": title_of(key, num_classes), "x": 0, "y": 0.97},
    )
    shown = "%{y:.2%}" if key in PERCENT else "%{y:.4f}"
    for (_, name, style), values in zip(PARTS, curve_values(history, key, epochs), strict=True):
        figure.add_scatter(
            **values,
            name=name,
            line={"color": style["color"], "dash": style["dash"], "width": 2},
            marker={"symbol": style["symbol"], "size": 6},
            hovertemplate=f"{name} {shown}<extra></extra>",
        )
    if printed:
        _mark_printed(figure, printed, epochs, shown)
    low, high = _least_range(key, num_classes)
    figure.add_shape(type="line", xref="x domain", x0=0, x1=0, y0=low, y1=high, line={"width": 0})
    chance = chance_level(key, num_classes)
    if chance is not None:
        figure.add_hline(chance, line=CHANCE)
    return figure


def title_of(key: str, num_classes: int) -> str:
    """Return the name of a metric; where it holds nothing new, what it equals by definition."""
    if key in EQUAL_TO_ACCURACY:
        return f"{EQUAL_TO_ACCURACY[key]} (= accuracy)"
    if key == "top5" and num_classes <= 5:
        return "Top-5 (always 100%)"
    return METRICS[key][0]


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
    """Return an axis that fits the values."""
    if key == "loss":
        return axis("nats", autorangeoptions={"clipmin": 0})
    fitted = {"autorangeoptions": {"clipmin": 0, "clipmax": 1.02}}
    if key in PERCENT:
        return axis("accuracy", tickformat=".0%", **fitted)
    return axis("score", **fitted)


def _least_range(key: str, num_classes: int) -> tuple[float, float]:
    """Return what the axis of a metric shows at least: its chance level, and room above it."""
    if key == "loss":
        return 0, 1.05 * math.log(num_classes)
    if key == "auroc":
        return 0.5, 1.02
    return 0, min(2 * (5 if key == "top5" else 1) / num_classes, 1.02)


def curve_values(history: tuple[dict, ...], key: str, epochs: int) -> list[dict]:
    """Return what changes in a `metric_curve` as a run goes on: x, y and mode of each trace."""
    many = epochs > 12 and len(history) > 1
    mode = "lines" if many else "lines+markers"  # many markers would hide the dashes
    x = [record["epoch"] for record in history]
    return [
        {"x": x, "y": [record[part][key] for record in history], "mode": mode} for part, *_ in PARTS
    ]


def all_curves(history: tuple[dict, ...], epochs: int, num_classes: int, title: str) -> go.Figure:
    """Draw every metric in one figure, for a file.

    Args:
        history: records as from `epoch_record`.
        epochs: number of epochs of the whole run.
        num_classes: K, which the chance level depends on.
        title: name of the run.
    """
    columns = 2
    rows = -(-len(METRICS) // columns)
    names = [title_of(key, num_classes) for key in METRICS]
    figure = make_subplots(rows=rows, cols=columns, subplot_titles=names)
    for number, key in enumerate(METRICS):
        cell = {"row": number // columns + 1, "col": number % columns + 1}
        single = metric_curve(history, key, epochs, num_classes)
        for trace in single.data:
            figure.add_trace(trace.update(showlegend=number == 0, legendgroup=trace.name), **cell)
        x, y = single.layout.xaxis, single.layout.yaxis
        figure.update_xaxes(title="Epoch", range=x.range, dtick=x.dtick, tickformat="d", **cell)
        figure.update_yaxes(
            title=y.title.text,
            autorangeoptions=y.autorangeoptions,
            tickformat=y.tickformat,
            **cell,
        )
        for shape in single.layout.shapes:
            figure.add_shape(shape, **cell)
    return figure.update_layout(
        height=300 * rows, template="plotly_white", title=title, hovermode="x"
    )
