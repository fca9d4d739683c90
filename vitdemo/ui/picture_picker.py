"""Which picture the model is asked about: a validation image, by class and answer, or one's own."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch

from ..config import ConfigError
from ..data import CLASSES, Split, normalise
from ..figures.pictures import CELL, sheet
from ..model import Trace, VisionTransformer
from ..pictures import FORMATS, read_picture, to_model_input
from ..runs import Run
from .chart import chart
from .results import probabilities_of, validation_split

SHEET_COLUMNS, SHEET_ROWS = 6, 5
ANSWERS = ("all", "right", "wrong")


@dataclass(frozen=True)
class Picture:
    """What the model is asked about."""

    image: torch.Tensor  # (3, H, W) uint8
    label: int | None  # index into CLASSES; None for an uploaded picture
    name: str

    @property
    def pixels(self) -> np.ndarray:
        """(H, W, 3) uint8."""
        return self.image.permute(1, 2, 0).numpy()


def choose_picture(run: Run) -> Picture:
    """The picture to ask about: a validation image by class and answer, or one's own."""
    source = st.segmented_control(
        "Picture from",
        ["Validation", "Upload", "Camera"],
        default="Validation",
        required=True,
        key="source",
        persist_state="session",
        help="Validation images are photographs that the model never learnt from.",
    )
    own = None if source == "Validation" else _own(source, run.model.image_size)
    return own or _from_validation(run, pickable=source == "Validation")


@torch.inference_mode()
def ask(model: VisionTransformer, picture: Picture) -> tuple[np.ndarray, Trace]:
    """The probability of each class (K,), and what the model computed on the way."""
    logits, trace = model.trace(normalise(picture.image[None]))
    return logits.softmax(dim=1)[0].numpy(), trace


def _own(source: str, size: int) -> Picture | None:
    fate = (
        "Its middle square is scaled to the model's size. It stays in this app's memory and is forgotten when you leave. The "
        "model knows only its ten classes and will name one of them for anything."
    )
    if source == "Camera":
        file = st.camera_input("Take a picture", help=fate)
    else:
        types = [name.lower() for name in (*FORMATS, "JPG")]
        file = st.file_uploader("Your picture", type=types, help=f"PNG, JPEG or WebP. {fate}")
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
    if pickable:
        split = validation_split(run)
        _pick(split, split.labels.numpy(), probabilities_of(run).argmax(axis=1))
    return validation_picture(run, st.session_state["picture"])


def validation_picture(run: Run, number: int) -> Picture:
    """One of the run's validation images."""
    split = validation_split(run)
    return Picture(split.images[number], int(split.labels[number]), f"validation image {number}")


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
