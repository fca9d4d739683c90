"""A long task on a page: buttons that start and stop it, its progress, and its results so far."""

from collections.abc import Callable, Iterator

import streamlit as st

from ..background import tasks
from .progress import progress

POLL_SECONDS = 1.0
PATIENCE = 2.0  # seconds that a page waits for a task that it starts itself


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
    """Draw the panel of a task.

    Args:
        key: everything that the results depend on; the first part names the task on the page.
        total: number of results.
        steps: function that yields the results, as for `tasks.start`.
        start: label of the start button.
        unit: plural noun for the results, such as "epochs".
        show: function that draws the results so far, at least one.
        help: what the task does and how long it takes.
        auto_start: whether to start at once and wait a moment, for a short task.
    """
    if auto_start:
        tasks.start(key, total, steps)
        tasks.wait(key, PATIENCE)
    task = tasks.status(key)
    if task is not None and task.state == "done":
        show(task.results)  # not within the fragment, where a click would run the fragment alone
        return
    running = task is not None and task.state == "running"
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
