"""The metrics of a run: curves by epoch, and tables."""

from functools import lru_cache

import streamlit as st

from ..figures.curves import LARGE, PERCENT, curve_values, metric_curve
from ..lessons.paper import TABLE_2
from ..training.metrics import METRICS
from .chart import chart_grid


def curves(
    history: tuple[dict, ...],
    epochs: int,
    num_classes: int,
    live: bool,
    printed: bool = False,
    reveal: str = "",
) -> None:
    """Show every metric by epoch.

    Args:
        history: a record for each epoch so far.
        epochs: number of epochs of the whole run.
        num_classes: number of classes of the model.
        live: whether more epochs are to come.
        printed: whether to mark the values that the paper prints in Table 2.
        reveal: id of a run that has just started, to scroll to its charts once.
    """
    charts = [
        {
            "figure": _without_values(key, epochs, num_classes, TABLE_2[key] if printed else None),
            "traces": curve_values(history, key, epochs),
            "alt": _alt(history, key),
            "large": key in LARGE,
        }
        for key in METRICS
    ]
    chart_grid(charts, key="curves", live=live, reveal=reveal)


@lru_cache(maxsize=1024)
def _without_values(
    key: str, epochs: int, num_classes: int, printed: tuple[float, float] | None
) -> str:
    """Return a chart as JSON, cached: building it takes 8 ms of the processor that a run needs."""
    return metric_curve((), key, epochs, num_classes, printed=printed).to_json()


def _alt(history: tuple[dict, ...], key: str) -> str:
    name, meaning = METRICS[key]
    if not history:
        return f"{name} by epoch: no epoch is complete yet. {meaning}"
    train = metric_text(key, history[-1]["train"][key])
    validation = metric_text(key, history[-1]["validation"][key])
    return (
        f"{name} by epoch, after epoch {len(history)}: training {train}, validation {validation}. "
        f"{meaning}"
    )


def show_metrics(record: dict, paper: bool) -> None:
    """Show the metrics of an epoch.

    Args:
        record: of the epoch, as from `epoch_record`.
        paper: whether to show the paper's values beside them, in a table for each part.
    """
    parts = {"Training": record["train"], "Validation": record["validation"]}
    if not paper:
        st.markdown(_table("Metric", parts))
        return
    with st.container(horizontal=True):  # one below the other where there is no room
        for number, (part, values) in enumerate(parts.items()):
            printed = {key: pair[number] for key, pair in TABLE_2.items()}
            table = _table(part, {"This run": values, "Paper": printed})
            st.markdown(table, width="content")


def _table(corner: str, columns: dict[str, dict]) -> str:
    """Return metrics as a Markdown table; `st.dataframe` would load 60 MB for nothing else."""
    rows = [[corner, *columns], ["---", *["---:"] * len(columns)]]
    for key, (name, _) in METRICS.items():
        rows.append([name, *(metric_text(key, column[key]) for column in columns.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def metric_text(key: str, value: float | None) -> str:
    """Return a metric as the page shows it: accuracies in percent, a missing value as `none`."""
    if value is None:
        return "none"
    return f"{value:.2%}" if key in PERCENT else f"{value:.4f}"
