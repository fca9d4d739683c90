"""Delete a run at the click of a button."""

import streamlit as st

from ..background.training_queue import QUEUE
from ..config import ConfigError
from ..runs.delete import delete_run
from ..runs.run import saved_run
from .visitor import visitor
from .wording import plain

_PROBLEM = "delete_problem"  # in the session: why the last run was not deleted


def delete(run_id: str) -> bool:
    """Delete a run, which the session and the URL then forget, and return whether it is gone."""
    status, run = QUEUE.snapshot(run_id), saved_run(run_id)
    try:
        if run and not visitor().may_change(run.about):
            raise ConfigError(f"Run {run_id} belongs to somebody else, who alone can delete it.")
        if status and status.run.active:  # one that waits has no lock
            raise ConfigError(f"Run {run_id} is in the queue. Stop it before you delete it.")
        delete_run(run_id)
    except ConfigError as error:
        st.session_state[_PROBLEM] = str(error)
        return False
    if st.session_state.get("run") == run_id:
        del st.session_state["run"]
    if st.query_params.get("run") == run_id:
        del st.query_params["run"]
    return True


def show_problem() -> None:
    """Show once why a run was not deleted."""
    if problem := st.session_state.pop(_PROBLEM, ""):
        st.error(plain(problem), icon=":material/error:")
