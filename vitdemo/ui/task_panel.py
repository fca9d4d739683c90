"""A long task on a page: buttons that start and stop it, its progress, and its results so far."""

from collections.abc import Callable, Iterator

import streamlit as st

from ..background import tasks
from .fragments import fragment
from .progress import progress
from .wording import plain

POLL_SECONDS = 1.0
POLL_STARTED_SECONDS = 0.25  # the same for a task that the page starts itself
STARTED = "started-"  # in the session, before the name of such a task: its key


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
        show: function that draws the results so far: at least one, or none with `auto_start`.
        help: what the task does and how long it takes.
        auto_start: whether to start at once, without buttons, for a short task; results are drawn
            as they come.
    """
    task = tasks.status(key)
    state = task.state if task else "new"
    if state == "done":
        st.container()  # in place of the progress bar, so that the charts keep their nodes
        show(task.results)  # not within the fragment, where a click would run the fragment alone
        return
    if auto_start and state != "failed":
        fragment(_start_and_watch, run_every=POLL_STARTED_SECONDS)(key, total, steps, unit, show)
        return
    _buttons(key, total, steps, start, help, state == "running")
    every = POLL_SECONDS if state == "running" else None
    fragment(_watch, run_every=every)(key, unit, show, state == "running")


def stop_started() -> None:
    """Stop the tasks that the page has started itself, when another picture is chosen.

    Otherwise they would run beside the page until it comes to the new ones.
    """
    for name, key in st.session_state.items():
        if str(name).startswith(STARTED):
            tasks.stop(key)


def _start_and_watch(
    key: tuple, total: int, steps: Callable, unit: str, show: Callable[[tuple], None]
) -> None:
    """Start the task at the first poll, when the browser has drawn the page: both take all cores.

    The task of this name that was started before is stopped: the page shows another one now.
    """
    name = f"{STARTED}{key[0]}"
    before, task = st.session_state.get(name), tasks.status(key)
    if task is not None and task.state == "failed":
        st.rerun()  # the whole page, which says why and has a button to try again
    if before == key:
        tasks.start(key, total, steps)
    else:
        tasks.stop(before)
        st.session_state[name] = key
    if tasks.status(key) is None:
        with st.container():
            progress(0, f"0 of {total} {unit}")
        show(())
    else:
        _watch(key, unit, show, was_running=True, from_none=True)


def _buttons(key: tuple, total: int, steps: Callable, start: str, help: str, running: bool) -> None:
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


def _watch(
    key: tuple,
    unit: str,
    show: Callable[[tuple], None],
    was_running: bool,
    from_none: bool = False,
) -> None:
    task = tasks.status(key)
    if task is None:
        return
    if task.state == "failed":
        st.error(f"It failed ({plain(task.message)}). Try again.")
        return
    with st.container():
        if task.state == "running":
            progress(len(task.results) / task.total, f"{len(task.results)} of {task.total} {unit}")
    if task.results or from_none:
        show(task.results)
    if was_running and task.state != "running":
        st.rerun()
