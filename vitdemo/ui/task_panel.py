"""A long task on a page: a button that starts it, one that stops it, its progress, and its results so far."""

from collections.abc import Callable, Iterator

import streamlit as st

from ..background import tasks
from .progress import progress

POLL_SECONDS = 1.0
PATIENCE = 2.0  # seconds that a page waits for a task that starts by itself


def task_panel(
    key: tuple,
    total: int,
    steps: Callable[[], Iterator],
    start: str,
    unit: str,
    show: Callable[[tuple], None],
    help: str,
    auto_start: bool = False,
) -> None:
    """Start a task, watch it, and show its results.

    Args:
        key: everything that the results depend on; the first part names the task on the page.
        total: the number of results.
        steps: as for `tasks.start`.
        start: label of the button.
        unit: what is counted.
        show: draws the results so far, at least one.
        help: what is done, and how long it takes.
        auto_start: start without waiting for the button, as it takes no longer than a person waits.
    """
    if auto_start:
        tasks.start(key, total, steps)
        tasks.wait(key, PATIENCE)
    task = tasks.status(key)
    running = task is not None and task.state == "running"
    if task is None or task.state != "done":
        with st.container(horizontal=True):
            st.button(
                start,
                on_click=tasks.start,
                args=(key, total, steps),
                disabled=running,
                icon=":material/hourglass_empty:",
                key=f"start-{key[0]}",
                help=help,
            )
            st.button(
                "Stop", on_click=tasks.stop, args=(key,), disabled=not running, key=f"stop-{key[0]}"
            )
    st.fragment(_watch, run_every=POLL_SECONDS if running else None)(key, unit, show, running)


def _watch(key: tuple, unit: str, show: Callable[[tuple], None], was_running: bool) -> None:
    task = tasks.status(key)
    if task is None:
        return
    if task.state == "failed":
        st.error(f"It failed ({task.message}). Try again.")
        return
    if task.state == "running":
        progress(len(task.results) / task.total, f"{len(task.results)} of {task.total} {unit}")
    if task.results:
        show(task.results)
    if was_running and task.state != "running":
        st.rerun()
