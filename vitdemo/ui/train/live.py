"""A training as it runs: progress, speed, time left, and every metric by epoch."""

import math
from functools import lru_cache

import streamlit as st

from ...background.status import Status
from ...background.training_queue import QUEUE
from ...figures.curves import curve_values, metric_curve
from ...lessons.paper import TABLE_2
from ...runs.run import Run
from ...training.metrics import METRICS
from ..chart import small_charts
from ..progress import progress

POLL_SECONDS = 3.0  # a browser that draws takes processor time from a training on the same machine


def show_run(snapshot: Status) -> None:
    """Status and charts; while the run is active this part of the page alone redraws itself."""
    active = snapshot.run.active
    st.fragment(_watch, run_every=POLL_SECONDS if active else None)(snapshot)
    training = snapshot.run.training
    mixed = training.mixup + training.cutmix
    worse = (
        " Mixed images count under their own label alone, so training looks worse than it is."
        if mixed
        else ""
    )
    st.caption(
        ":blue[●] solid: training. :orange[◆] dashed: validation. One point an epoch. Training is measured while the weights "
        f"still change, validation after the epoch on images that the model never learns from.{worse} Where the two part, the "
        "model begins to learn its training images by heart. Recall, averaged by the size of the classes, and top-1 are the "
        "same number as accuracy. With a mouse, drag in a chart to zoom and double-click to zoom out."
    )


def _watch(at_start: Status) -> None:
    snapshot = QUEUE.snapshot(at_start.run.id) or at_start
    with (
        st.container()
    ):  # a place of its own: what it says must not move the charts, which would draw them anew
        _status(snapshot)
    curves(snapshot.run.history, snapshot.run.training.epochs, live=snapshot.run.active)
    if not snapshot.run.active and at_start.run.active:
        st.rerun()  # the whole page: results appear and the polling ends


def curves(history: tuple[dict, ...], epochs: int, live: bool, printed: bool = False) -> None:
    """Every metric by epoch; if asked for with the annotation's printed values (Table 2) at the end."""
    charts = [
        {
            "figure": _frame(key, epochs, TABLE_2[key] if printed else None),
            "traces": curve_values(history, key, epochs),
            "alt": _alt(history, key),
        }
        for key in METRICS
    ]
    small_charts(charts, key="curves", live=live)


def _status(snapshot: Status) -> None:
    run = snapshot.run
    epochs = run.training.epochs
    if run.state == "waiting":
        ahead = (
            "It is next."
            if snapshot.place == 1
            else "It begins when those before it have had their turn."
        )
        st.info(f"Place {snapshot.place} in the queue. {ahead}", icon=":material/hourglass_top:")
    elif run.state == "running" and not snapshot.epoch:
        progress(0.0, "Preparing data and model …")
    elif run.state == "running":
        stopping = st.session_state.get("stopping") == run.id
        parts = ["Stopping after this batch"] if stopping else []
        parts.append(f"Epoch {snapshot.epoch} of {epochs}")
        if snapshot.batches:
            parts.append(f"{snapshot.phase} batch {snapshot.batch} of {snapshot.batches}")
        parts.append(f"{snapshot.images_per_second:,.0f} images a second")
        if snapshot.seconds_left is not None:
            parts.append(f"{duration(snapshot.seconds_left)} left")
        progress(snapshot.progress, " · ".join(parts))
    elif run.state == "failed":
        st.error(run.message, icon=":material/error:")
    elif not run.history:
        st.info(
            "Stopped before its first epoch was done: there is nothing to show.",
            icon=":material/stop_circle:",
        )
    else:
        done = len(run.history)
        seconds = sum(record["seconds"] for record in run.history)
        word = "Finished" if run.state == "finished" else "Stopped"
        progress(
            done / epochs,
            f"{word} after {done} of {epochs} epochs · {duration(seconds)} on {_threads(run)}",
        )
    if run.origin == "shipped":
        st.caption(
            "An example that ships with the app. Press Train, and your own run takes its place here."
        )
    guessing = math.log(run.model.num_classes)
    if run.history and run.history[-1]["train"]["loss"] > 2 * guessing:
        st.warning(
            f"The loss is far above that of guessing ({guessing:.2f}): the learning rate of {run.training.learning_rate:g} is "
            "too large. Lower it under More settings.",
            icon=":material/trending_up:",
        )


@lru_cache(maxsize=1024)
def _frame(key: str, epochs: int, printed: tuple[float, float] | None) -> str:
    """A chart without its values: built once, as that takes 8 ms, while many may watch and a training needs the processor."""
    return metric_curve((), key, epochs, printed=printed).to_json()


def _alt(history: tuple[dict, ...], key: str) -> str:
    name, meaning = METRICS[key]
    if not history:
        return f"{name} by epoch: no epoch is done yet. {meaning}"
    values = [history[-1][part][key] for part in ("train", "validation")]
    train, validation = ("none" if value is None else f"{value:.3f}" for value in values)
    return f"{name} by epoch, after epoch {len(history)}: training {train}, validation {validation}. {meaning}"


def _threads(run: Run) -> str:
    return "1 thread" if run.threads == 1 else f"{run.threads} threads"


def duration(seconds: float) -> str:
    """`45 s`, `3 min 5 s` or `2 h 10 min`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
