"""PyTorch takes seconds to load, once after each start of the server."""

import sys

import streamlit as st


def load_torch() -> None:
    """Go on if PyTorch is there. If not, end this run of the page, so that the browser draws what it has, and load it then."""
    if "torch" not in sys.modules:
        _load(drawn=[])
        st.stop()


@st.fragment(run_every=0.2)
def _load(drawn: list) -> None:
    with st.spinner("Loading PyTorch, once after each start …"):
        if drawn:  # the browser has asked again
            import torch  # noqa: F401

            st.rerun()
    drawn.append(True)
