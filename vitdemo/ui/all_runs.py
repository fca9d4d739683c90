"""All saved runs in a dialog: search them, and show, pin, name or delete one."""

import math
from dataclasses import replace

import streamlit as st

from ..files import reason
from ..runs.about import LONGEST, MOST_TAGS, short, write_about
from ..runs.index import run_index
from ..runs.run import DAMAGED, saved_run
from ..runs.summary import RunSummary
from . import deletion
from .offered_runs import as_queued, wanted
from .run_name import run_name
from .visitor import visitor
from .wording import plain

ROWS = 20  # of a page
FEW = 8  # rows that are shown without scrolling
HEIGHT = 330  # pixels of more rows, so that the buttons below are in sight
_OPEN = "all_runs_open"  # in the session: whether the list in the open dialog is that of models
_CHANGES = "all_runs_changes"  # in the session: after a change, nothing is selected in the table
_PROBLEM = "all_runs_problem"  # in the session: why the last change was refused


def all_runs_button(models: bool = False) -> None:
    """Draw a button that opens the dialog, if there are any runs.

    Args:
        models: whether only runs with weights are listed.
    """
    if not run_index().page(wanted(models), rows=1)[1]:
        return
    st.button(
        "All runs",
        icon=":material/list:",
        on_click=st.session_state.update,
        kwargs={_OPEN: models},
        help="Search all saved runs. Choose, pin, rename or delete one.",
    )
    if st.session_state.get(_OPEN) is models:  # also when the page reruns, as at the end of a run
        _dialog(models)


def _close() -> None:
    st.session_state.pop(_OPEN, None)


@st.dialog("All runs", width="large", icon=":material/list:", on_dismiss=_close)
def _dialog(models: bool) -> None:
    text = st.text_input(
        "Search",
        placeholder="Words in the id, the name or a tag",
        key="all_runs_text",
        help="Ids start with the date: 202611 finds all runs of November 2026.",
    )
    table, pages = st.container(), st.container(horizontal=True, vertical_alignment="center")
    found = wanted(models, text)
    _, count = run_index().page(found, rows=1)
    with pages:
        number = st.pagination(max(1, math.ceil(count / ROWS)), key=f"all_runs_page-{text}")
        st.caption(_how_many(count))
    runs, _ = run_index().page(found, number, ROWS)
    with table:
        run = _choose(runs, key=f"{text}-{number}") if runs else None
    if run:
        _show_actions(run)
    elif runs:
        st.caption("Select a run to show, pin, rename or delete it.")
    if problem := st.session_state.pop(_PROBLEM, ""):
        st.error(plain(problem), icon=":material/error:")
    deletion.show_problem()


def _how_many(count: int) -> str:
    """Return how many runs were found, and whether there may be more."""
    found = "1 run" if count == 1 else f"{count:,} runs"
    left = run_index().not_read()
    more = f" {left:,} more are still being read." if left else ""
    return f"{found}, ★ pinned.{more}"


def _choose(runs: list[RunSummary], key: str) -> RunSummary | None:
    """Draw a page of the list and return the selected run.

    It is no table: `st.dataframe` loads pandas, which takes 80 MB of the server's memory.
    """
    by_id = {run.id: as_queued(run) for run in runs}
    key = f"all_runs-{key}-{st.session_state.get(_CHANGES, 0)}"
    with st.container(height=HEIGHT if len(runs) > FEW else "content", border=True):
        selected = st.radio(
            "Runs, newest first",
            list(by_id),
            index=None,
            key=key,
            format_func=lambda run_id: plain(_line(by_id[run_id])),
            width="stretch",
        )
    return by_id.get(selected)


def _line(run: RunSummary) -> str:
    pin = "★ " if run.about.pinned else ""
    return " · ".join((f"{pin}{run_name(run)}", *(f"#{tag}" for tag in run.about.tags)))


def _show_actions(run: RunSummary) -> None:
    """Draw the name of the selected run, and what can be done with it."""
    st.markdown(f"**{plain(run_name(run))}**")
    with st.container(horizontal=True):
        if st.button("Show", type="primary", help="Close this dialog and show the run."):
            _close()
            st.session_state["run"] = run.id
            st.rerun()
        if not visitor().may_change(run.about):
            return
        if run.state != DAMAGED:
            _share(run)
            st.button(
                "Unpin" if run.about.pinned else "Pin",
                icon=":material/keep_off:" if run.about.pinned else ":material/keep:",
                on_click=_say,
                args=(run.id, {"pinned": not run.about.pinned}),
                help="Pinned runs are always offered in the pickers. They are never deleted to "
                "make room.",
            )
            _rename(run)
        with st.popover("Delete", icon=":material/delete:"):
            st.markdown(
                "Delete the folder of this run with its metrics, weights and snapshots? This "
                "cannot be undone."
            )
            st.button("Delete this run", on_click=_delete, args=(run.id,))


def _share(run: RunSummary) -> None:
    """Draw the buttons that let others read a run, where there are others."""
    person = visitor()
    if person.is_alone:
        return
    shared, published = run.about.shared, run.about.published
    st.button(
        "Stop sharing" if shared else "Share",
        icon=":material/link_off:" if shared else ":material/link:",
        on_click=_say,
        args=(run.id, {"shared": not shared}),
        help="Everyone who opens a link to a shared run can read it. Show the run and copy the URL "
        "of the page.",
    )
    if person.is_teacher:
        st.button(
            "Unpublish" if published else "Publish",
            icon=":material/campaign:",
            on_click=_say,
            args=(run.id, {"published": not published}),
            help="A published run is listed for everyone.",
        )


def _rename(run: RunSummary) -> None:
    """Draw the fields for the name and the tags of a run."""
    name, tags = f"all_runs_name-{run.id}", f"all_runs_tags-{run.id}"
    with st.popover("Rename", icon=":material/edit:"), st.form(f"rename-{run.id}", border=False):
        st.text_input("Name", run.about.name, key=name, max_chars=LONGEST)
        st.text_input(
            "Tags",
            ", ".join(run.about.tags),
            key=tags,
            help=f"At most {MOST_TAGS}, separated by commas.",
        )

        def save() -> None:
            typed = st.session_state
            _say(run.id, {"name": short(typed[name]), "tags": _tags(typed[tags])})

        st.form_submit_button("Save", on_click=save)


def _tags(text: str) -> tuple[str, ...]:
    """Return the tags in what a person typed: each once, and not too many."""
    tags = [tag for tag in map(short, text.split(",")) if tag]
    return tuple(dict.fromkeys(tags))[:MOST_TAGS]


def _say(run_id: str, changes: dict) -> None:
    """Change what is said of a run, as it is on disk now."""
    run = saved_run(run_id)
    if run is None or run.state == DAMAGED:
        st.session_state[_PROBLEM] = f"Run {run_id} is no longer there, or is damaged."
        return
    if not visitor().may_change(run.about):
        st.session_state[_PROBLEM] = f"Run {run_id} belongs to somebody else."
        return
    try:
        write_about(run.folder, replace(run.about, **changes))
    except OSError as error:
        st.session_state[_PROBLEM] = f"Run {run_id} cannot be changed: {reason(error)}."
    _unselect()


def _delete(run_id: str) -> None:
    deletion.delete(run_id)  # no toast: the browser would draw it in place of the dialog, and fail
    _unselect()


def _unselect() -> None:
    st.session_state[_CHANGES] = st.session_state.get(_CHANGES, 0) + 1
