"""Start: one image on its way through a trained Vision Transformer, step by step."""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
import streamlit as st
import torch

from ...data.cifar10 import CLASSES, normalize, pixels_of
from ...explain.attention import attention_map, attention_maps, attention_matrix
from ...figures.numbers import shades, two_lines
from ...figures.pictures import clickable, patches, picture
from ...figures.predictions import top_classes
from ...figures.thumbnails import thumbnails
from ...lessons.activations import residual_norms
from ...model import Trace, VisionTransformer
from ..chart import chart
from .example import PICTURES, first_pictures, plain_vit
from .lesson import Lesson

HEIGHT = 320
CARD, CARD_HEIGHT = 170, 150  # pixels of a card; two fit side by side on a phone


@dataclass(frozen=True)
class ForwardPass:
    """One test image, and everything that the model computes from it."""

    number: int
    label: int
    image: torch.Tensor  # (3, H, W) uint8
    model: VisionTransformer
    trace: Trace
    probabilities: np.ndarray  # (num_classes,)

    @property
    def pixels(self) -> np.ndarray:
        """The image as (H, W, 3) uint8."""
        return pixels_of(self.image)


@dataclass(frozen=True)
class Step:
    """A step of the forward pass as it is shown."""

    figure: go.Figure
    alt: str
    caption: str
    text: str


def _image(found: ForwardPass, height: int) -> Step:
    side, name = found.model.config.image_size, CLASSES[found.label]
    return Step(
        picture(found.pixels, height),
        f"Test image {found.number}: {name}.",
        f"Test image {found.number}: {name}.",
        "An image from the test set of CIFAR-10, a dataset of small photos in "
        f"{len(CLASSES)} classes. It has {side} × {side} pixels, each with a red, a green and a "
        f"blue value: {3 * side**2:,} numbers in all. The model was not trained on it.",
    )


def _patches(found: ForwardPass, height: int) -> Step:
    config = found.model.config
    return Step(
        patches(found.pixels, config.patch_size, height),
        f"The image split into {config.num_patches} patches.",
        "White lines separate the patches.",
        f"The image is split into {config.num_patches} **patches** of {config.patch_size} × "
        f"{config.patch_size} pixels. Patches are to this model what words are to a language "
        "model.",
    )


def _tokens(found: ForwardPass, height: int) -> Step:
    tokens = found.trace.tokens[0][0].numpy()  # (T, D)
    return Step(
        shades(tokens, height),
        f"{len(tokens)} tokens of {tokens.shape[1]} numbers.",
        "One row per token, CLS on top. Purple is negative, orange is positive.",
        f"A linear layer maps each patch to a **token**, a vector of {tokens.shape[1]} numbers. A "
        "**position embedding**, which encodes the position of the patch, is added to it. One "
        "extra token is prepended: **CLS**, the classification token. It carries no information "
        "about the image yet.",
    )


def _blocks(found: ForwardPass, height: int) -> Step:
    config = found.model.config
    return Step(
        thumbnails(attention_maps(found.trace.attention, 0, has_cls=True), height),
        f"Attention from CLS to the patches in {config.depth} layers of {config.num_heads} heads.",
        "Attention from CLS to the patches: one row of maps per block (layer), one column per "
        "head. Bright is the largest weight in that map. Each map has its own color scale, so even "
        "nearly uniform attention shows bright patches.",
        f"The tokens pass through {config.depth} blocks. In each block, every token gathers "
        "information from all tokens (**attention**). Then an **MLP** (multilayer perceptron), a "
        "small neural network, processes each token on its own. Attention is computed several "
        f"times in parallel: each block has {config.num_heads} **heads**, each with attention "
        "weights of its own.",
    )


def _class(found: ForwardPass, height: int) -> Step:
    predicted = int(found.probabilities.argmax())
    name, probability = CLASSES[predicted], found.probabilities[predicted]
    figure = top_classes(found.probabilities, CLASSES, found.label, 3).update_layout(height=height)
    figure.update_xaxes(range=[0, 1.4])
    if predicted == found.label:
        verdict = "The prediction is correct."
    else:
        verdict = f"The true class is {CLASSES[found.label]}."
    return Step(
        figure,
        f"Predicted class: {name}, {probability:.1%}.",
        "The most probable classes. A check mark indicates the true class.",
        "After the last block, a linear layer predicts the class from CLS alone: "
        f"**{name}**, with a probability of {probability:.1%}. {verdict}",
    )


STEPS = {  # name -> the function that shows it, and the page that explains it
    "Image": (_image, "pages/image_to_tokens.py"),
    "Patches": (_patches, "pages/image_to_tokens.py"),
    "Tokens": (_tokens, "pages/image_to_tokens.py"),
    "Blocks": (_blocks, "pages/block.py"),
    "Class": (_class, "pages/attention.py"),
}


