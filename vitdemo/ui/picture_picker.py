"""Which picture the model is asked about: a validation image, by class and answer, or one's own."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import streamlit as st
import torch
from PIL import Image

from ..config import ConfigError
from ..data.cifar10 import CLASSES, Split, normalize
from ..data.uploads import FORMATS, read_picture, to_model_input
from ..figures.pictures import CELL, sheet
from ..model import Trace, VisionTransformer
from ..runs.pretrained import crop
from ..runs.run import Run
from .cached import probabilities_of, validation_split
from .chart import chart

SHEET_COLUMNS, SHEET_ROWS = 6, 5
ANSWERS = ("all", "right", "wrong")


@dataclass(frozen=True)
class Picture:
    """What the model is asked about."""

    image: torch.Tensor  # (3, S, S) uint8, as the model takes it
    label: int | None  # index into the model's classes; None where nobody knows it
    name: str
    shows: str  # the class of CIFAR-10 that it is of; "" for one's own
    original: Image.Image  # before it was made to fit the model

    @property
    def pixels(self) -> np.ndarray:
        """(S, S, 3) uint8."""
        return self.image.permute(1, 2, 0).numpy()

    @cached_property
    def digest(self) -> str:
        """That no other picture has."""
        return hashlib.sha256(self.image.numpy().tobytes()).hexdigest()


def fitted(run: Run, original: Image.Image, name: str, shows: str = "") -> Picture:
    """A picture as the run's model takes it."""
    if run.origin == "imagenet":
        image = crop(run.id, torch.from_numpy(np.asarray(original).copy()).permute(2, 0, 1))
    else:
        image = to_model_input(original, run.model.image_size)
    return Picture(
        image, run.classes.index(shows) if shows in run.classes else None, name, shows, original
    )


def choose_picture(run: Run) -> Picture:
    """The picture to ask about: a validation image by class and answer, or one's own."""
    source = st.segmented_control(
        "Picture from",
        ["Validation", "Upload", "Camera"],
        default="Validation",
        required=True,
        key="source",
        persist_state="session",
        help="Validation images are photographs that the model never learned from.",
    )
    own = None if source == "Validation" else _own(source, run)
    return own or _from_validation(run, pickable=source == "Validation")


def ask(model: VisionTransformer, key: tuple, picture: Picture) -> tuple[np.ndarray, Trace]:
    """The probability of each class (K,), and what the model computed on the way.

    Args:
        model: in evaluation.
        key: that no other model has.
        picture: as the model takes it.
    """
    return _ask((*key, picture.digest), model, picture)


@st.cache_resource(max_entries=16, show_spinner=False)
@torch.inference_mode()
def _ask(key: tuple, _model: VisionTransformer, _picture: Picture) -> tuple[np.ndarray, Trace]:
    logits, trace = _model.trace(normalize(_picture.image[None]))
    return logits.softmax(dim=1)[0].numpy(), trace


def _own(source: str, run: Run) -> Picture | None:
    fate = (
        "Its middle square is scaled to the model's size. It stays in this app's memory and is forgotten when you leave. The "
        f"model knows only its {len(run.classes):,} classes and will name one of them for anything."
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
        st.error(
            f"{error} Until then the validation image is shown.", icon=":material/broken_image:"
        )
        return None
    for note in notes:
        st.caption(note)
    return fitted(run, picture, "your picture")


def _from_validation(run: Run, pickable: bool) -> Picture:
    if pickable:
        split = validation_split(run)
        _pick(
            split,
            split.labels.numpy(),
            probabilities_of(run).argmax(axis=1) if run.sees_own_classes else None,
        )
        if not run.sees_own_classes:
            st.caption(
                "Photographs of CIFAR-10, scaled up from 32 pixels: blurred for such a model. Try one of your own."
            )
    return validation_picture(run, st.session_state["picture"])


def validation_picture(run: Run, number: int) -> Picture:
    """One of the run's validation images."""
    split = validation_split(run)
    original = Image.fromarray(split.images[number].permute(1, 2, 0).numpy())
    return fitted(run, original, f"validation image {number}", CLASSES[split.labels[number]])


def _pick(split: Split, labels: np.ndarray, predicted: np.ndarray | None) -> None:
    """Filters, and a sheet of what passes them; a click chooses. Without predictions, none is right or wrong."""
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
        disabled=predicted is None,
    )
    passing = np.ones(len(labels), bool)
    if kind != "any":
        passing &= labels == CLASSES.index(kind)
    if answers != "all" and predicted is not None:
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
        page = st.pagination(
            pages, default=of_picture, key=f"page-{kind}-{answers}-{pages}", width="stretch"
        )
    shown = found[(page - 1) * per_page : page * per_page]
    place = int(np.flatnonzero(shown == picture)[0]) if picture in shown else None

    def clicked(point: dict) -> None:
        chosen = int(point["y"] // CELL) * SHEET_COLUMNS + int(point["x"] // CELL)
        if chosen < len(shown):
            st.session_state["picture"] = int(shown[chosen])

    figure = sheet(
        split.images[shown].permute(0, 2, 3, 1).numpy(), SHEET_COLUMNS, place, height=270
    )
    chart(
        figure,
        key="sheet",
        alt=f"{len(shown)} of {len(found)} validation images to choose from.",
        on_click=clicked,
    )
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
