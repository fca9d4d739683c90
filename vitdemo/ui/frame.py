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
from ..config import ConfigError
from ..files import home, remove_leftovers
from ..runs.people import has_many_people
from ..runs.trim_limits import Limits, limits
from .wording import plain

APP = Path(__file__).parents[2] / "app.py"
_thread = threading.local()  # .framed: whether app.py runs on this thread


def run_page(page) -> None:
    """Run a page, as returned by `st.navigation`, within app.py.

    If a file of the project is missing, such as a checkpoint, the page ends with its name, and if a
    limit for old runs is wrong, with that.
    """
    _thread.framed = True
    if has_many_people():
        log_to_stderr()
    try:
        _tidy_up(home())
        page.run()
    except ConfigError as error:
        st.error(plain(str(error)), icon=":material/error:")
    finally:
        _thread.framed = False


@lru_cache  # once after each start of the server
def _tidy_up(home: Path) -> None:
    """Remove what a kill left and old runs, in the background.

    Raises:
        ConfigError: a limit for old runs is not a number.
    """
    limits()
    threading.Thread(target=_remove_all, name="leftovers", daemon=True).start()


def _remove_all() -> None:
    remove_leftovers()
    if limits() != Limits():
        from ..runs.trim import trim  # with torch, which pages load after they were drawn

        trim()


def frame() -> None:
    """Run app.py instead of this page if the page runs on its own. Each page calls this first."""
    if not getattr(_thread, "framed", False):
        runpy.run_path(str(APP), run_name="__main__")
        st.stop()
