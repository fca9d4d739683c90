"""Start: one picture on its way through a trained Vision Transformer, step by step."""

import numpy as np
import streamlit as st
import torch

from ...data import CLASSES, normalise
from ...explain.attention import all_grids
from ...explain.flow import stream
from ...explain.methods import reading_weights
from ...figures.attention import thumbnails
from ...figures.numbers import shades, two_lines
from ...figures.pictures import patches, picture
from ...figures.predictions import top_classes
from ...model import VisionTransformer
from ..chart import chart
from .example import PICTURES, first_pictures, plain_vit
from .lesson import Lesson

HEIGHT = 320
STEPS = {  # name: the page where it is taken apart
    "Picture": "pages/image_to_tokens.py",
    "Patches": "pages/image_to_tokens.py",
    "Tokens": "pages/image_to_tokens.py",
    "Blocks": "pages/block.py",
    "Answer": "pages/attention.py",
}


def live_picture(lesson: Lesson) -> None:
    """The steps, one of them large."""
    run, model = plain_vit()
    first, second = st.columns(2)
    with first:
        step = lesson.choose("step", "Step", tuple(STEPS), "Picture", "Go through them from left to right.")
    with second:
        number = lesson.choose("picture", "Picture", range(PICTURES), 0, "A test image.", draw=st.select_slider)
    split = first_pictures(PICTURES)
    image, label = split.images[number], int(split.labels[number])
    with torch.no_grad():
        logits, trace = model.trace(normalise(image[None]))
    probabilities = logits.softmax(dim=1)[0].numpy()
    config, best = run.model, int(probabilities.argmax())
    pixels = image.permute(1, 2, 0).numpy()
    left, right = st.columns([3, 2], vertical_alignment="top")
    with left:
        if step == "Picture":
            chart(picture(pixels, HEIGHT), key="live-picture", alt=f"Test image {number}: {CLASSES[label]}.")
        if step == "Patches":
            alt = f"The picture cut into {config.num_patches} patches."
            chart(patches(pixels, config.patch_size, HEIGHT), key="live-patches", alt=alt)
        if step == "Tokens":
            tokens = trace.tokens[0][0].numpy()
            alt = f"{len(tokens)} rows of {tokens.shape[1]} numbers."
            chart(shades(tokens, HEIGHT), key="live-tokens", alt=alt)
        if step == "Blocks":
            found = stream(model, normalise(image[None]))
            alt = f"What CLS looks at in {config.depth} layers of {config.num_heads} heads."
            chart(thumbnails(all_grids(trace, 0), None, None, None, HEIGHT), key="live-blocks", alt=alt)
            layers = tuple(range(1, config.depth + 1))
            lines = {"by attention": np.array(found.attention), "by the MLP": np.array(found.mlp)}
            chart(two_lines(layers, lines, "block", "length of what is added", 220), key="live-added", alt="By block.")
        if step == "Answer":
            alt = f"{CLASSES[best]}, {probabilities[best]:.0%}."
            chart(top_classes(probabilities, CLASSES, label), key="live-answer", alt=alt)
    with right:
        st.subheader(f"{list(STEPS).index(step) + 1}. {step}")
        st.markdown(_words(step, config, number, label, best, probabilities[best]))
        st.page_link(STEPS[step], label="Take this step apart", icon=":material/arrow_forward:")
    lesson.predict(
        "tokens",
        f"Patches of {config.patch_size} × {config.patch_size} pixels, and CLS: how many tokens is that?",
        {"17": 17, "65": 65, "1,025": 1025},
        lambda: trace.tokens[0].shape[1],
        "{}, counted in the tensor.",
    )
    lesson.predict(
        "read",
        "From how many of these tokens is the answer read, after the last block?",
        {"1": 1, "all but CLS": config.num_patches, "all": config.num_tokens},
        lambda: float((reading_weights(model, trace) > 0).sum()),
        "{}: CLS. What it knows of the picture, it has gathered by attention.",
    )
    lesson.code(VisionTransformer.forward, "The whole way in four lines: `embed`, each `block`, `classify`.")


def _words(step: str, config, number: int, label: int, best: int, share: float) -> str:
    side = config.image_size
    return {
        "Picture": f"Test image {number} of CIFAR-10: {CLASSES[label]}, {side} × {side} pixels of red, green and blue, that is "
        f"{3 * side**2:,} numbers. The model has never learnt from it.",
        "Patches": f"It is cut into {config.num_patches} patches of {config.patch_size} × {config.patch_size} pixels. To the "
        "model they are what words are to a translator.",
        "Tokens": f"Each patch becomes a token: {config.embed_dim} numbers, a row here. Numbers that say where it lay are "
        "added, "
        "and a token more goes on top: CLS, which has seen nothing yet. Purple is negative, orange positive.",
        "Blocks": f"{config.depth} blocks, one after the other. In each, tokens gather from each other (attention), then each "
        "works on what it has (MLP). Small maps: what CLS looks at, layers down, heads across, bright is much. Lines: how much "
        "each half of a block adds.",
        "Answer": f"After the last block the class is read from CLS alone: {CLASSES[best]}, {share:.0%}"
        + (", which is right." if best == label else f". It is a {CLASSES[label]}."),
    }[step]
