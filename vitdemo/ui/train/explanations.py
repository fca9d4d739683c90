"""Explanations on the Train page: how the model splits an image, and why the paper's code fails."""

from dataclasses import replace
from functools import lru_cache

import streamlit as st

from ...config import PRESETS, ModelConfig
from ..wording import stem_note
from . import settings

WHY_NEAR_CHANCE = (
    "Table 2 of the paper reports an accuracy of 20.5%, but its code stays near 10%. Adam adds the "
    "weight decay (0.1 × weight) to the gradient and then rescales the sum. Here the decay "
    "outweighs the gradient for most weights, so each step mostly shrinks the weights, and six "
    "epochs of five steps are too few to learn much else. AdamW applies the decay separately from "
    "the gradient. With this one change, the model learns."
)
POOLING_NOTES = {
    "cls": "the CLS token is added for classification.",
    "mean": "the class is predicted from the mean of the tokens.",
    "attention": "the class is predicted from a weighted mean of the tokens.",
}


def is_papers_code() -> bool:
    """Whether the settings are those of the paper's code, with any seed."""
    model, training = settings.chosen()
    return (model, replace(training, seed=0)) == PRESETS["annotation"]


def chance_level() -> None:
    """Explain why the paper's code stays at chance, and offer the one change that helps."""
    with st.container():  # of its own, so that nothing below changes its place
        if not is_papers_code():
            return
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                ":material/lightbulb: **The paper's code as printed stays near chance (10%).**"
            )
            st.popover("Why").markdown(WHY_NEAR_CHANCE)
            st.button(
                "Use AdamW instead",
                on_click=settings.set_fields,
                kwargs={"optimizer": "adamw"},
                help="With this one change, the model learns.",
            )


def patch_picture(model: ModelConfig) -> None:
    """Show one training image split into the patches of the model."""
    from ..chart import chart

    figure, name = _example(model.patch_size)
    chart(
        figure,
        key="patches",
        alt=f"A training image ({name}) split into patches of {model.patch_size} × "
        f"{model.patch_size} pixels.",
    )
    if model.num_patches == 1:
        split = "as a single patch. It becomes one token; "
    else:
        split = f"split into {model.num_patches} patches. Each becomes a token; "
    st.caption(f"A training image ({name}) {split}{POOLING_NOTES[model.pooling]}{stem_note(model)}")


@lru_cache
def _example(patch_size: int) -> tuple:
    """Return the figure of one training image, and the name of its class."""
    from ...data.cifar10 import CLASSES, load_cifar10, pixels_of
    from ...figures.pictures import patches

    example = load_cifar10(8, 1).train[7:8]
    return patches(pixels_of(example.images[0]), patch_size), CLASSES[example.labels[0]]
