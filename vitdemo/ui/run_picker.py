"""Which run is looked at: those of this process, those on disk, the checkpoints that ship, and pretrained models."""

import time

import streamlit as st

from ..background.status import Status
from ..background.training_queue import QUEUE
from ..runs.run import Run, list_runs, pretrained_runs, shipped_runs
from . import url_state


def all_statuses() -> dict[str, Status]:
    """Run id -> where it stands: this process's, then saved ones, newest first, then shipped, then pretrained ones."""
    snapshots = {snapshot.run.id: snapshot for snapshot in QUEUE.list()}
    for run in (*list_runs(), *shipped_runs(), *pretrained_runs()):
        snapshots.setdefault(run.id, Status(run, progress=1.0))
    return snapshots


def pick_run(label: str, to_ask: bool = False) -> Status | None:
    """A picker over all runs; the choice stands in the session, and in the address as `run`.

    Args:
        label: of the picker.
        to_ask: offer models that can be asked: runs with weights, and pretrained ones, fetched or not. Without it, runs
            with metrics to show. A chosen run that is not offered here stays chosen for other pages.
    """
    known = all_statuses()
    offered = {
        run_id: s
        for run_id, s in known.items()
        if (
            s.run.origin == "imagenet" or s.run.has_weights
            if to_ask
            else s.run.origin != "imagenet"
        )
    }
    asked = st.session_state.get("run") or st.query_params.get("run")
    if asked and asked not in known:
        url_state.note(f"There is no run {asked[:40]} here to show: choose one from the list.")
    if not offered:
        return None
    shown = asked if asked in offered else default_run(offered)
    st.session_state["run"] = asked if asked in known else shown
    if to_ask and st.session_state["run"] != shown:
        st.info(
            "Your run has no weights before the end of its first epoch. Until then another model is shown."
        )
    names = {run_id: run_name(snapshot.run) for run_id, snapshot in offered.items()}
    # A picker for each choice and name. What an older one still sends, late, must not take back a newer choice.
    key, standing = f"run-{shown}-{names[shown]}", st.session_state["run"]

    def choose():
        if st.session_state["run"] == standing and st.session_state[key] in offered:
            st.session_state["run"] = st.session_state[key]

    st.selectbox(
        label,
        list(offered),
        index=list(offered).index(shown),
        key=key,
        on_change=choose,
        format_func=names.get,
        help="Trainings of this session and saved ones, the newest first, and the examples that ship with the app."
        + " At the end: large models that others have trained on ImageNet." * to_ask,
    )
    return offered[shown]


def default_run(snapshots: dict[str, Status]) -> str:
    """The shipped checkpoint, or the newest where none ships."""
    shipped = [run.id for run in shipped_runs() if run.id in snapshots]
    return shipped[-1] if shipped else next(iter(snapshots))


def run_name(run: Run) -> str:
    """One line that tells runs apart."""
    parts = [
        f"depth {run.model.depth}",
        f"{run.model.num_heads} heads",
        f"patch {run.model.patch_size}" + " (conv)" * (run.model.stem == "conv"),
    ]
    if run.origin == "imagenet":
        return " · ".join(
            [f"ImageNet ({run.id})" + ", not fetched yet" * (not run.has_weights), *parts]
        )
    parts += [
        f"{run.training.train_images:,} images",
        f"{run.training.epochs} epochs",
    ]
    # While it is active the page around the picker stands still, so a finer word would soon be wrong.
    state = "" if run.state == "finished" else " under way" if run.active else f" {run.state}"
    reached = f" {run.history[-1]['validation']['accuracy']:.1%}" if run.history else ""
    return f"{_when(run)}{state}{reached} · {' · '.join(parts)}"


def _when(run: Run) -> str:
    if run.origin == "shipped":
        return f"Example ({run.id})"
    return time.strftime("%d %b %H:%M:%S", time.strptime(run.id[:15], "%Y%m%d-%H%M%S"))
