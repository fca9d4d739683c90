"""A damaged run: what is wrong with its files, and a button that deletes it."""

import streamlit as st

from ...config import ConfigError
from ...runs.delete import delete_run
from ...runs.run import Run
from ..visitor import visitor
from ..wording import plain


def show_damaged(run: Run) -> None:
    """Show why a run cannot be used. One of this machine can be deleted."""
    st.error(plain(run.message), icon=":material/folder_off:")
    if run.origin == "local" and visitor().may_change(run.about):
        st.button(
            "Delete",
            icon=":material/delete:",
            on_click=_delete,
            args=(run.id,),
            help="Delete the folder of this run with everything in it. This cannot be undone.",
        )
    problem = st.session_state.pop("delete_problem", "")
    if problem:
        st.error(plain(problem), icon=":material/error:")


def _delete(run_id: str) -> None:
    try:
        delete_run(run_id)
    except ConfigError as error:
        st.session_state["delete_problem"] = str(error)
        return
    st.session_state.pop("run", None)
    st.query_params.pop("run", None)
    st.toast("The damaged run was deleted.", icon=":material/delete:")