def controls(lesson: Lesson) -> tuple[str, ForwardPass]:
    """Choose a step and an image, and run the model on the image."""
    left, right = st.columns(2)
    with left:
        help = "The step to explain. Go through the steps from left to right."
        step = lesson.choose("step", "Step", tuple(STEPS), "Image", help)
    with right:
        help = f"One of the first {PICTURES} test images of CIFAR-10."
        number = lesson.slide("picture", "Test image", range(PICTURES), 0, help)
    split = first_pictures(PICTURES)
    image, label = split.images[number], int(split.labels[number])
    _, model = plain_vit()
    with torch.no_grad():
        logits, trace = model.trace(normalize(image[None]))
    probabilities = logits.softmax(dim=1)[0].numpy()
    return step, ForwardPass(number, label, image, model, trace, probabilities)


def all_steps(lesson: Lesson, found: ForwardPass) -> None:
    """Show every step as a small card; a click selects it."""
    key = lesson.key("step")
    with st.container(horizontal=True):
        for place, (name, (show, _)) in enumerate(STEPS.items(), start=1):
            with st.container(width=CARD):
                st.caption(f"{place} · {name}")
                step = show(found, CARD_HEIGHT)
                step.figure.update_xaxes(visible=False).update_yaxes(visible=name == "Class")
                if name in ("Image", "Patches"):  # an image alone does not report clicks
                    size = found.model.config.image_size
                    clickable(step.figure, np.zeros((1, 1)), size, hoverinfo="none")
                select = partial(_select, key, name)
                chart(step.figure, key=f"small-{name}", alt=step.alt, on_click=select)


def _select(key: str, name: str, point: dict | None = None) -> None:
    st.session_state[key] = name


def one_step(lesson: Lesson, name: str, found: ForwardPass) -> None:
    """Show the selected step with its explanation."""
    show, page = STEPS[name]
    step = show(found, HEIGHT)
    left, right = st.columns([3, 2])
    with left:
        chart(step.figure, key="one-step", alt=step.alt)
        st.caption(step.caption)
        if name == "Blocks":
            _norms(found)
    with right:
        st.header(f"{list(STEPS).index(name) + 1}. {name}")
        st.markdown(step.text)
        after = dict(pairwise(STEPS)).get(name)
        if after and "step" not in lesson.hidden:
            st.button(
                f"Next: {after.lower()}",
                on_click=_select,
                args=(lesson.key("step"), after),
                icon=":material/arrow_forward:",
            )
        st.page_link(page, label="Explore this step", icon=":material/zoom_in:")


def _norms(found: ForwardPass) -> None:
    norms = residual_norms(found.model, normalize(found.image[None]))
    blocks = tuple(range(1, found.model.config.depth + 1))
    tokens = {"after the block": np.array(norms.tokens[1:])}
    updates = {"by attention": np.array(norms.attention), "by the MLP": np.array(norms.mlp)}
    left, right = st.columns(2)
    with left:
        alt = f"L2 norm of the tokens, {norms.tokens[-1]:.1f} after the last block."
        figure = two_lines(blocks, tokens, "Block", "L2 norm of the tokens", 220)
        chart(figure, key="token-norms", alt=alt)
    with right:
        alt = (
            f"L2 norm of the updates, in the last block {norms.attention[-1]:.1f} by attention "
            f"and {norms.mlp[-1]:.1f} by the MLP."
        )
        figure = two_lines(blocks, updates, "Block", "L2 norm of the update", 220)
        chart(figure, key="update-norms", alt=alt)
    st.caption(
        "Mean **L2 norm** (the square root of the sum of squares) of the tokens after each block, "
        "and of the updates that attention and the MLP add to the tokens."
    )


def questions(lesson: Lesson, found: ForwardPass) -> None:
    """Ask how many tokens there are, and how much attention the brightest patch receives."""
    config, trace = found.model.config, found.trace
    weights = attention_matrix(trace.attention, layer=-1, head=None)
    largest = float(attention_map(weights, 0, has_cls=True).max())
    lesson.predict(
        "tokens",
        f"The image has {config.image_size} × {config.image_size} pixels, each patch "
        f"{config.patch_size} × {config.patch_size}. How many tokens are there, including CLS?",
        {"17": 17, "65": 65, "1,025": 1025},
        lambda: trace.tokens[0].shape[1],
        f"{{:.0f}}: {config.grid_size} × {config.grid_size} = {config.num_patches} patches, plus "
        "CLS.",
    )
    lesson.predict(
        "brightest",
        "In the last layer, averaged over the heads, how much of its attention does CLS give to "
        "the patch that it attends to most?",
        {"5%": 0.05, "20%": 0.2, "60%": 0.6},
        lambda: largest,
        f"{{:.1%}}, which is {largest * config.num_tokens:.1f} times an equal share "
        f"(1 / {config.num_tokens} = {1 / config.num_tokens:.1%}). CLS gathers information from "
        "many patches. The maps above look more selective than they are, because each has its own "
        "color scale.",
    )
    lesson.code(
        VisionTransformer.forward,
        "The entire forward pass in four lines: `embed`, each `block`, `classify`.",
    )
