"""An experiment on a lesson page: its last results at once, and a button that runs it here."""

from collections.abc import Callable

import streamlit as st

from ...background import tasks
from ...lessons.experiments import experiments
from ...lessons.measured import read_measurement
from ..task_panel import task_panel
from ..wording import plain


def experiment_panel(
    name: str, start: str, unit: str, show: Callable[[tuple], None], help: str
) -> None:
    """Show the stored results of an experiment until it has been run on this machine.

    Args:
        name: of the experiment.
        start: label of the start button.
        unit: plural noun for the results, such as "epochs".
        show: function that draws the results so far, at least one.
        help: what the experiment does.
    """
    experiment = experiments()[name]
    last = read_measurement(name, experiment)
    if last:
        help += f" The last time it took {last.seconds:.0f} s."
    task_panel((name,), experiment.total, experiment.steps, start, unit, show, help)
    task = tasks.status((name,))
    if task and task.state == "done":
        st.caption("Measured on this machine since the app was started.")
    if last and (task is None or (task.state != "running" and not task.results)):
        st.caption(
            f"Measured on {last.date} with {plain(last.machine)}. Click *{start}* to "
            "measure it here and now."
        )
        show(last.results)
