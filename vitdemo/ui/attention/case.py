"""A picture, a model and a class to explain: the input of the attribution methods."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch

from ...data.cifar10 import normalize
from ...explain.methods import Method
from ...explain.value_norms import weighted_by_norm
from ...model import VisionTransformer
from ...runs.run import Run
from ...runs.snapshots import Snapshot
from ..cached import HASHES, model_of, snapshot_model
from ..picture_picker import Picture


@dataclass(frozen=True)
class Case:
    """A picture, a run's model, and the class that is to be explained."""

    run: Run
    picture: Picture
    class_: int

    @property
    def key(self) -> tuple:
        """Cache key that changes with the weights, the picture and the class."""
        return *self.run.version, self.picture.digest, self.class_

    @property
    def model(self) -> VisionTransformer:
        """The model, in evaluation mode."""
        return model_of(self.run)

    @property
    def class_name(self) -> str:
        """Name of the class."""
        return self.run.classes[self.class_]

    @property
    def images(self) -> torch.Tensor:
        """(1, C, H, W), normalized."""
        return normalize(self.picture.image[None])

    @property
    def classes(self) -> torch.Tensor:
        """(1,) int64."""
        return torch.tensor([self.class_])


CASE_HASHES = HASHES | {
    Picture: lambda picture: picture.digest,
    Case: lambda case: case.key,
    Method: repr,
}


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=CASE_HASHES)
@torch.inference_mode()
def predict_picture(
    source: Run | Snapshot, picture: Picture
) -> tuple[np.ndarray, list[torch.Tensor]]:
    """Return the class probabilities (K,), and the attention (1, H, T, T) of each layer."""
    logits, trace = _model(source).trace(normalize(picture.image[None]))
    return logits.softmax(dim=1)[0].numpy(), trace.attention


def seen(source: Run | Snapshot, picture: Picture, norms: bool) -> list[torch.Tensor]:
    """Return the attention (1, H, T, T) of each layer, or its product with the value norms."""
    return _weighted(source, picture) if norms else predict_picture(source, picture)[1]


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=CASE_HASHES)
@torch.inference_mode()
def _weighted(source: Run | Snapshot, picture: Picture) -> list[torch.Tensor]:
    model = _model(source)
    return weighted_by_norm(model, model.trace(normalize(picture.image[None]))[1])


def _model(source: Run | Snapshot) -> VisionTransformer:
    return (model_of if isinstance(source, Run) else snapshot_model)(source, images=1)


@st.cache_data(max_entries=512, show_spinner=False, hash_funcs=CASE_HASHES)
def map_of(case: Case, method: Method) -> np.ndarray:
    """Return the attribution map (n, n), also on a background thread."""
    return method(case.model, case.images, case.classes)[0].numpy(force=True)
