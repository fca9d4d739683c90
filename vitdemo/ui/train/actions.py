"""The buttons of the Train page that start something: a run, and the download of the full data set.

Train is drawn before torch is loaded, so what needs torch is imported where it is used.
"""

import streamlit as st

from ...background.limits import check_budget
from ...config import ConfigError, ModelConfig, TrainConfig
from ...costs import check_memory, run_bytes
from ...files import runs_folder
from ...machine import DiskError, check_disk
from ..download_button import offer
from ..visitor import nickname_field, visitor
from ..wording import plain
from . import settings

IN_MEMORY = (
    "You can train all the same: the run stays in memory and shows its metrics, but its model "
    "cannot be opened on Attention, and it is gone when the app ends."
)


def train_button(model: ModelConfig, training: TrainConfig) -> None:
    """Draw the button that starts a run with the settings on the page."""
    person = visitor()
    try:
        check_memory(model, training.batch_size)
        if not person.is_alone:
            check_budget(model, training)
        problem = ""
    except ConfigError as error:
        problem = str(error)
    if not person.is_alone:
        nickname_field()
    st.button("Train", type="primary", width="stretch", on_click=_train, disabled=bool(problem))
    problem = problem or st.session_state.pop("train_problem", "")
    if problem:
        st.error(plain(problem), icon=":material/error:")
    else:
        _disk_warning(model)


def _disk_warning(model: ModelConfig) -> None:
    """Say before Train is pressed that the run cannot be saved, and what it is good for then."""
    try:
        check_disk(runs_folder(), run_bytes(model))
    except DiskError as error:
        st.warning(plain(f"{error} {IN_MEMORY}"), icon=":material/save:")


def _train() -> None:
    from ...background.training_queue import QUEUE

    settings.fit()  # a slider that was moved just before the click arrives together with it
    try:
        run_id = QUEUE.submit(*settings.chosen(), visitor().about_new_run())
        st.session_state.update(run=run_id, started=run_id)
    except ConfigError as error:
        st.session_state["train_problem"] = str(error)


def full_data_set() -> None:
    """Draw the button that downloads all of CIFAR-10, or a note that it is there already."""
    from ...background.downloads import FULL_SET, download_status

    if download_status(FULL_SET).state == "done":
        st.caption("All 50,000 training and 10,000 test images of CIFAR-10 are on this machine.")
    else:
        offer(
            FULL_SET,
            "Download all of CIFAR-10 (170 MB)",
            "The app ships with the first 5,000 training images and the first 1,000 test images. "
            "This downloads all 50,000 and all 10,000.",
        )
