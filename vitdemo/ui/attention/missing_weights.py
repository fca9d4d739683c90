"""A pretrained model that is not on this machine yet: what it is, and a button to fetch it."""

import streamlit as st

from ...costs import parameters
from ...runs.pretrained import megabytes_of
from ...runs.run import Run
from ..download_button import offer


def offer_weights(run: Run) -> None:
    """What stands in place of the views until the weights are there."""
    shape, size = run.model, megabytes_of(run.id)
    st.subheader(f"{run.id}, trained on ImageNet")
    st.markdown(
        f"A Vision Transformer of {sum(parameters(shape).values()) / 1e6:.0f} million parameters: {shape.depth} layers of "
        f"{shape.num_heads} heads, patches of {shape.patch_size} pixels, pictures of {shape.image_size} by "
        f"{shape.image_size} pixels. It was trained on the 1.28 million photographs and {shape.num_classes:,} classes of "
        "ImageNet; the weights are torchvision's. Every view of this page works with it. What asks the model hundreds of "
        "times waits for a button, since one answer takes this model a good part of a second."
    )
    offer(
        run.id,
        f"Fetch {run.id} ({size:,.0f} MB)",
        "Once: it is kept on this machine. Until then choose another model on the left.",
    )
