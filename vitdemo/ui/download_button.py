"""A button that fetches what is too large to ship, with its progress; where there is no network, a sentence says so."""

import streamlit as st


def offer(what: str, label: str, help: str) -> None:
    """The button.

    Args:
        what: as for `start_fetch`.
        label: of the button, with the size.
        help: what one gets.
    """
    from ..background.downloads import fetch_status, start_fetch  # loads torch

    running = fetch_status(what).state == "running"
    st.button(label, on_click=start_fetch, args=(what,), disabled=running, help=help)
    st.fragment(_progress, run_every=1.0 if running else None)(what, running)


def _progress(what: str, was_running: bool) -> None:
    from ..background.downloads import fetch_status

    status = fetch_status(what)
    if status.state == "running":
        st.progress(status.fraction, f"Fetching: {status.fraction:.0%}")
    elif was_running:
        st.rerun()
    elif status.state == "failed":
        st.warning(status.message, icon=":material/cloud_off:")
