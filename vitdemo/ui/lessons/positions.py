"""Position embeddings: what they encode, and what the model loses without them."""

import numpy as np
import streamlit as st
import torch

from ...data.cifar10 import CLASSES, normalize, pixels_of
from ...explain.importance import accuracy_and_loss
from ...figures.attention import MapStyle, overlay
from ...figures.pictures import patches
from ...figures.predictions import top_classes
from ...figures.tokens import patch_at, patch_name
from ...lessons.tokens import position_similarity, without_positions
from ...runs.run import Run
from ..cached import HASHES, model_of
from ..chart import chart
from .example import SAMPLE, first_pictures, plain_vit, shuffled
from .lesson import Lesson

ORDERS = {"kept": "original", "shuffled": "shuffled"}


def positions(lesson: Lesson, image: torch.Tensor) -> None:
    """Show what the position embeddings encode, and what the model loses without them."""
    st.header("Position embeddings")
    st.markdown(
        "Attention ignores the order of the tokens: it treats them as a set. Therefore the model "
        "learns a **position embedding** for each position, a vector that is added to the token "
        "there. Click a patch to see which positions have similar embeddings."
    )
    left, right = st.columns(2)
    with left:
        _similar_positions(lesson, image)
    with right:
        _shuffled_image(lesson, image)
    _shuffled_sample(lesson)
    lesson.code(
        without_positions,
        "Position embeddings are removed by giving every patch the `mean` of all of them.",
    )


def _similar_positions(lesson: Lesson, image: torch.Tensor) -> None:
    _, model = plain_vit()
    size, side = model.config.patch_size, model.config.grid_size
    key = lesson.key("position")
    st.session_state.setdefault(key, side * side // 2 + side // 2)

    def clicked(point: dict) -> None:
        st.session_state[key] = patch_at(point["x"], point["y"], size, side)

    patch = min(st.session_state[key], model.config.num_patches - 1)
    similarity = position_similarity(model, patch).numpy()
    second = np.sort(similarity.ravel())[-2]  # the largest is the position itself
    style = MapStyle(unit="cosine similarity", signed=True)
    chart(
        overlay(pixels_of(image), similarity, size, style, frame=patch),
        key="similar",
        alt=f"Similarity of the position embedding in {patch_name(patch, side)} to all others, "
        f"at most {second:.2f}.",
        on_click=clicked,
    )
    st.caption(
        "We first subtract the mean of all position embeddings. Color: cosine similarity with the "
        "framed position. Orange positions are like it; purple ones are unlike it. The model was "
        "never told which patches are neighbors; it learned similar embeddings for nearby "
        "positions (compare Dosovitskiy et al. 2021, Figure 7)."
    )


def _shuffled_image(lesson: Lesson, image: torch.Tensor) -> None:
    _, model = plain_vit()
    help = "The order of the patches in the image."
    order = lesson.choose(
        "order", "Patch order", tuple(ORDERS), "kept", help, format_func=ORDERS.get
    )
    shown = shuffled(image[None]) if order == "shuffled" else image[None]
    with torch.inference_mode():
        images = normalize(shown)
        known = model(images).softmax(dim=1)[0].numpy()
        removed = without_positions(model)(images).softmax(dim=1)[0].numpy()
    alt = f"The image with its patches in {ORDERS[order]} order."
    chart(patches(pixels_of(shown[0]), model.config.patch_size, 180), key="order", alt=alt)
    name, probability = CLASSES[removed.argmax()], removed.max()
    st.markdown(
        f"With position embeddings the model predicts **{CLASSES[known.argmax()]}** "
        f"({known.max():.1%}), without them **{name}** ({probability:.1%})."
    )
    chart(
        top_classes(removed, CLASSES, None, 3).update_layout(height=180),
        key="without",
        alt=f"Prediction without position embeddings: {name}, {probability:.1%}.",
    )
    st.caption(
        "Prediction without position embeddings. It is the same for every order of the patches."
    )


def _shuffled_sample(lesson: Lesson) -> None:
    run, _ = plain_vit()
    found = accuracies(run)
    kept, shuffled_patches = found["kept", True], found["shuffled", True]
    lesson.predict(
        "shuffled",
        f"With position embeddings the model classifies {kept:.1%} of {SAMPLE} test images "
        "correctly. What is its accuracy if the patches of each image are shuffled?",
        {f"{kept:.0%}": kept, "55%": 0.55, "25%": 0.25, "10%": 0.1},
        lambda: shuffled_patches,
        "{:.1%}. Each patch still has its colors and textures, but stands in a wrong position.",
    )
    gain = found["kept", False] - shuffled_patches
    if not lesson.predict(
        "removed",
        "Instead, the position embeddings are removed: the model gets no positions at all. How "
        f"does its accuracy compare with the {shuffled_patches:.1%} for shuffled patches?",
        {"lower": -0.1, "the same": 0.0, "higher": 0.1},
        lambda: gain,
        f"{found['kept', False]:.1%}, {100 * gain:+.1f} percentage points. Wrong positions are "
        "worse than none.",
    ):
        return
    rows = ["| Position embeddings | Original order | Shuffled patches |", "|---|---:|---:|"]
    for known, name in ((True, "as learned"), (False, "removed")):
        rows.append(f"| {name} | {found['kept', known]:.1%} | {found['shuffled', known]:.1%} |")
    st.markdown("\n".join(rows))
    st.caption(
        f"Accuracy on {SAMPLE} test images. Removed: every patch gets the mean of all position "
        "embeddings, so the order of the patches makes no difference. Accuracy in the original "
        "order is then lower, because the model was trained with position embeddings."
    )


@st.cache_data(show_spinner="Evaluating the model on shuffled images …", hash_funcs=HASHES)
def accuracies(run: Run) -> dict[tuple[str, bool], float]:
    """Evaluate the shipped ViT on SAMPLE test images: (order, with positions) -> accuracy."""
    model = model_of(run)
    sample, found = first_pictures(SAMPLE), {}
    for order, images in (("kept", sample.images), ("shuffled", shuffled(sample.images))):
        for known, tried in ((True, model), (False, without_positions(model))):
            found[order, known], _ = accuracy_and_loss(tried, normalize(images), sample.labels)
    return found
