"""The frame around every page: browser title, navigation and theme, as app.py sets them.

Streamlit takes a folder named `pages` for its older kind of multipage app: until `st.navigation`
has run once, a new server runs the requested page on its own, without app.py. Here such a page runs
app.py instead.
"""

import runpy
import threading
from functools import lru_cache
from pathlib import Path

import streamlit as st

from ..background.events import log_to_stderr
from ..files import home, remove_leftovers
from ..machine import share_arenas
from ..runs.people import has_many_people
from ..runs.trim_limits import Limits, limits
from .fragments import say_errors
from .loading import torch_is_loaded

APP = Path(__file__).parents[2] / "app.py"
ICON = Path(__file__).with_name("icon.svg")
_thread = threading.local()  # .framed: whether app.py runs on this thread


def icon() -> str | None:
    """Return the browser's icon, or None before PyTorch is loaded: the page runs again then.

    Streamlit imports NumPy and Pillow for any picture, which would delay the first paint.
    """
    return str(ICON) if torch_is_loaded() else None


def run_page(page) -> None:
    """Run a page, as returned by `st.navigation`, within app.py.

    If a file of the project is missing, such as a checkpoint, the page ends with its name, and if a
    limit for old runs is wrong, with that.
    """
    _thread.framed = True
    if has_many_people():
        share_arenas()
        log_to_stderr()
    try:
        with say_errors():
            limits()
            if torch_is_loaded():
                _tidy_up(home())
            page.run()
    finally:
        _thread.framed = False


@lru_cache  # once after each start of the server
def _tidy_up(home: Path) -> None:
    """Remove what a kill left and old runs, in the background."""
    threading.Thread(target=_remove_all, name="leftovers", daemon=True).start()


def _remove_all() -> None:
    remove_leftovers()
    if limits() != Limits():
        from ..runs.trim import trim  # it needs PyTorch

        trim()


def frame() -> None:
    """Run app.py instead of this page if the page runs on its own. Each page calls this first."""
    if not getattr(_thread, "framed", False):
        runpy.run_path(str(APP), run_name="__main__")
        st.stop()
