"""A button that downloads what is too large to ship, with its progress or its error."""

import streamlit as st

from .fragments import fragment
from .wording import plain


def offer(what: str, label: str, help: str) -> None:
    """Draw the button.

    Args:
        what: name of the download, as for `start_download`.
        label: text of the button, with the size.
        help: what the visitor gets.
    """
    from ..background.downloads import download_status, start_download  # loads torch

    running = download_status(what).state == "running"
    st.button(label, on_click=start_download, args=(what,), disabled=running, help=help)
    fragment(_progress, run_every=1.0 if running else None)(what, running)


def _progress(what: str, was_running: bool) -> None:
    from ..background.downloads import download_status

    status = download_status(what)
    if status.state == "running":
        st.progress(status.fraction, f"Downloading: {status.fraction:.0%}")
    elif was_running:
        st.rerun()
    elif status.state == "failed":
        st.warning(plain(status.message), icon=":material/cloud_off:")
