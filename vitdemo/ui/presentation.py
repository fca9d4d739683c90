"""Presentation mode: a page enlarged for a projector, switched beside the title or in the URL."""

import streamlit as st

from . import url_state
from .class_call import follow_class
from .loading import torch_is_loaded
from .visitor import keep_visitor

SCALE = 1.4
_look = st.components.v2.component(
    "look",
    html="",
    # Streamlit's colors of code have a contrast of 2.9 with the background; these have 4.5.
    css="""
        .stCode.stCode .token:is(.comment, .punctuation) { color: light-dark(#555d68, #a3adba); }
        .stCode.stCode .token:is(.string, .number) { color: light-dark(#0b6135, #7bd490); }
        .stCode.stCode .token:is(.operator, .decorator) { color: light-dark(#8a3f00, #f0b27a); }
        .stCode.stCode .token:is(.keyword, .function, .class-name, .boolean) {
            color: light-dark(#0a559e, #7bbcf5);
        }
        /* Streamlit's labels of primary buttons are white on the dark theme's light blue, too. */
        button[kind^=primary]:enabled p { color: light-dark(white, #0b1016); }
    """,
    isolate_styles=False,
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
        with st.container():  # takes no room here, in a row it would
            _draw_look()
        keep_visitor()
        follow_class()
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


def _draw_look() -> None:
    """Have the browser enlarge the page and correct colors.

    Its script would delay the first paint by 100 ms, so a new server draws it only where it changes
    something there: in the light theme, it changes code, which needs PyTorch on all pages.
    """
    is_plain = st.context.theme.type == "light" and scale() == 1
    if torch_is_loaded() or not is_plain:
        _look(key="look", data={"scale": scale()})


def _switch() -> None:
    # Under a key of its own, as each page has another switch.
    st.session_state[url_state.PRESENTATION] = st.session_state["presentation-switch"]


def scale() -> float:
    """Return the factor by which everything is enlarged."""
    return SCALE if st.session_state.get(url_state.PRESENTATION) else 1.0
