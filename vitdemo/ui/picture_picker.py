"""The picture that a model classifies: a validation image, or a visitor's own picture."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import streamlit as st
import torch
from PIL import Image

from ..data.cifar10 import CLASSES, Split, pixels_of
from ..data.uploads import to_model_input
from ..figures.pictures import CELL, sheet
from ..runs.pretrained import crop, crop_fraction
from ..runs.run import Run
from .cached import probabilities_of, validation_split
from .chart import Cells, chart
from .own_picture import own_picture
from .task_panel import stop_started

SHEET = "sheet"  # key of the chart with the validation images
SHEET_COLUMNS, SHEET_ROWS = 6, 5
ROW_HEIGHT = 51  # pixels on the screen
PER_PAGE = SHEET_COLUMNS * SHEET_ROWS
PREDICTIONS = ("all", "correct", "incorrect")


@dataclass(frozen=True)
class Picture:
    """A picture to classify."""

    image: torch.Tensor  # (3, S, S) uint8, the input of the model
    label: int | None  # index of the true class; None if it is unknown
    name: str
    shows: str  # its CIFAR-10 class; "" for a visitor's own picture
    original: Image.Image  # before it was cropped and scaled to the model's input size

    @property
    def pixels(self) -> np.ndarray:
        """The input of the model as an array (S, S, 3) uint8."""
        return pixels_of(self.image)

    @cached_property
    def digest(self) -> str:
        """Cache key that differs between pictures."""
        return hashlib.sha256(self.image.numpy().tobytes()).hexdigest()


def model_input(run: Run, original: Image.Image) -> torch.Tensor:
    """Crop and scale a picture to (3, S, S) uint8, as a run's model takes it."""
    if run.origin == "imagenet":
        return crop(run.id, torch.from_numpy(np.asarray(original).copy()).permute(2, 0, 1))
    return to_model_input(original, run.model.image_size)


def fitted(run: Run, original: Image.Image, name: str, shows: str = "") -> Picture:
    """Return a picture as a run's model takes it."""
    label = run.classes.index(shows) if shows in run.classes else None
    return Picture(model_input(run, original), label, name, shows, original)


def validation_picture(run: Run, number: int) -> Picture:
    """Return a validation image of a run by its number."""
    split = validation_split(run)
    original = Image.fromarray(pixels_of(split.images[number]))
    return fitted(run, original, f"validation image {number}", CLASSES[split.labels[number]])


def choose_picture(run: Run) -> Picture:
    """Draw where pictures come from, and return the chosen one."""
    source = st.segmented_control(
        "Picture source",
        ["Validation", "Upload", "Camera"],
        default="Validation",
        required=True,
        key="source",
        persist_state="session",
        help="Validation images are photos that the model was not trained on.",
    )
    own = None if source == "Validation" else _own_picture(source, run)
    return own or validation_picture(run, st.session_state["picture"])


def _own_picture(source: str, run: Run) -> Picture | None:
    """Return the visitor's picture, with a note on what of it the model does not see."""
    image = own_picture(
        source,
        "Its central square is scaled to the input size of the model. The picture is kept in "
        f"memory only and is deleted when you leave. The model knows only its {len(run.classes):,} "
        "classes and predicts one of them for any picture.",
    )
    if image is None:
        return None
    st.caption(cropped_note(run, *image.size))
    return fitted(run, image, "your picture")


def cropped_note(run: Run, width: int, height: int) -> str:
    """Say how much of a picture the model sees."""
    side = min(width, height) * (crop_fraction(run.id) if run.origin == "imagenet" else 1.0)
    sides = {"width": side / width, "height": side / height}
    parts = [f"{seen:.0%} of the {name}" for name, seen in sides.items() if seen < 0.995]
    if not parts:
        return "The model sees the whole picture."
    return f"The model sees the central square: {' and '.join(parts)}. The rest is cropped."


def choose_validation_image(run: Run) -> list[int]:
    """Draw the validation images to choose from, if pictures come from there.

    Drawn after what shows the chosen picture: it takes longer, and changes little.

    Returns:
        The numbers of the images that can be clicked.
    """
    if st.session_state["source"] != "Validation":
        return []
    split = validation_split(run)
    found = _filter_images(run, split)
    shown = []
    if len(found):
        shown = _image_sheet(split, found)
    else:
        st.info("No validation image matches these filters. Choose another class or prediction.")
    st.number_input(
        "Image number",
        min_value=0,
        max_value=len(split) - 1,
        key="picture",
        persist_state="session",
        on_change=stop_started,
        help="Number of the validation image, counted from 0. This is another way to choose it.",
    )
    if not run.sees_own_classes:
        st.caption(
            "These are photos of CIFAR-10, with 32 × 32 pixels, and this model was trained on "
            "other images. Try a picture of your own."
        )
    return shown


def _filter_images(run: Run, split: Split) -> np.ndarray:
    """Draw the filters and return the numbers of the images that match them."""
    labels = split.labels.numpy()
    first, second = st.columns(2)
    class_ = first.selectbox(
        "Class",
        ("any", *CLASSES),
        key="class",
        persist_state="session",
        format_func=str.capitalize,
        help="Show only images of this class.",
    )
    predictions = second.selectbox(
        "Predictions",
        PREDICTIONS,
        key="predictions",
        persist_state="session",
        format_func=str.capitalize,
        help="Show only images that the model classifies correctly or incorrectly.",
        disabled=not run.sees_own_classes,  # their true classes are not among the model's
    )
    passing = np.ones(len(labels), bool)
    if class_ != "any":
        passing &= labels == CLASSES.index(class_)
    if run.sees_own_classes and predictions != "all":
        is_correct = probabilities_of(run).argmax(axis=1) == labels
        passing &= is_correct if predictions == "correct" else ~is_correct
    return np.flatnonzero(passing)


def _image_sheet(split: Split, found: np.ndarray) -> list[int]:
    """Draw the images that match the filters, page by page; a click chooses one. Return which."""
    picture = st.session_state["picture"]
    pages = -(-len(found) // PER_PAGE)
    page = 1
    if pages > 1:
        first = int(np.searchsorted(found, picture)) // PER_PAGE + 1 if picture in found else 1
        filters = f"{st.session_state['class']}-{st.session_state['predictions']}"
        page = st.pagination(pages, default=first, key=f"page-{filters}-{pages}", width="stretch")
    shown = found[(page - 1) * PER_PAGE : page * PER_PAGE].tolist()
    chosen = shown.index(picture) if picture in shown else None
    rows = [shown[start : start + SHEET_COLUMNS] for start in range(0, len(shown), SHEET_COLUMNS)]

    def clicked(point: dict) -> None:
        row, column = int(point["y"] // CELL), int(point["x"] // CELL)
        if row < len(rows) and column < len(rows[row]):
            st.session_state["picture"] = rows[row][column]
            stop_started()

    chart(
        sheet(pixels_of(split.images[shown]), SHEET_COLUMNS, chosen, 16 + ROW_HEIGHT * len(rows)),
        key=SHEET,
        alt=f"{len(shown)} of {len(found)} validation images to choose from.",
        on_click=clicked,
        cells=Cells(rows, picture),
        download=False,
    )
    matching = "1 image matches" if len(found) == 1 else f"{len(found):,} images match"
    caption = f"{matching} the filters. Click one to choose it."
    if chosen is not None:
        caption += " The chosen image is framed."
    st.caption(caption)
    return shown
