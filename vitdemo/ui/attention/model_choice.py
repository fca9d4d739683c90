"""Choose a model; one without usable weights (not downloaded, damaged) is explained instead."""

from contextlib import suppress

import streamlit as st

from ...config import ConfigError
from ...costs import parameters
from ...data.cifar10 import MEAN, STD
from ...runs.checkpoint import read_header
from ...runs.pretrained import megabytes_of, normalization_of
from ...runs.run import Run
from .. import url_state
from ..all_runs import all_runs_button
from ..cached import model_of, validation_split
from ..download_button import offer
from ..run_picker import pick_model
from ..wording import plain
from .own_model import open_own_model


def choose_model(tabs_place) -> Run:
    """Draw the picker and return a run whose model can be used; else the page ends here.

    Args:
        tabs_place: container of the tabs, where the reason is shown in their place.
    """
    status = pick_model("Model")
    with st.container(horizontal=True):
        if status is not None:
            _about(status.run)
        open_own_model()
        all_runs_button(models=True)
    with tabs_place:
        if status is None:
            st.info("There is no model yet. Train one first.")
            st.page_link("pages/train.py", label="Go to Train", icon=":material/model_training:")
            st.stop()
        if not _can_be_shown(status.run):
            url_state.write({"run": status.run.id})
            st.stop()
    return status.run


def _about(run: Run) -> None:
    """Draw a button that opens the facts about a model: its shape and its input."""
    model = run.model
    with st.popover("About", icon=":material/info:"):
        st.markdown(
            f"{sum(parameters(model).values()):,} parameters: {model.depth} blocks of "
            f"{model.num_heads} heads, {model.embed_dim} numbers per token, {model.num_tokens} "
            f"tokens from patches of {model.patch_size} × {model.patch_size} pixels, "
            f"{model.num_classes:,} classes."
        )
        st.markdown(
            f"Input: {model.image_size} × {model.image_size} pixels, normalized as "
            f"(x − {MEAN}) / {STD}, of values from 0 to 1. {_folded(run)}"
        )


def _folded(run: Run) -> str:
    """Return a sentence on a model that was trained with another normalization, or nothing."""
    trained = None
    if run.origin == "imagenet":
        trained = normalization_of(run.id)
    elif run.origin == "own":
        trained = read_header(run.weights)[1]["from_timm"]
    if trained is None:
        return ""
    mean, std = (", ".join(f"{value:g}" for value in trained[key]) for key in ("mean", "std"))
    return (
        f"It was trained with mean {mean} and standard deviation {std} (red, green, blue), which "
        "are folded into its first layer."
    )


def _can_be_shown(run: Run) -> bool:
    """Return whether the run's model and its validation images are there; if not, show why."""
    if run.origin == "imagenet" and not run.has_weights:
        _offer_download(run)
        return False
    channels = run.model.in_channels
    if channels != 3:
        count = "1 channel" if channels == 1 else f"{channels} channels"
        st.info(
            f"This model takes images with {count}, and this page shows pictures with three: red, "
            "green and blue. Choose another model."
        )
        return False
    try:
        model_of(run)
        validation_split(run)
    except ConfigError as error:
        st.error(plain(str(error)))
        if run.origin == "imagenet":
            st.button("Delete this download", on_click=_delete, args=(run,))
        return False
    return True


def _delete(run: Run) -> None:
    with suppress(OSError):
        run.weights.unlink()


def _offer_download(run: Run) -> None:
    shape, size = run.model, megabytes_of(run.id)
    st.header(f"{run.id}, trained on ImageNet")
    st.markdown(
        f"A Vision Transformer with {sum(parameters(shape).values()) / 1e6:.0f} million "
        f"parameters: {shape.depth} layers with {shape.num_heads} heads each, patches of "
        f"{shape.patch_size} × {shape.patch_size} pixels, images of {shape.image_size} × "
        f"{shape.image_size} pixels. It was trained on ImageNet (1.28 million photos, "
        f"{shape.num_classes:,} classes); the weights come from torchvision. All tabs of this page "
        "work with it. Analyses that need hundreds of forward passes start only when you click a "
        "button, because each pass of this model takes a noticeable part of a second."
    )
    offer(
        run.id,
        f"Download {run.id} ({size:,.0f} MB)",
        "Needed only once: the file is kept on this machine. Until then, choose another model.",
    )
