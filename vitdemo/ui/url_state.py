"""The address bar as part of the page: a copied link shows the same view, and what is wrong in it is said."""

import streamlit as st

LARGE = "large"  # known to every page: shown large, for a projector; in the session whether it is
_PROBLEMS = "address_problems"


def read(name: str, options, default):
    """The parameter's value if it is one of `options`, else `default`; what does not fit is noted for `show_problems`."""
    text = st.query_params.get(name)
    if text is None:
        return default
    for option in options:
        if str(option) == text or (isinstance(option, float) and _number(text) == option):
            return option
    note(f"The address asks for {name}={text[:40]}, which is not offered: use {_offered(options)}.")
    return default


def read_several(name: str, options) -> tuple:
    """The parameter's values, separated by commas, that are among `options`; what does not fit is noted."""
    by_text = {str(option): option for option in options}
    parts = [part for part in st.query_params.get(name, "").split(",") if part]
    for part in parts:
        if part not in by_text:
            note(
                f"The address asks for {name}={part[:40]}, which is not offered: use some of {_offered(options)}."
            )
            break
    return tuple(dict.fromkeys(by_text[part] for part in parts if part in by_text))


def note(problem: str) -> None:
    """Remember a sentence for `show_problems`."""
    st.session_state.setdefault(_PROBLEMS, []).append(problem)


def check_names(known) -> None:
    """Note every parameter of the address that this page does not know."""
    for name in st.query_params:
        if name not in {*known, LARGE}:
            note(f"The address has {name[:40]!r}, which this page does not know: it is left out.")


def show_problems() -> None:
    """Say once what was wrong in the address."""
    problems = st.session_state.pop(_PROBLEMS, [])
    if problems:
        st.warning("  \n".join(problems), icon=":material/link_off:")


def write(values: dict) -> None:
    """Make the address say these parameters, and whether the page is large, and no others."""
    large = {LARGE: "yes"} if st.session_state.get(LARGE) else {}
    wanted = {name: _text(value) for name, value in (values | large).items()}
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


def _offered(options) -> str:
    if isinstance(options, range) and len(options) > 2:
        steps = "" if options.step == 1 else f" in steps of {options.step}"
        return f"{options[0]} to {options[-1]}{steps}"
    return ", ".join(
        f"{option:g}" if isinstance(option, float) else str(option) for option in options
    )
