"""Parts of the Attention page: which layer, head and token, and what the model says of the picture."""

import numpy as np
import streamlit as st
import torch

from ..config import ModelConfig
from ..data import CLASSES, normalise
from ..explain.attention import attention_grid, attention_matrix, token_name
from ..figures.attention import matrix, overlay, picture_with_patch
from ..figures.predictions import top_classes
from ..model import VisionTransformer
from ..runs import Run
from . import address
from .chart import chart
from .picture_picker import ANSWERS, Picture
from .results import images_shown
from .stem import stem_note

NAMES = {"run", "picture", "class", "answers", "layer", "head", "token", "strength"}  # in the address


def start(run: Run) -> None:
    """Give each control its first value: from the address where it has one, else as in the paper's Figure 3."""
    model, state = run.model, st.session_state
    renumbered = state.setdefault("with_cls", model.has_cls) != model.has_cls  # a token's number now means another
    state["with_cls"] = model.has_cls
    offered = {
        "layer": (range(1, model.depth + 1), model.depth),
        "head": (("mean", *range(1, model.num_heads + 1)), "mean"),
        "token": (askers(model), askers(model)[0]),
        "strength": (range(0, 101, 5), 60),
        "class": (("any", *CLASSES), "any"),
        "answers": (ANSWERS, "all"),
        "picture": (range(images_shown(run)), 0),
    }
    for name, (options, default) in offered.items():
        if name not in state:
            state[name] = address.read(name, options, default)
        elif state[name] not in options or (name == "token" and renumbered):
            state[name] = default  # the model was changed for one of another shape


def askers(model: ModelConfig) -> range | tuple:
    """Whose attention can be shown, the default first: CLS or a patch; without CLS, all patches or one."""
    return range(model.num_tokens) if model.has_cls else ("all", *range(model.num_tokens))


def asker_name(asker: int | str, model: ModelConfig) -> str:
    """`CLS`, `all patches`, or where the patch lies."""
    side = model.image_size // model.patch_size
    return "all patches" if asker == "all" else token_name(asker, side, model.has_cls)


def choose_view(run: Run) -> tuple[int, int | None, int | None, float]:
    """Layer and head from 0 (None: the mean of heads), asking token (None: the mean of all), and strength from 0 to 1."""
    model = run.model
    reader = "CLS, from which" if model.has_cls else "all patches (their mean), from which"
    first, second, third, fourth = st.columns(4)
    with first:
        layer = _slide(
            "Layer",
            "layer",
            range(1, model.depth + 1),
            "The encoder block whose attention is shown. Early ones see the patches nearly raw, the last one decides.",
        )
    with second:
        head = _slide(
            "Head",
            "head",
            ("mean", *range(1, model.num_heads + 1)),
            "One head of that layer, or the mean of all its heads.",
        )
    with third:
        asker = st.selectbox(
            "Asking token",
            askers(model),
            key="token",
            persist_state="session",
            format_func=lambda asker: asker_name(asker, model),
            help=f"Whose attention is shown: {reader} the class is read, or one patch. A click on the picture chooses.",
        )
    with fourth:
        strength = _slide(
            "Heatmap strength",
            "strength",
            range(0, 101, 5),
            "How much the heatmap covers the picture, in percent.",
        )
    return layer - 1, None if head == "mean" else head - 1, None if asker == "all" else asker, strength / 100


def _slide(label: str, key: str, options, explanation: str):
    if len(options) == 1:
        st.selectbox(label, options, key=key, persist_state="session", help=explanation, disabled=True)
        return options[0]
    return st.select_slider(label, options, key=key, persist_state="session", help=explanation)


