"""Pickers for runs and models: current and saved runs, shipped examples, pretrained models."""

import streamlit as st

from ..background.status import Status
from ..runs.run import DAMAGED, Run
from ..runs.summary import RunSummary
from . import url_state
from .all_runs import all_runs_button
from .offered_runs import offered_runs, open_shared, status_of
from .run_name import run_name
from .visitor import visitor
from .wording import plain


def pick_run(label: str) -> Status | None:
    """Draw a picker for training runs, with or without weights, and return the status of one."""
    chosen = _chosen()
    offered = offered_runs(chosen=chosen and chosen.run)
    help = (
        "A run is one model trained from scratch. The newest runs on this machine and those that "
        "are pinned are listed first, then the examples that ship with the app."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shown = _pick(label, chosen, offered, help)
        all_runs_button()
    return shown


def pick_model(label: str) -> Status | None:
    """Draw a picker for models and return the status of one: runs with weights, pretrained models.

    A pretrained model may not be downloaded yet.
    """
    chosen = _chosen()
    offered = offered_runs(models=True, chosen=chosen and chosen.run)
    help = (
        "Models from runs on this machine, the newest and those that are pinned, then the examples "
        "that ship with the app, then large models pretrained on ImageNet, then your own."
    )
    shown = _pick(label, chosen, offered, help)
    if shown and chosen and chosen.run.id != shown.run.id:
        st.info(f"{_without_weights(chosen.run)} Another model is shown.")
    return shown


def _chosen() -> Status | None:
    """Return the status of the run in the session or the URL, if it is there."""
    run_id = st.session_state.get("run") or st.query_params.get("run")
    status = status_of(run_id) if run_id else None
    if run_id and not status:
        where = "on this machine" if visitor().is_alone else "here, or it is not shared with you"
        url_state.note(f"There is no run {run_id[:40]} {where}. Choose one from the list.")
    if status:
        open_shared(status.run)
    return status


def _without_weights(run: Run) -> str:
    """Return why a run cannot be shown as a model, as Markdown."""
    if run.state == DAMAGED:
        return plain(run.message)
    if run.unsaved:
        return f"The chosen run is not saved ({plain(run.unsaved)}), so its model cannot be opened."
    if run.active:
        return "The chosen run has no weights until its first epoch ends."
    if not run.history:
        return (
            f"The chosen run {run.state} before the end of its first epoch, so it has no weights."
            if run.state == "failed"
            else "The chosen run was stopped before the end of its first epoch, so it has no "
            "weights."
        )
    return "The weights of the chosen run are no longer on this machine."


def _pick(
    label: str, chosen: Status | None, offered: dict[str, Run | RunSummary], help: str
) -> Status | None:
    """Draw a picker over the offered runs; the choice is kept in the session and read from the URL.

    A chosen run that is not offered here stays chosen for the other pages.
    """
    if not offered:
        return None
    shown = chosen.run.id if chosen and chosen.run.id in offered else _default(offered)
    st.session_state["run"] = chosen.run.id if chosen else shown
    names = {run_id: run_name(run) for run_id, run in offered.items()}
    # Each choice and name gets a selectbox of its own, so that the late value of an older one does
    # not undo a newer choice.
    key, before = f"run-{shown}-{names[shown]}", st.session_state["run"]

    def choose():
        if st.session_state["run"] == before and st.session_state[key] in offered:
            st.session_state["run"] = st.session_state[key]

    st.selectbox(
        label,
        list(offered),
        index=list(offered).index(shown),
        key=key,
        on_change=choose,
        format_func=names.get,
        help=help,
    )
    return chosen if chosen and shown == chosen.run.id else status_of(shown)


def _default(offered: dict[str, Run | RunSummary]) -> str:
    """Return the id of the last shipped example, or of the newest run if none ships."""
    usable = [run_id for run_id, run in offered.items() if run.state != DAMAGED]
    shipped = [run_id for run_id in usable if offered[run_id].origin == "shipped"]
    return [*usable[:1], *shipped][-1] if usable else next(iter(offered))
