"""Parts of the Attention page: which picture, which layer, head and token, and what the model says."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch

from ..config import ConfigError
from ..data import CLASSES, Split, normalise
from ..explain.attention import attention_grid, attention_matrix, token_name
from ..figures.attention import matrix, overlay, picture_with_token
from ..figures.pictures import CELL, sheet
from ..figures.predictions import top_classes
from ..model import VisionTransformer
from ..pictures import FORMATS, read_picture, to_model_input
from ..runs import Run
from . import address
from .chart import chart
from .results import probabilities_of, validation_split
from .warm import one_thread

SHEET_COLUMNS, SHEET_ROWS = 6, 5
ANSWERS = ("all", "right", "wrong")
NAMES = {"run", "picture", "class", "answers", "layer", "head", "token", "strength"}  # in the address


@dataclass(frozen=True)
class Picture:
    """What the model is asked about."""

    image: torch.Tensor  # (3, H, W) uint8
    label: int | None  # index into CLASSES; None for an uploaded picture
    name: str


def start(run: Run) -> None:
    """Give each control its first value: from the address where it has one, else the paper's Figure 3."""
    model, state = run.model, st.session_state
    offered = {
        "layer": (range(1, model.depth + 1), model.depth),
        "head": (("mean", *range(1, model.num_heads + 1)), "mean"),
        "token": (range(model.num_tokens), 0),
        "strength": (range(0, 101, 5), 60),
        "class": (("any", *CLASSES), "any"),
        "answers": (ANSWERS, "all"),
        "picture": (range(run.training.validation_images), 0),
    }
    for name, (options, default) in offered.items():
        if name not in state:
            state[name] = address.read(name, options, default)
        elif state[name] not in options:
            state[name] = default  # the model was changed for one of another shape


def choose_picture(run: Run) -> Picture:
    """The picture to ask about: a validation image by class and answer, or one's own."""
    source = st.segmented_control(
        "Picture from",
        ["Validation images", "Upload"],
        default="Validation images",
        required=True,
        key="source",
        persist_state="session",
        help="Validation images are photographs that the model never learnt from.",
    )
    uploaded = _upload(run.model.image_size) if source == "Upload" else None
    return uploaded or _from_validation(run, pickable=source != "Upload")


def _upload(size: int) -> Picture | None:
    file = st.file_uploader(
        "Your picture",
        type=[name.lower() for name in (*FORMATS, "JPG")],
        help="PNG, JPEG or WebP. Its middle square is scaled to the model's size. It stays in this app's memory and is "
        "forgotten when you leave. The model knows only its ten classes and will name one of them for anything.",
    )
    if file is None:
        st.caption("Until you choose a picture, the validation image stays.")
        return None
    try:
        picture, notes = read_picture(file.getvalue())
    except ConfigError as error:
        st.error(f"{error} Until then the validation image is shown.", icon=":material/broken_image:")
        return None
    for note in notes:
        st.caption(note)
    return Picture(to_model_input(picture, size), None, "your picture")


def _from_validation(run: Run, pickable: bool) -> Picture:
    split, probabilities = validation_split(run), probabilities_of(run)
    labels = split.labels.numpy()
    if pickable:
        _pick(split, labels, probabilities.argmax(axis=1))
    index = st.session_state["picture"]
    return Picture(split.images[index], int(labels[index]), f"validation image {index}")


