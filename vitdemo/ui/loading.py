"""Loading PyTorch after the first paint: it takes seconds, once after each start of the server."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import streamlit as st

from ..runs.people import has_many_people

# Seconds until the browser asks to load it: a poll before the first paint would delay that.
POLL_SECONDS = 0.5
MESSAGE = "Loading PyTorch (once after the server starts) …"
_modules = 0  # number of modules that were imported when the collector was last spared
_DRAWN = (
    "drawn_before_torch"  # in the session: whether the browser has drawn the page without torch
)


@contextmanager
def heavy_imports(spinner_in=None) -> Iterator[None]:
    """Import what needs PyTorch within this block.

    If PyTorch is not loaded yet, this run of the page ends here, so that the browser draws what it
    has; then PyTorch is loaded and the page runs again.

    Args:
        spinner_in: container for the spinner; by default it is shown here.
    """
    place = spinner_in or nullcontext()
    if not torch_is_loaded():
        with place:
            _load_torch()
        st.stop()
    with place, st.spinner(MESSAGE):
        yield
    _spare_the_collector()


def torch_is_loaded() -> bool:
    """Whether PyTorch is in memory, so that the first paint of this server is over."""
    return "torch" in sys.modules


def _spare_the_collector() -> None:
    """Take imported code out of the garbage collection, again when much was imported since.

    Python goes through all objects every thirty reruns or so, and nothing else runs meanwhile: with
    torch in memory that took 180 ms.
    """
    global _modules
    if len(sys.modules) > _modules + 50:
        _modules = len(sys.modules)
        gc.collect()
        gc.freeze()


@st.fragment(run_every=POLL_SECONDS)
def _load_torch() -> None:
    with st.spinner(MESSAGE):
        if st.session_state.pop(_DRAWN, False):  # the browser has drawn the page and polls
            import torch  # noqa: F401

            if has_many_people():  # so that nobody's first epoch waits for what is loaded with it
                import torchmetrics  # noqa: F401

            st.rerun()
    st.session_state[_DRAWN] = True
