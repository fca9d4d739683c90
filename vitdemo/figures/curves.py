"""A metric by epoch, training and validation in one chart."""

import plotly.graph_objects as go

from ..training.metrics import METRICS
from .style import TRAIN, VALIDATION, axis, blank

PARTS = (("train", "Training", TRAIN), ("validation", "Validation", VALIDATION))


def metric_curve(
    history: tuple[dict, ...],
    key: str,
    epochs: int,
    height: int = 190,
    printed: tuple[float, float] | None = None,
) -> go.Figure:
    """One point an epoch for each part.

    Args:
        history: records as from `epoch_record`; may be empty.
        key: of METRICS.
        epochs: how many the whole run has; the axis spans them from the start, so that it does not jump.
        height: pixels.
        printed: of another run, training and validation after the last epoch, shown as open marks.
    """
    share = (
        {"title": "nats", "rangemode": "tozero"}
        if key == "loss"
        else {"title": "share", "range": [0, 1.02]}
    )
    figure = blank(
        height,
        x=axis(
            "Epoch", range=[0.5, epochs + 0.5], tickformat="d", dtick=1 if epochs <= 8 else None
        ),
        y=axis(**share),
        showlegend=False,
        title={"text": METRICS[key][0], "x": 0, "xref": "paper", "y": 0.97},
    )
    for (_, name, style), values in zip(PARTS, curve_values(history, key, epochs), strict=True):
        figure.add_scatter(
            **values,
            name=name,
            line={"color": style["color"], "dash": style["dash"], "width": 2},
            marker={"symbol": style["symbol"], "size": 6},
            hovertemplate=f"{name}, epoch %{{x}}: %{{y:.4f}}<extra></extra>",
        )
    for (_, name, style), value in zip(PARTS, printed or (), strict=False):
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
            hovertemplate=f"{name}, printed: %{{y:.4f}}<extra></extra>",
        )
    return figure


def curve_values(history: tuple[dict, ...], key: str, epochs: int) -> list[dict]:
    """What changes in a `metric_curve` as a training goes on: for each trace its x and y, and how they are drawn."""
    mode = (
        "lines+markers" if epochs <= 12 or len(history) < 2 else "lines"
    )  # many markers would hide the dashes
    x = [record["epoch"] for record in history]
    return [
        {"x": x, "y": [record[part][key] for record in history], "mode": mode} for part, *_ in PARTS
    ]


def all_curves(history: tuple[dict, ...], epochs: int, title: str) -> go.Figure:
    """Every metric in one figure, to keep as a file; the title says of which run."""
    from plotly.subplots import make_subplots

    columns = 2
    rows = -(-len(METRICS) // columns)
    figure = make_subplots(
        rows=rows, cols=columns, subplot_titles=[name for name, _ in METRICS.values()]
    )
    for place, key in enumerate(METRICS):
        at = {"row": place // columns + 1, "col": place % columns + 1}
        single = metric_curve(history, key, epochs)
        for trace in single.data:
            figure.add_trace(trace.update(showlegend=place == 0, legendgroup=trace.name), **at)
        x, y = single.layout.xaxis, single.layout.yaxis
        figure.update_xaxes(title="Epoch", range=x.range, dtick=x.dtick, tickformat="d", **at)
        figure.update_yaxes(title=y.title.text, range=y.range, rangemode=y.rangemode, **at)
    return figure.update_layout(height=300 * rows, template="plotly_white", title=title)
