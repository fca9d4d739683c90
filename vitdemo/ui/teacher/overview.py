"""What the server does now, and who trains what."""

import os

import streamlit as st

from ...background.classroom import CLASSROOM
from ...background.status import Status
from ...background.training_queue import QUEUE
from ...machine import available_memory, memory_in_use
from ...runs.about import About
from ...runs.run import Run
from ..fragments import fragment
from ..train.live import duration
from ..wording import plain

EVERY = 3.0  # seconds
ROWS = 50  # active runs that are listed
GB = 2**30


def show_overview() -> None:
    """Show load, people and active runs; this part of the page redraws itself."""
    fragment(_overview, run_every=EVERY)()


def _overview() -> None:
    active = [status for status in QUEUE.list() if status.run.active]
    training = [status for status in active if not status.place]
    row = st.container(horizontal=True)
    row.metric(
        "People here", len(CLASSROOM.present()), help="Browsers with a page of this app open."
    )
    row.metric("Runs in training", len(training))
    row.metric("Runs waiting", len(active) - len(training))
    row.metric("Images/s", f"{sum(status.images_per_second for status in training):,.0f}")
    row.metric(
        "Cores in use",
        f"{QUEUE.threads_in_use()} of {QUEUE.cores}",
        help=f"By training. All that runs on this machine: {_load()}.",
    )
    used, there = memory_in_use() / GB, available_memory() / GB
    row.metric("Memory", f"{used:.1f} of {there:.0f} GB", help="Of this app, and of the machine.")
    st.header("Active runs")
    if active:
        _list(sorted(active, key=lambda status: status.place))
    else:
        st.write("No run is training or waiting.")


def _load() -> str:
    if not hasattr(os, "getloadavg"):  # on Windows
        return "unknown"
    return f"a load of {os.getloadavg()[0]:.1f} in the last minute"


def _list(active: list[Status]) -> None:
    """Draw the active runs as a table, with a way to stop one."""
    rows = ["| Who | Run | Epoch | State | Ends in |", "|---|---|---|---|---|"]
    for status in active[:ROWS]:
        about, training = status.run.about, status.run.training
        epoch = f"{max(status.epoch, len(status.run.history))} of {training.epochs}"
        ends = "" if status.ends is None else duration(max(1, status.ends))
        cells = (_who(about), _size(status.run), epoch, _state(status), ends)
        rows.append(f"| {' | '.join(map(plain, cells))} |")
    st.markdown("\n".join(rows))
    if len(active) > ROWS:
        st.caption(f"{len(active) - ROWS} more are waiting.")
    names = {status.run.id: _label(status.run) for status in active}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Run to stop",
            list(names),
            index=None,
            key="teacher-run",
            placeholder="Choose an active run",
            format_func=names.get,
        )
        st.button(
            "Stop this run",
            on_click=QUEUE.stop,
            args=(chosen,),
            disabled=chosen is None,
            help="It keeps its complete epochs. Its owner can resume it.",
        )


def _label(run: Run) -> str:
    """Return what tells a run from others and stays: the browser sends it as the choice."""
    hour, minute, second = run.id[9:11], run.id[11:13], run.id[13:15]
    return f"{_who(run.about)} · {_size(run)} · {hour}:{minute}:{second}"


def _size(run: Run) -> str:
    return f"depth {run.model.depth}, {run.training.train_images:,} images"


def _who(about: About) -> str:
    """Return the nickname, or the start of the owner's hash, which tells people apart."""
    return about.nickname or (f"Anonymous {about.owner[:4]}" if about.owner else "This machine")


def _state(status: Status) -> str:
    if status.stopping:
        return "stopping"
    if status.paused:
        return "paused"
    return f"position {status.place}" if status.place else "training"