def _pick(split: Split, labels: np.ndarray, predicted: np.ndarray) -> None:
    """Filters, and a sheet of what passes them; a click chooses."""
    first, second = st.columns(2)
    kind = first.selectbox(
        "Class",
        ("any", *CLASSES),
        key="class",
        persist_state="session",
        format_func=str.capitalize,
        help="Show images of this class only.",
    )
    answers = second.selectbox(
        "Answers",
        ANSWERS,
        key="answers",
        persist_state="session",
        format_func=str.capitalize,
        help="Show images that the model names rightly, or wrongly, only.",
    )
    passing = np.ones(len(labels), bool)
    if kind != "any":
        passing &= labels == CLASSES.index(kind)
    if answers != "all":
        passing &= (predicted == labels) == (answers == "right")
    found = np.flatnonzero(passing)
    if not len(found):
        st.info("No validation image passes these filters: choose another class or other answers.")
        return
    per_page = SHEET_COLUMNS * SHEET_ROWS
    pages = -(-len(found) // per_page)
    picture = st.session_state["picture"]
    of_picture = int(np.searchsorted(found, picture)) // per_page + 1 if picture in found else 1
    page = 1
    if pages > 1:
        page = st.pagination(pages, default=of_picture, key=f"page-{kind}-{answers}-{pages}", width="stretch")
    shown = found[(page - 1) * per_page : page * per_page]
    place = int(np.flatnonzero(shown == picture)[0]) if picture in shown else None

    def clicked(point: dict) -> None:
        chosen = int(point["y"] // CELL) * SHEET_COLUMNS + int(point["x"] // CELL)
        if chosen < len(shown):
            st.session_state["picture"] = int(shown[chosen])

    figure = sheet(split.images[shown].permute(0, 2, 3, 1).numpy(), SHEET_COLUMNS, place, height=270)
    chart(figure, key="sheet", alt=f"{len(shown)} of {len(found)} validation images to choose from.", on_click=clicked)
    st.caption(
        f"Click one of the {len(found):,} images that pass"
        + (". The framed one is shown." if place is not None else ".")
    )
    st.number_input(
        "Image number",
        min_value=0,
        max_value=len(labels) - 1,
        key="picture",
        persist_state="session",
        help="The place of the image among the validation images; another way to choose than a click.",
    )


def choose_view(run: Run) -> tuple[int, int | None, int, float]:
    """Layer and head from 0 (None: the mean of heads), asking token, and strength from 0 to 1."""
    model, side = run.model, run.model.image_size // run.model.patch_size
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
        token = st.selectbox(
            "Asking token",
            range(model.num_tokens),
            key="token",
            persist_state="session",
            format_func=lambda token: token_name(token, side),
            help="Whose attention is shown: CLS, from which the class is read, or a patch. A click on the picture chooses.",
        )
    with fourth:
        strength = _slide(
            "Heatmap strength",
            "strength",
            range(0, 101, 5),
            "How much the heatmap covers the picture, in percent.",
        )
    return layer - 1, None if head == "mean" else head - 1, token, strength / 100


def _slide(label: str, key: str, options, explanation: str):
    if len(options) == 1:
        st.selectbox(label, options, key=key, persist_state="session", help=explanation, disabled=True)
        return options[0]
    return st.select_slider(label, options, key=key, persist_state="session", help=explanation)


@torch.inference_mode()
def show_view(
    model: VisionTransformer, picture: Picture, layer: int, head: int | None, token: int, strength: float
) -> None:
    """Picture, heatmap, prediction and matrix."""
    one_thread()
    patch_size = model.config.patch_size
    side = model.config.image_size // patch_size
    logits, trace = model.trace(normalise(picture.image[None]))
    probabilities = logits.softmax(dim=1)[0].numpy()
    attention = attention_matrix(trace, layer, head)
    grid = attention_grid(attention, token)
    image = picture.image.permute(1, 2, 0).numpy()
    asking, who = token_name(token, side), "mean of heads" if head is None else f"head {head + 1}"
    asker = f"the patch in {asking}" if token else "CLS"
    where = f"layer {layer + 1}, {who}"

    def patch_clicked(point: dict) -> None:
        clicked = 1 + int(point["y"] // patch_size) * side + int(point["x"] // patch_size)
        st.session_state["token"] = 0 if clicked == st.session_state["token"] else clicked

    def row_clicked(point: dict) -> None:
        st.session_state["token"] = int(point["y"])

    left, right = st.columns(2)
    with left:
        is_ = "" if picture.label is None else f": {CLASSES[picture.label]}"
        st.markdown(f"**Picture**{is_}")
        chart(
            picture_with_token(image, patch_size, token),
            key="picture_chart",
            alt=f"{picture.name}{is_}; the asking token, {asking}, is framed.",
            on_click=patch_clicked,
        )
        st.caption(f"Framed: the asking token ({asking}). Click a patch to let it ask; click it again for CLS.")
    with right:
        st.markdown(f"**Attention of {asker}**")
        brightest = token_name(1 + int(grid.argmax()), side)
        chart(
            overlay(image, grid, patch_size, token, strength),
            key="overlay",
            alt=f"Attention of {asking} over the patches, {where}: from {grid.min():.3f} to {grid.max():.3f}, most on the "
            f"patch in {brightest}.",
            on_click=patch_clicked,
        )
        st.caption(
            "Bright patches are taken from most. The colours run from the least to the most of this one map (min-max), so "
            "compare patterns between layers, not brightness. "
            f"All patches together get {grid.sum():.0%}, CLS {attention[token, 0]:.0%}."
        )
    left, right = st.columns(2)
    with left:
        best = int(probabilities.argmax())
        verdict = ""
        if picture.label is not None:
            verdict = ": right" if best == picture.label else f": wrong, it is a {CLASSES[picture.label]}"
        st.markdown(f"**The model says {CLASSES[best]}**{verdict}")
        chart(
            top_classes(probabilities, CLASSES, picture.label),
            key="top_classes",
            alt="Most probable classes: "
            + ", ".join(f"{CLASSES[k]} {probabilities[k]:.0%}" for k in np.argsort(-probabilities)[:5]),
        )
        st.caption("The five most probable classes. Green is the right one, red a wrong first answer.")
    with right:
        st.markdown("**Every token to every token**")
        chart(
            matrix(attention, token),
            key="matrix",
            alt=f"Attention matrix of {len(attention)} by {len(attention)} tokens, {where}; each row sums to 1.",
            on_click=row_clicked,
        )
    with st.expander("How to read the matrix", icon=":material/help:"):
        st.markdown(
            "Each row is one asking token, each column one token that it takes from, so the row marked ◀ is the heatmap above "
            "as a line. Row and column 0 are CLS, then come the patches row by row from the top left.\n\n"
            "- Each row sums to 1: it is a softmax.\n"
            "- A bright diagonal: tokens look at themselves.\n"
            f"- Stripes beside it, {side} apart: they look at the patches above and below.\n"
            "- Bright columns: everybody looks at the same patch.\n\n"
            "This is the very matrix that the model multiplied its values with. It shows where information was taken from in "
            "this one layer and head, not by itself why the model decided as it did. Click a row to let that token ask."
        )


def address_values(run: Run) -> dict:
    """The view, to go into the address: the model, and what differs from the default."""
    defaults = {"layer": run.model.depth, "head": "mean", "token": 0, "strength": 60, "class": "any", "answers": "all"}
    state = {name: st.session_state[name] for name in (*defaults, "picture")}
    return {"run": run.id} | {name: value for name, value in state.items() if value != defaults.get(name, 0)}
