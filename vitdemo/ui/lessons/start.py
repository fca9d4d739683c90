"""Start: one picture on its way through a trained Vision Transformer, step by step."""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
import streamlit as st
import torch

from ...data.cifar10 import CLASSES, normalize
from ...explain.attention import attention_maps
from ...explain.methods import reading_weights
from ...figures.attention import thumbnails
from ...figures.numbers import shades, two_lines
from ...figures.pictures import clickable, patches, picture
from ...figures.predictions import top_classes
from ...lessons.activations import residual_norms
from ...model import Trace, VisionTransformer
from ..chart import chart
from .example import PICTURES, first_pictures, plain_vit
from .lesson import Lesson

HEIGHT = 320
CARD, CARD_HEIGHT = 170, 150  # pixels, of the small ones; two fit side by side on a phone
STEPS = {  # name: the page where it is taken apart
    "Image": "pages/image_to_tokens.py",
    "Patches": "pages/image_to_tokens.py",
    "Tokens": "pages/image_to_tokens.py",
    "Blocks": "pages/block.py",
    "Class": "pages/attention.py",
}


@dataclass(frozen=True)
class Journey:
    """One picture, and everything that the model made of it."""

    number: int
    label: int
    image: torch.Tensor  # (3, H, W) uint8
    model: VisionTransformer
    trace: Trace
    probabilities: np.ndarray  # (num_classes,)

    @property
    def pixels(self) -> np.ndarray:
        """(H, W, 3)."""
        return self.image.permute(1, 2, 0).numpy()

    @property
    def best(self) -> int:
        """The class that it names."""
        return int(self.probabilities.argmax())


def live_picture(lesson: Lesson) -> None:
    """All steps small, one of them large."""
    first, second = st.columns(2)
    with first:
        step = lesson.choose(
            "step", "Step", tuple(STEPS), "Image", "Go through them from left to right."
        )
    with second:
        number = lesson.choose(
            "picture", "Picture", range(PICTURES), 0, "A test image.", draw=st.select_slider
        )
    split = first_pictures(PICTURES)
    image, label = split.images[number], int(split.labels[number])
    _, model = plain_vit()
    with torch.no_grad():
        logits, trace = model.trace(normalize(image[None]))
    journey = Journey(number, label, image, model, trace, logits.softmax(dim=1)[0].numpy())

    key = lesson.key("step")
    with st.container(horizontal=True):
        for place, name in enumerate(STEPS, start=1):
            with st.container(width=CARD):
                st.caption(f"{place} · {name}")
                figure, alt = figure_of(name, journey, CARD_HEIGHT)
                figure.update_xaxes(visible=False).update_yaxes(visible=name == "Class")
                if name in ("Image", "Patches"):
                    clickable(figure, np.zeros((1, 1)), model.config.image_size, hoverinfo="none")
                chart(figure, key=f"small-{name}", alt=alt, on_click=partial(_step_to, key, name))
    left, right = st.columns([3, 2])
    with left:
        figure, alt = figure_of(step, journey, HEIGHT)
        chart(figure, key="one-step", alt=alt)
        if step == "Blocks":
            _lengths(journey)
    with right:
        st.subheader(f"{list(STEPS).index(step) + 1}. {step}")
        st.markdown(_words(step, journey))
        after = dict(pairwise(STEPS)).get(step)
        if after and "step" not in lesson.hidden:
            st.button(
                f"Next: {after.lower()}",
                on_click=_step_to,
                args=(key, after, {}),
                icon=":material/arrow_forward:",
            )
        st.page_link(STEPS[step], label="Take this step apart", icon=":material/zoom_in:")
    lesson.predict(
        "tokens",
        f"Patches of {model.config.patch_size} × {model.config.patch_size} pixels, and CLS: how many tokens is that?",
        {"17": 17, "65": 65, "1,025": 1025},
        lambda: trace.tokens[0].shape[1],
        "{:.0f}, counted in the tensor.",
    )
    lesson.predict(
        "read",
        "From how many of these tokens is the answer read, after the last block?",
        {"1": 1, "all but CLS": model.config.num_patches, "all": model.config.num_tokens},
        lambda: float((reading_weights(model, trace) > 0).sum()),
        "{:.0f}: CLS. What it knows of the picture, it has gathered by attention.",
    )
    lesson.code(
        VisionTransformer.forward, "The whole way in four lines: `embed`, each `block`, `classify`."
    )


def _step_to(key: str, step: str, point: dict) -> None:
    st.session_state[key] = step


def figure_of(step: str, journey: Journey, height: int) -> tuple[go.Figure, str]:
    """What a step has made of the picture, and the same in words."""
    config = journey.model.config
    if step == "Image":
        return picture(
            journey.pixels, height
        ), f"Test image {journey.number}: {CLASSES[journey.label]}."
    if step == "Patches":
        return patches(
            journey.pixels, config.patch_size, height
        ), f"The picture cut into {config.num_patches} patches."
    if step == "Tokens":
        tokens = journey.trace.tokens[0][0].numpy()
        return shades(tokens, height), f"{len(tokens)} rows of {tokens.shape[1]} numbers."
    if step == "Blocks":
        alt = f"What CLS looks at in {config.depth} layers of {config.num_heads} heads."
        return thumbnails(attention_maps(journey.trace, 0), None, None, None, height), alt
    answer = top_classes(journey.probabilities, CLASSES, journey.label, 3).update_layout(
        height=height
    )
    answer.update_xaxes(range=[0, 1.4])
    return answer, f"{CLASSES[journey.best]}, {journey.probabilities[journey.best]:.0%}."


def _lengths(journey: Journey) -> None:
    found = residual_norms(journey.model, normalize(journey.image[None]))
    layers = tuple(range(1, journey.model.config.depth + 1))
    charts = (
        ("length of a token", {"after the block": np.array(found.tokens[1:])}),
        (
            "length of what is added",
            {"by attention": np.array(found.attention), "by the MLP": np.array(found.mlp)},
        ),
    )
    for column, (title, lines) in zip(st.columns(2), charts, strict=True):
        with column:
            alt = f"By block, {title}: " + "; ".join(
                f"{name} {values[-1]:.1f} at last" for name, values in lines.items()
            )
            chart(two_lines(layers, lines, "block", title, 220), key=title, alt=alt)


def _words(step: str, journey: Journey) -> str:
    config, label, best = journey.model.config, journey.label, journey.best
    side, share = config.image_size, journey.probabilities[best]
    return {
        "Image": f"Test image {journey.number} of CIFAR-10: {CLASSES[label]}, {side} × {side} pixels of red, green and blue, "
        f"that is {3 * side**2:,} numbers. The model has never learned from it.",
        "Patches": f"It is cut into {config.num_patches} patches of {config.patch_size} × {config.patch_size} pixels. To the "
        "model they are what words are to a translator.",
        "Tokens": f"Each patch becomes a **token**: {config.embed_dim} numbers, a row here. Numbers that say where it lay are "
        "added, and one token more goes on top: **CLS**, which has seen nothing yet. Purple is negative, orange positive.",
        "Blocks": f"{config.depth} blocks, one after the other. In each, the tokens gather from each other (**attention**), "
        "then each works on what it has (**MLP**). Small maps: what CLS looks at, layers down, heads across, bright is "
        "much. Lines: how long the tokens are after each block, and how much each half of it adds.",
        "Class": f"After the last block the class is read from CLS alone: {CLASSES[best]}, {share:.0%}"
        + (", which is right." if best == label else f". It is a {CLASSES[label]}."),
    }[step]
