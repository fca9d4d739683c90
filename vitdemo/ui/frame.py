"""The frame around every page: title, navigation, theme. It is app.py; this makes sure a page has it.

Since the pages lie in a folder named `pages`, Streamlit runs the first page that a new server is
asked for on its own, without app.py, until `st.navigation` has run once.
"""

import runpy
import threading
from pathlib import Path

import streamlit as st

APP = Path(__file__).parents[2] / "app.py"
_thread = threading.local()  # .framed: whether app.py runs on this thread


def run_page(page) -> None:
    """Run a page within app.py, as returned by `st.navigation`."""
    _thread.framed = True
    try:
        page.run()
    finally:
        _thread.framed = False


def frame() -> None:
    """Run app.py instead of the page if the page was run on its own. Each page calls this first."""
    if not getattr(_thread, "framed", False):
        runpy.run_path(str(APP), run_name="__main__")
        st.stop()
