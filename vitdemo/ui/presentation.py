"""Any page shown large, for a projector, where the address or a switch beside the title asks for it."""

import streamlit as st

from . import url_state

SCALE = 1.4
_letters = st.components.v2.component(
    "letters",
    html="",
    # Streamlit measures all in units of the root's letters.
    js="""
        export default function ({ data }) {
            const root = document.documentElement;
            root.style.fontSize = `${100 * data.scale}%`;
            return () => { root.style.fontSize = ""; };
        }
    """,
)


def title(text: str) -> None:
    """The page's title, and the switch."""
    if url_state.LARGE not in st.session_state:
        st.session_state[url_state.LARGE] = url_state.read(url_state.LARGE, ("yes",), "no") == "yes"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title(text)
        _letters(key="letters", data={"scale": scale()}, width="content")
        help = f"Everything {SCALE:g} times as large, for a projector. It is in the address, too."
        st.toggle(
            "Large",
            st.session_state[url_state.LARGE],
            key="large-switch",
            help=help,
            on_change=_switched,
        )


def _switched() -> None:
    st.session_state[url_state.LARGE] = st.session_state[
        "large-switch"
    ]  # the switch itself is another on each page


def scale() -> float:
    """How many times its size everything is shown."""
    return SCALE if st.session_state.get(url_state.LARGE) else 1.0
