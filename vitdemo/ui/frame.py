"""The frame around every page: title, navigation, theme. It is app.py; this makes sure that a page has it."""

import runpy
from pathlib import Path

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

APP = Path(__file__).parents[2] / "app.py"


def frame() -> None:
    """Called first by each page.

    Until `st.navigation` has run once, Streamlit takes a folder named pages for an older kind of app and runs the page
    alone, so the first address that a new server gets would show it without its frame. Then app.py is run instead.
    """
    if PagesManager.uses_pages_directory:
        runpy.run_path(str(APP), run_name="__main__")
        st.stop()