@torch.inference_mode()
def show_view(
    model: VisionTransformer, picture: Picture, layer: int, head: int | None, token: int | None, strength: float
) -> None:
    """Picture, heatmap, prediction and matrix."""
    shape = model.config
    patch_size, side = shape.patch_size, shape.image_size // shape.patch_size
    logits, trace = model.trace(normalise(picture.image[None]))
    attention = attention_matrix(trace, layer, head)
    grid = attention_grid(attention, token)
    image = picture.image.permute(1, 2, 0).numpy()
    default = askers(shape)[0]
    asking = asker_name("all" if token is None else token, shape)
    patch = None if token is None or asking == "CLS" else token - shape.has_cls
    where = f"layer {layer + 1}, {'mean of heads' if head is None else f'head {head + 1}'}"

    def patch_clicked(point: dict) -> None:
        clicked = shape.has_cls + int(point["y"] // patch_size) * side + int(point["x"] // patch_size)
        st.session_state["token"] = default if clicked == token else clicked

    def row_clicked(point: dict) -> None:
        st.session_state["token"] = int(point["y"])

    left, right = st.columns(2)
    with left:
        is_ = "" if picture.label is None else f": {CLASSES[picture.label]}"
        st.markdown(f"**Picture**{is_}")
        chart(
            picture_with_patch(image, patch_size, patch),
            key="picture_chart",
            alt=f"{picture.name}{is_}; "
            + ("all patches ask." if token is None else f"the asking token, {asking}, is framed."),
            on_click=patch_clicked,
        )
        st.caption(
            ("All patches ask: the mean is shown." if token is None else f"Framed: the asking token ({asking}).")
            + f" Click a patch to let it ask; click it again for {asker_name(default, shape)}.{stem_note(shape)}"
        )
    with right:
        st.markdown(f"**Attention of {asking if patch is None else f'the patch in {asking}'}**")
        shares = f"All patches together get {grid.sum():.0%}, CLS {1 - grid.sum():.0%}."
        even = f"Spread evenly, each patch would get {1 / grid.size:.3f}."
        brightest = token_name(int(grid.argmax()), side, cls=False)
        chart(
            overlay(image, grid, patch_size, patch, strength),
            key="overlay",
            alt=f"Attention of {asking} over the patches, {where}: from {grid.min():.3f} to {grid.max():.3f}, most on the "
            f"patch in {brightest}.",
            on_click=patch_clicked,
        )
        st.caption(
            "Bright patches are taken from most. The colours run from the least to the most of this one map (min-max), so "
            f"compare patterns between layers, not brightness. {shares if shape.has_cls else even}"
        )
    left, right = st.columns(2)
    with left:
        _answer(logits.softmax(dim=1)[0].numpy(), picture.label)
    with right:
        st.markdown("**Every token to every token**")
        chart(
            matrix(attention, token),
            key="matrix",
            alt=f"Attention matrix of {len(attention)} by {len(attention)} tokens, {where}; each row sums to 1.",
            on_click=row_clicked,
        )
    with st.expander("How to read the matrix", icon=":material/help:"):
        _how_to_read(shape.has_cls, token, side)


def _answer(probabilities: np.ndarray, label: int | None) -> None:
    best = int(probabilities.argmax())
    verdict = ""
    if label is not None:
        verdict = ": right" if best == label else f": wrong, it is a {CLASSES[label]}"
    st.markdown(f"**The model says {CLASSES[best]}**{verdict}")
    chart(
        top_classes(probabilities, CLASSES, label),
        key="top_classes",
        alt="Most probable classes: "
        + ", ".join(f"{CLASSES[k]} {probabilities[k]:.0%}" for k in np.argsort(-probabilities)[:5]),
    )
    st.caption("The five most probable classes. Green is the right one, red a wrong first answer.")


def _how_to_read(cls: bool, token: int | None, side: int) -> None:
    above = "the mean of all rows is" if token is None else "the row marked ◀ is"
    order = "Row and column 0 are CLS, then come the patches" if cls else "They are the patches"
    st.markdown(
        f"Each row is one asking token, each column one token that it takes from, so {above} the heatmap above as a line. "
        f"{order} row by row from the top left.\n\n"
        "- Each row sums to 1: it is a softmax.\n"
        "- A bright diagonal: tokens look at themselves.\n"
        f"- Stripes beside it, {side} apart: they look at the patches above and below.\n"
        "- Bright columns: everybody looks at the same patch.\n\n"
        "This is the very matrix that the model multiplied its values with. It shows where information was taken from in "
        "this one layer and head, not by itself why the model decided as it did. Click a row to let that token ask."
    )


def address_values(run: Run) -> dict:
    """The view, to go into the address: the model, and what differs from the default."""
    defaults = {"layer": run.model.depth, "head": "mean", "token": askers(run.model)[0], "strength": 60}
    defaults |= {"class": "any", "answers": "all", "picture": 0}
    state = {name: st.session_state[name] for name in defaults}
    return {"run": run.id} | {name: value for name, value in state.items() if value != defaults[name]}
