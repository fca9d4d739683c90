"""A model that cannot be asked yet: one to be downloaded, or one with damaged weights."""

import streamlit as st

from ...config import ConfigError
from ...costs import parameters
from ...runs.pretrained import megabytes_of
from ...runs.run import Run
from ..cached import model_of
from ..download_button import offer


def weights_are_there(run: Run) -> bool:
    """Say whether the run's model can be asked; if not, show why in place of the tabs."""
    if run.origin == "imagenet" and not run.has_weights:
        _offer_download(run)
        return False
    try:
        model_of(run)
    except ConfigError as error:
        st.error(str(error))
        return False
    return True


def _offer_download(run: Run) -> None:
    shape, size = run.model, megabytes_of(run.id)
    st.subheader(f"{run.id}, trained on ImageNet")
    st.markdown(
        f"A Vision Transformer with {sum(parameters(shape).values()) / 1e6:.0f} million "
        f"parameters: {shape.depth} layers of {shape.num_heads} heads, {shape.patch_size}-pixel "
        f"patches, images of {shape.image_size} × {shape.image_size} pixels. It was trained on the "
        f"1.28 million photos and {shape.num_classes:,} classes of ImageNet; the weights are "
        "torchvision's. All tabs of this page work with it. Analyses that need hundreds of forward "
        "passes start at the press of a button, since one pass of this model takes a good part of "
        "a second."
    )
    offer(
        run.id,
        f"Download {run.id} ({size:,.0f} MB)",
        "Needed once: the file is kept on this machine. Until then, choose another model.",
    )
