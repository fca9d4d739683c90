"""A damaged run: what is wrong with its files, and a button that deletes it."""

import streamlit as st

from ...runs.run import Run
from .. import deletion
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
    deletion.show_problem()


def _delete(run_id: str) -> None:
    if deletion.delete(run_id):
        st.toast("The damaged run was deleted.", icon=":material/delete:")
