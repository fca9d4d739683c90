"""Fragments: parts of a page that the browser can run alone, and errors said in words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from ..config import ConfigError
from .wording import plain


@contextmanager
def say_errors() -> Iterator[None]:
    """Draw the message of a ConfigError in place of what could not be drawn."""
    try:
        yield
    except ConfigError as error:
        st.error(plain(str(error)), icon=":material/error:")


def fragment(draw: Callable[..., None], run_every: float | None = None) -> Callable[..., None]:
    """Return a function that draws a fragment: `st.fragment` whose errors are said in words.

    Nothing else would catch them, as the browser runs a fragment without its page.

    Args:
        draw: function that draws it.
        run_every: seconds after which the browser runs it again; None: never by itself.
    """
    return st.fragment(say_errors()(draw), run_every=run_every)
