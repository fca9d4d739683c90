"""A model that cannot be used yet: its weights are not downloaded, or they are damaged."""

import streamlit as st

from ...config import ConfigError
from ...costs import parameters
from ...runs.pretrained import megabytes_of
from ...runs.run import Run
from ..cached import model_of
from ..download_button import offer


def weights_are_there(run: Run) -> bool:
    """Return whether the run's model can be used; if not, show why in place of the tabs."""
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
