"""What the teacher can change: pause, limits, and which page the class sees."""

import streamlit as st

from ...background.limits import LIMITS
from ...background.training_queue import QUEUE
from ...config import ConfigError
from ..class_call import call_class
from ..wording import plain

_CALLED = "class_called"  # in the session: what the last call led to


def show_controls() -> None:
    """Draw the controls."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Page for everyone",
            key="class-url",
            placeholder="/attention?run=vit&layer=3",
            help="The URL of a page of this app, with its settings. Open that page in another tab "
            "and copy its URL.",
        )
        st.button("Send everyone there", on_click=_send, type="primary")
    problem, done = st.session_state.pop(_CALLED, ("", ""))
    if problem:
        st.error(plain(problem), icon=":material/error:")
    if done:
        st.success(done, icon=":material/check:")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "Minutes of one run",
            0.5,
            600.0,
            float(LIMITS.minutes),
            step=0.5,
            format="%g",
            key="limit-minutes",
            on_change=_set_limits,
            width=200,
            help="A run that would take longer, if it had this machine for itself, is refused "
            "before it starts.",
        )
        st.number_input(
            "Waiting runs of one person",
            1,
            100,
            LIMITS.waiting,
            key="limit-waiting",
            on_change=_set_limits,
            width=200,
        )
        if QUEUE.paused:
            st.button("Go on", icon=":material/play_arrow:", on_click=QUEUE.pause, args=(False,))
        else:
            st.button(
                "Pause all runs",
                icon=":material/pause:",
                on_click=QUEUE.pause,
                args=(True,),
                help="Each run rests at the end of its epoch, until you let all go on.",
            )
    if QUEUE.paused:
        st.warning("All runs are paused.", icon=":material/pause:")


def _set_limits() -> None:
    LIMITS.minutes = st.session_state["limit-minutes"]
    LIMITS.waiting = st.session_state["limit-waiting"]


def _send() -> None:
    try:
        call_class(st.session_state["class-url"])
        st.session_state[_CALLED] = "", "Open pages go there within 15 seconds."
    except ConfigError as error:
        st.session_state[_CALLED] = str(error), ""
