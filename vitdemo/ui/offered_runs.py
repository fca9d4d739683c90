"""The runs and models that pickers offer, and the status of one of them."""

from dataclasses import replace

import streamlit as st

from ..background.status import Status
from ..background.training_queue import QUEUE
from ..runs.index import run_index
from ..runs.index_table import Wanted
from ..runs.own_models import own_run
from ..runs.pretrained import pretrained_runs
from ..runs.run import Run, saved_run
from ..runs.shipped import shipped_runs
from ..runs.summary import RunSummary
from .visitor import visitor

OWN = "own_models"  # in the session: ids of the models that this visitor has opened
OPENED = "opened_runs"  # in the session: ids of others' runs whose links they have opened


def wanted(models: bool = False, text: str = "") -> Wanted:
    """Return which saved runs the visitor sees: theirs, published ones, and those of links.

    On a server that only one person uses, and for the teacher, that is all.
    """
    person = visitor()
    owner = None if person.is_alone or person.is_teacher else person.owner
    return Wanted(owner=owner, also=_opened(), models=models, text=text)


def _opened() -> tuple[str, ...]:
    """Return the ids of the shared runs whose links the visitor has opened."""
    return tuple(st.session_state.get(OPENED, ()))


def open_shared(run: Run) -> None:
    """List a run from now on that somebody else has shared, as its link was opened."""
    if run.origin == "local" and not visitor().may_change(run.about) and run.id not in _opened():
        st.session_state[OPENED] = (*_opened(), run.id)


def offered_runs(models: bool = False, chosen: Run | None = None) -> dict[str, Run | RunSummary]:
    """Return what a picker offers, by id.

    Runs of this process that are active or in memory alone come first, then saved runs, newest
    first, then shipped runs, then pretrained models, then the visitor's own models. Damaged runs
    are among them. Of many saved runs, these are the newest, those that are pinned, and the chosen
    one.

    Args:
        models: whether only models are wanted: runs with weights, and pretrained models, which may
            not be downloaded yet.
        chosen: a run that is offered in any case.
    """
    person = visitor()
    of_queue = {
        status.run.id: status.run
        for status in QUEUE.list()
        if (status.run.active or status.run.unsaved) and person.may_change(status.run.about)
    }
    saved = {run.id: run for run in run_index().offered(wanted(models))}
    if chosen and chosen.origin == "local":
        saved.setdefault(chosen.id, chosen)
    saved = {run_id: as_queued(run) for run_id, run in saved.items()}
    saved = {run_id: saved[run_id] for run_id in sorted(saved, reverse=True)}
    others = (*shipped_runs(), *pretrained_runs(), *_own_runs())
    runs = of_queue | saved | {run.id: run for run in others}

    def is_offered(run: Run | RunSummary) -> bool:
        if models:
            return run.has_weights or run.origin == "imagenet"
        return run.origin not in ("imagenet", "own")

    return {run_id: run for run_id, run in runs.items() if is_offered(run)}


def as_queued(run: Run | RunSummary) -> Run | RunSummary:
    """Return a saved run with the state that it has in the queue of this process, if it is there.

    On disk, one that waits looks as if it had been stopped, and what the disk refused is missing.
    """
    status = QUEUE.snapshot(run.id)
    if status and status.run.unsaved:
        return status.run
    return replace(run, state=status.run.state) if status and status.run.active else run


def _own_runs() -> list[Run]:
    """Return the models that this visitor has opened, and the one that the URL names."""
    ids = (*st.session_state.get(OWN, ()), st.query_params.get("run", ""))
    return [run for run in map(own_run, dict.fromkeys(ids)) if run]


def status_of(run_id: str) -> Status | None:
    """Return the status of a run or model, with all its metrics.

    None if it is not there, or belongs to somebody who does not share it.
    """
    saved = saved_run(run_id)
    status = QUEUE.status_of(saved) if saved else QUEUE.snapshot(run_id)
    if status:
        return status if visitor().may_read(status.run.about) else None
    others = (*shipped_runs(), *pretrained_runs(), own_run(run_id))
    run = next((run for run in others if run and run.id == run_id), None)
    return Status(run, progress=1.0) if run else None
