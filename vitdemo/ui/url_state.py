"""The state of a page in its URL: a copied link shows the same view.

Streamlit's widgets can bind to query parameters themselves, but then drop a bad value silently.
Here a visitor is told which value is not available and which are.
"""

import streamlit as st

from ..config.settings import one_of
from .wording import plain

PRESENTATION = "presentation"  # a parameter of every page; in the session, whether it is on
_PROBLEMS = "url_problems"  # in the session: found by this run of the page
_SHOWN = "url_problems_shown"  # in the session: problems, and the URL with which they were shown


def read(name: str, options, default):
    """Return the value of a parameter if it is one of `options`, else note a problem.

    Args:
        name: URL parameter.
        options: values that are available.
        default: returned if the parameter is missing or not available.
    """
    text = st.query_params.get(name)
    if text is None:
        return default
    for option in options:
        if str(option) == text or (isinstance(option, float) and _number(text) == option):
            return option
    note(f"The URL has {name}={text[:40]}, which is not available. Use {_available(options)}.")
    return default


def read_several(name: str, options) -> tuple:
    """Return the comma-separated values of a parameter that are among `options`; note any other."""
    by_text = {str(option): option for option in options}
    parts = [part for part in st.query_params.get(name, "").split(",") if part]
    wrong = [part for part in parts if part not in by_text]
    if wrong:
        note(
            f"The URL has {name}={wrong[0][:40]}, which is not available. "
            f"Use any of {_available(options)}."
        )
    return tuple(dict.fromkeys(by_text[part] for part in parts if part in by_text))


def note(problem: str) -> None:
    """Keep a sentence for `show_problems`."""
    st.session_state.setdefault(_PROBLEMS, []).append(problem)


def check_names(known) -> None:
    """Note every URL parameter that this page does not use."""
    for name in st.query_params:
        if name not in {*known, PRESENTATION}:
            note(f"The URL has the parameter {name[:40]!r}, which this page does not use.")


def has_problems() -> bool:
    """Whether the page shows a problem with the URL."""
    return _SHOWN in st.session_state


def show_problems() -> None:
    """Show the problems with the URL until the visitor changes something. To call after `write`.

    A page also runs again by itself, for instance when a time is known.
    """
    state = st.session_state
    view = (st.context.url, st.query_params.to_dict())
    found = state.pop(_PROBLEMS, [])
    if found:
        state[_SHOWN] = (found, view)
    elif _SHOWN in state and state[_SHOWN][1] != view:
        del state[_SHOWN]
    problems, _ = state.get(_SHOWN, ([], view))
    with st.container():  # of its own, so that nothing below changes its place
        if problems:
            st.warning("  \n".join(map(plain, problems)), icon=":material/link_off:")


def write(values: dict) -> None:
    """Set the URL to these parameters, and Presentation mode if it is on, and to no others."""
    if st.session_state.get(PRESENTATION):
        values = values | {PRESENTATION: "yes"}
    wanted = {name: _text(value) for name, value in values.items()}
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)


def _text(value) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _available(options) -> str:
    if isinstance(options, range) and len(options) > 2:
        steps = "" if options.step == 1 else f" in steps of {options.step}"
        return f"{options[0]} to {options[-1]}{steps}"
    return one_of(_text(option) for option in options)
