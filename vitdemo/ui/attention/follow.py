"""Follow: which patches did the answer come from? Four methods side by side, each with its formula and source."""

from functools import partial

import numpy as np
import streamlit as st
import torch

from ...data import CLASSES, normalise
from ...explain.methods import METHODS
from ...explain.rollout import FUSIONS
from ...figures.attention import overlay
from ...model import VisionTransformer
from ..chart import chart
from ..picture_picker import Picture
from .see import View
from .state import DISCARDS, WINDOWS

TITLES = {
    "attention": "Attention of one layer",
    "rollout": "Attention rollout",
    "relevance": "Gradient-weighted relevance",
    "occlusion": "Occlusion",
}
UNITS = {"attention": "attention", "rollout": "share", "relevance": "relevance", "occlusion": "fall"}
WORDS = {
    "attention": "What the class's token takes from each patch in one layer. Quick, but blind to all other layers, and the "
    "same for every class.",
    "rollout": "What of each patch's embedding has reached it through all layers, if attention and the residual "
    "connection were all there is. The same for every class.",
    "relevance": "Attention through all layers, but only where more of it would raise the class's logit.",
    "occlusion": "How far the class's probability falls when the patch is covered with the picture's mean colour. No "
    "attention is looked at: the model is only asked again. Orange patches speak for the class, purple ones against it.",
}
FORMULAS = {
    "attention": (
        r"A^{(l)}_h = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d_k}}\right)",
        "A. Vaswani et al., *Attention Is All You Need*, 2017, equation 1; section 1.3.3 of the annotation. Without a head, "
        "the mean over all $h$.",
    ),
    "rollout": (
        r"\tilde A^{(l)} = \mathrm{rows}\!\left(\bar A^{(l)} + I\right), \qquad "
        r"R = \tilde A^{(L)} \cdots \tilde A^{(2)} \tilde A^{(1)}",
        "S. Abnar and W. Zuidema, *Quantifying Attention Flow in Transformers*, 2020, section 3. $\\bar A$ is the mean of the "
        "heads (or their largest or smallest entries), $\\mathrm{rows}$ divides each row by its sum. Discarding the smallest "
        "entries first is not in the paper.",
    ),
    "relevance": (
        r"\bar A^{(l)} = \frac1H \sum_h \left(\nabla A^{(l)}_h \odot A^{(l)}_h\right)^{+}, \qquad "
        r"R \leftarrow R + \bar A^{(l)} R",
        "H. Chefer, S. Gur and L. Wolf, *Generic Attention-model Explainability*, 2021, rules 5 and 6. $\\nabla A$ is the "
        "gradient of the class's logit, $^{+}$ leaves negative products out, and $R$ begins as the identity.",
    ),
    "occlusion": (
        r"\Delta_p = P(c \mid x) - P(c \mid x \text{ with patch } p \text{ covered})",
        "M. Zeiler and R. Fergus, *Visualizing and Understanding Convolutional Networks*, 2014, section 4.2.",
    ),
}


def choose_options(probabilities: np.ndarray) -> dict:
    """The class to explain, and each method's own options: keyword arguments for `maps_of`."""
    first, second, third, fourth = st.columns(4, vertical_alignment="bottom")
    best = CLASSES[int(probabilities.argmax())]
    class_ = first.selectbox(
        "Class",
        ("answer", *CLASSES),
        key="explained",
        persist_state="session",
        format_func=lambda name: f"the answer ({best})" if name == "answer" else name,
        help="Relevance and occlusion ask what speaks for this class. Take one that the model did not name to see why not.",
    )
    fusion = second.selectbox(
        "Heads in rollout",
        FUSIONS,
        key="fusion",
        persist_state="session",
        help="How the heads of a layer become one matrix: their mean, as in the paper, or for each pair of tokens the largest "
        "or the smallest.",
    )
    discard = third.selectbox(
        "Discarded in rollout",
        DISCARDS,
        key="discard",
        persist_state="session",
        format_func=lambda share: f"{share:.0%}",
        help="This share of each layer's matrix, its smallest entries, counts as 0. It makes the map clearer, not truer.",
    )
    window = fourth.selectbox(
        "Covered in occlusion",
        WINDOWS,
        key="window",
        persist_state="session",
        format_func=lambda side: "one patch" if side == 1 else f"{side} by {side} patches",
        help="How much is covered at a time. One patch is often too little to matter: its neighbours say the same.",
    )
    chosen = int(probabilities.argmax()) if class_ == "answer" else CLASSES.index(class_)
    return {"class_": chosen, "fusion": fusion, "discard": discard, "window": window}


def explainers(view: View, fusion: str, discard: float, window: int) -> dict:
    """Every method with its options set: model, normalised pictures (B, C, H, W), classes (B,) -> (B, n, n)."""
    options = {
        "attention": {"layer": view.layer, "head": view.head},
        "rollout": {"fusion": fusion, "discard": discard},
        "relevance": {},
        "occlusion": {"window": window},
    }
    return {name: partial(METHODS[name], **options[name]) for name in METHODS}


def show(model: VisionTransformer, picture: Picture, view: View, options: dict) -> None:
    """Each method's map over the picture."""
    class_, where = options["class_"], "mean of heads" if view.head is None else f"head {view.head + 1}"
    images, classes = normalise(picture.image[None]), torch.tensor([class_])
    settings = {name: value for name, value in options.items() if name != "class_"}
    for pair in (("attention", "rollout"), ("relevance", "occlusion")):
        for column, name in zip(st.columns(2), pair, strict=True):
            grid = explainers(view, **settings)[name](model, images, classes)[0].numpy(force=True)
            asks = f" (layer {view.layer + 1}, {where})" if name == "attention" else ""
            for_ = f" for {CLASSES[class_]}" if name in ("relevance", "occlusion") else ""
            with column:
                st.markdown(f"**{TITLES[name]}{for_}**{asks}")
                chart(
                    overlay(
                        picture.pixels,
                        grid,
                        model.config.patch_size,
                        None,
                        view.strength,
                        smooth=view.smooth,
                        unit=UNITS[name],
                        signed=name == "occlusion",
                    ),
                    key=f"map-{name}",
                    alt=f"{TITLES[name]}{for_}{asks} over the patches: from {grid.min():.3f} to {grid.max():.3f}.",
                )
                st.caption(WORDS[name])
                with st.expander("Formula and source", icon=":material/function:"):
                    formula, source = FORMULAS[name]
                    st.latex(formula)
                    st.markdown(source)
