"""Presentation mode: a page enlarged for a projector, switched beside the title or in the URL."""

import streamlit as st

from . import url_state

SCALE = 1.4
_root_font = st.components.v2.component(
    "root_font",
    html="",
    # Streamlit measures everything in units of the root's font size.
    js="""
        export default function ({ data }) {
            const root = document.documentElement;
            root.style.fontSize = `${100 * data.scale}%`;
            return () => { root.style.fontSize = ""; };
        }
    """,
)


def title(text: str) -> None:
    """Show the title of the page and the switch for Presentation mode."""
    if url_state.PRESENTATION not in st.session_state:
        wanted = url_state.read(url_state.PRESENTATION, ("yes",), "no")
        st.session_state[url_state.PRESENTATION] = wanted == "yes"
    with st.container(gap=None):
        _root_font(
            key="root_font", data={"scale": scale()}
        )  # takes no room here, in a row it would
        with st.container(horizontal=True, vertical_alignment="center"):
            st.title(text)
            st.toggle(
                "Presentation mode",
                st.session_state[url_state.PRESENTATION],
                key="presentation-switch",
                help=f"Enlarges the page {SCALE:g} times, for a projector. The URL keeps this "
                "setting.",
                on_change=_switch,
            )


def _switch() -> None:
    # Under a key of its own, as each page has another switch.
    st.session_state[url_state.PRESENTATION] = st.session_state["presentation-switch"]


def scale() -> float:
    """Return the factor by which everything is enlarged."""
    return SCALE if st.session_state.get(url_state.PRESENTATION) else 1.0
