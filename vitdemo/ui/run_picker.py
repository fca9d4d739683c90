"""Pickers for runs and models: current and saved runs, shipped examples, pretrained models."""

import time

import streamlit as st

from ..background.status import Status
from ..background.training_queue import QUEUE
from ..runs.own_models import name_of, own_run
from ..runs.pretrained import pretrained_runs
from ..runs.run import DAMAGED, TIME, Run, list_runs
from ..runs.shipped import shipped_runs
from . import url_state
from .wording import plain

OWN = "own_models"  # in the session: ids of the models that this visitor has opened


def all_statuses() -> dict[str, Status]:
    """Return the status of every run by id.

    Runs of this process come first, then saved runs, newest first, then shipped runs, then
    pretrained models, then the visitor's own models. Damaged runs are among them.
    """
    statuses = {status.run.id: status for status in QUEUE.list()}
    statuses |= {run.id: QUEUE.status_of(run) for run in list_runs()}
    for run in (*shipped_runs(), *pretrained_runs(), *_own_runs()):
        statuses.setdefault(run.id, Status(run, progress=1.0))
    return statuses


def _own_runs() -> list[Run]:
    """Return the models that this visitor has opened, and the one that the URL names."""
    ids = (*st.session_state.get(OWN, ()), st.query_params.get("run", ""))
    return [run for run in map(own_run, dict.fromkeys(ids)) if run]


def pick_run(label: str) -> Status | None:
    """Draw a picker for training runs, with or without weights, and return the status of one."""
    known = all_statuses()
    offered = {
        run_id: status
        for run_id, status in known.items()
        if status.run.origin not in ("imagenet", "own")
    }
    help = (
        "A run is one model trained from scratch. Runs on this machine are listed first, the "
        "newest on top, then the examples that ship with the app."
    )
    return _pick(label, known, offered, help)


def pick_model(label: str) -> Status | None:
    """Draw a picker for models and return the status of one: runs with weights, pretrained models.

    A pretrained model may not be downloaded yet.
    """
    known = all_statuses()
    offered = {
        run_id: status
        for run_id, status in known.items()
        if status.run.has_weights or status.run.origin == "imagenet"
    }
    help = (
        "Models from runs on this machine, newest first, then the examples that ship with the app, "
        "then large models pretrained on ImageNet, then your own."
    )
    shown = _pick(label, known, offered, help)
    chosen = known.get(st.session_state["run"]) if shown else None
    if chosen and chosen is not shown:
        st.info(f"{_without_weights(chosen.run)} Another model is shown.")
    return shown


def _without_weights(run: Run) -> str:
    """Return why a run cannot be shown as a model, as Markdown."""
    if run.state == DAMAGED:
        return plain(run.message)
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
    label: str, known: dict[str, Status], offered: dict[str, Status], help: str
) -> Status | None:
    """Draw a picker over the offered runs; the choice is kept in the session and read from the URL.

    A chosen run that is not offered here stays chosen for the other pages.
    """
    chosen = st.session_state.get("run") or st.query_params.get("run")
    if chosen and chosen not in known:
        url_state.note(f"There is no run {chosen[:40]} on this machine. Choose one from the list.")
    if not offered:
        return None
    shown = chosen if chosen in offered else _default(offered)
    st.session_state["run"] = chosen if chosen in known else shown
    names = {run_id: run_name(status.run) for run_id, status in offered.items()}
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
    return offered[shown]


def _default(statuses: dict[str, Status]) -> str:
    """Return the id of the last shipped example, or of the newest run if none ships."""
    usable = [run_id for run_id, status in statuses.items() if status.run.state != DAMAGED]
    shipped = [run_id for run_id in usable if statuses[run_id].run.origin == "shipped"]
    return [*usable[:1], *shipped][-1] if usable else next(iter(statuses))


def run_name(run: Run) -> str:
    """Return one line that tells a run from the others."""
    if run.state == DAMAGED:
        return f"{run.id} · damaged"
    parts = [_origin(run)]
    if run.active:
        parts.append("in progress")  # the page around the picker does not follow it in more detail
    elif run.state != "finished":
        parts.append(run.state)
    if run.history:
        parts.append(f"accuracy {run.history[-1]['validation']['accuracy']:.1%}")
    parts += [f"depth {run.model.depth}", f"{run.model.num_heads} heads"]
    patch = f"patch {run.model.patch_size}"
    parts.append(patch if run.model.stem == "patch" else f"{patch} (conv)")
    if run.origin not in ("imagenet", "own"):
        parts += [f"{run.training.train_images:,} images", f"{run.training.epochs} epochs"]
    return " · ".join(parts)


def _origin(run: Run) -> str:
    if run.origin == "shipped":
        return f"Shipped example ({run.id})"
    if run.origin == "imagenet":
        name = f"ImageNet ({run.id})"
        return name if run.has_weights else f"{name}, not downloaded yet"
    if run.origin == "own":
        return f"Your model ({name_of(run)})"
    return time.strftime("%b %d %H:%M:%S", time.strptime(run.id[:15], TIME))
