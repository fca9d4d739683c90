"""A long question on a page: a button that begins it, one that stops it, and what is known so far."""

from collections.abc import Callable, Iterator

import streamlit as st

from ..background import tasks
from .progress import progress

POLL_SECONDS = 1.0


def question(
    key: tuple,
    total: int,
    steps: Callable[[], Iterator],
    begin: str,
    unit: str,
    show: Callable[[tuple], None],
    help: str,
) -> None:
    """Ask it, watch it, and show its answers.

    Args:
        key: the question: everything that the answers depend on.
        total: how many answers there are.
        steps: as for `tasks.begin`.
        begin: the button's label.
        unit: what is counted.
        show: draws the answers so far, at least one.
        help: what is done, and for how long.
    """
    standing, name = tasks.task(key), f"{key[0]}"
    running = standing is not None and standing.state == "running"
    done = standing is not None and standing.state == "done"
    if not done:
        with st.container(horizontal=True):
            st.button(
                begin,
                on_click=tasks.begin,
                args=(key, total, steps),
                disabled=running,
                icon=":material/hourglass_empty:",
                key=f"begin-{name}",
                help=help,
            )
            st.button("Stop", on_click=tasks.stop, args=(key,), disabled=not running, key=f"stop-{name}")
    st.fragment(_watch, run_every=POLL_SECONDS if running else None)(key, unit, show, running)


def _watch(key: tuple, unit: str, show: Callable[[tuple], None], was_running: bool) -> None:
    standing = tasks.task(key)
    if standing is None:
        return
    if standing.state == "failed":
        st.error("It broke off: the server's log says why. Begin it again.")
        return
    if standing.state == "running":
        progress(len(standing.answers) / standing.total, f"{len(standing.answers)} of {standing.total} {unit}")
    if standing.answers:
        show(standing.answers)
    if was_running and standing.state != "running":
        st.rerun()


def answers(key: tuple) -> tuple | None:
    """All answers of a question, or None while some are missing."""
    standing = tasks.task(key)
    return standing.answers if standing is not None and standing.state == "done" else None
