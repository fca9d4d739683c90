"""The validation images for analyses of the model as a whole, not of one picture."""

from dataclasses import dataclass

import streamlit as st
import torch
from PIL import Image

from ...config import ModelConfig
from ...costs import macs
from ...data.cifar10 import normalize, pixels_of
from ...runs.run import Run
from ..cached import HASHES, images_shown, model_of, validation_split
from ..picture_picker import model_input

SAMPLE_MACS = 150e9  # that one pass through the sample may take
FEWEST = 4
SLOW_MACS = 200e9  # more than somebody waits for without a progress bar


@dataclass(frozen=True)
class Sample:
    """The first validation images, and what counts as correct for them."""

    images: torch.Tensor  # (B, C, S, S), normalized
    labels: torch.Tensor  # (B,)

    def __len__(self) -> int:
        return len(self.labels)


def is_slow(model: ModelConfig) -> bool:
    """Return whether it takes long to occlude each patch of one picture in turn."""
    return model.num_patches * sum(macs(model).values()) > SLOW_MACS


def sample_of(run: Run, wanted: int) -> Sample:
    """Return up to `wanted` pictures, fewer for a large model.

    A model trained on other images than CIFAR-10 has other classes: there its own predictions count
    as correct.
    """
    affordable = max(FEWEST, int(SAMPLE_MACS / sum(macs(run.model).values())))
    count = min(wanted, images_shown(run), affordable)
    if run.sees_own_classes:
        split = validation_split(run)[:count]
        return Sample(normalize(split.images), split.labels)
    return _predicted_sample(run, count)


@st.cache_resource(
    max_entries=8, show_spinner="Classifying the validation images …", hash_funcs=HASHES
)
@torch.no_grad()  # an inference tensor could not take part in a backward pass later
def _predicted_sample(run: Run, count: int) -> Sample:
    split = validation_split(run)[:count]
    pictures = (Image.fromarray(pixels_of(image)) for image in split.images)
    images = normalize(torch.stack([model_input(run, picture) for picture in pictures]))
    return Sample(images, model_of(run)(images).argmax(dim=1))
