"""Parts of the Train page beside its sliders: the buttons, the full data set, and what there is to explain."""

import sys
from dataclasses import replace

import streamlit as st

from ...config import PRESETS, ConfigError, ModelConfig, TrainConfig
from ...costs import check_memory
from ..download_button import offer
from ..wording import stem_note
from . import settings


def buttons(model: ModelConfig, training: TrainConfig) -> bool:
    """Train with the settings on the page; stop the run that is shown. Returns whether it can be stopped."""
    active = _shown_is_active()
    row = st.container(horizontal=True)
    try:
        check_memory(model, training.batch_size)
        problem = ""
    except ConfigError as error:
        problem = str(error)
    row.button("Train", type="primary", width="stretch", on_click=_train, disabled=bool(problem))
    row.button("Stop", width="stretch", on_click=_stop, disabled=not active)
    problem = problem or st.session_state.pop("train_problem", "")
    if problem:
        st.error(problem, icon=":material/error:")
    return active


def _train() -> None:
    from ...background.training_queue import QUEUE

    settings.fit()  # a slider moved just before the click comes with it
    try:
        st.session_state["run"] = QUEUE.submit(*settings.chosen())
        st.toast(
            "Your training has begun, or waits in the queue: watch it under “Run”.",
            icon=":material/model_training:",
        )
    except ConfigError as error:
        st.session_state["train_problem"] = str(error)


def _stop() -> None:
    from ...background.training_queue import QUEUE

    QUEUE.stop(st.session_state["run"])
    st.session_state["stopping"] = st.session_state["run"]


def _shown_is_active() -> bool:
    jobs = sys.modules.get(
        "vitdemo.background.training_queue"
    )  # where it is not loaded yet, nothing runs
    run_id = st.session_state.get("run") or st.query_params.get("run")
    snapshot = jobs.QUEUE.snapshot(run_id) if hasattr(jobs, "QUEUE") and run_id else None
    return snapshot is not None and snapshot.run.active


def why_at_chance(model: ModelConfig, training: TrainConfig) -> None:
    """The listing as printed learns nothing: say why, and offer the one change that mends it."""
    if (model, replace(training, seed=0)) != PRESETS["annotation"]:
        return
    st.info(
        "**The listing as printed stays near chance (one in ten right), although its Table 2 reports 20.5 %.** Adam adds its "
        "weight decay, 0.1 × weight, to each gradient and then rescales the sum. Here the decay is the larger part for most "
        "weights, so most of each step goes into shrinking weights, and six epochs of five steps are too few to learn beside "
        "it. AdamW takes the decay out of that sum: with this one change the listing learns.",
        icon=":material/lightbulb:",
    )
    st.button("Use AdamW instead", on_click=settings.set_fields, kwargs={"optimizer": "adamw"})


def patch_picture(model: ModelConfig) -> None:
    """One training image, cut as the model will cut it."""
    from ...data.cifar10 import CLASSES, load_cifar10
    from ...figures.pictures import patches
    from ..chart import chart

    example = load_cifar10(8, 1).train[7:8]
    name = CLASSES[example.labels[0]]
    tokens = (
        f"{model.num_patches} patches, each a token"
        if model.num_patches > 1
        else "one patch, a single token"
    )
    reader = {
        "cls": "and CLS, the token that will name the class",
        "mean": "whose mean will name the class",
        "attention": "whose weighted mean will name the class",
    }[model.pooling]
    chart(
        patches(example.images[0].permute(1, 2, 0).numpy(), model.patch_size),
        key="patches",
        alt=f"A training image ({name}) cut into patches of {model.patch_size} by {model.patch_size} pixels.",
    )
    st.caption(
        f"A training image ({name}) as the model takes it: {tokens}, {reader}.{stem_note(model)}"
    )


def full_set() -> None:
    """Fetch all of CIFAR-10, or say that it is there."""
    from ...background.downloads import FULL_SET, fetch_status

    if fetch_status(FULL_SET).state == "done":
        st.caption("All 50,000 training and 10,000 test images of CIFAR-10 are on this machine.")
    else:
        offer(
            FULL_SET,
            "Fetch all of CIFAR-10 (170 MB)",
            "The first 5,000 training and 1,000 test images ship with the app. This brings all 50,000 and 10,000.",
        )
