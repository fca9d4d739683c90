"""The pictures that a question about the model, not about one picture, is asked of: fewer of a large model."""

import streamlit as st
import torch

from ...config import ModelConfig
from ...costs import macs
from ...data.cifar10 import normalize
from ...model import VisionTransformer
from ...runs.pretrained import crop
from ...runs.run import Run
from ..cached import images_shown, validation_split

ENOUGH = 150e9  # multiply-adds that a question may take to go once through its pictures
FEWEST = 4
AT_ONCE = 200e9  # multiply-adds that may go by while somebody waits without a progress bar


def pictures_of(run: Run, wanted: int) -> int:
    """How many pictures are asked, of those wanted."""
    affordable = int(ENOUGH / sum(macs(run.model).values()))
    return min(wanted, images_shown(run), max(FEWEST, affordable))


def slow(model: ModelConfig) -> bool:
    """Whether it takes long to cover each patch of one picture in turn."""
    return model.num_patches * sum(macs(model).values()) > AT_ONCE


def sample(run: Run, model: VisionTransformer, wanted: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The first validation images as the model takes them, normalized (B, C, S, S), and what is right for them (B,).

    ImageNet has other classes than these images: there the model's own first answers stand for what is right.
    """
    split = validation_split(run)[: pictures_of(run, wanted)]
    if run.sees_own_classes:
        return normalize(split.images), split.labels
    return _answered(run.id, wanted, run, model, split.images)


@st.cache_resource(max_entries=8, show_spinner="Asking the model about the sample …")
@torch.no_grad()  # an inference tensor could not go through a gradient later
def _answered(
    run_id: str, wanted: int, _run: Run, _model: VisionTransformer, _images: torch.Tensor
) -> tuple:
    images = normalize(torch.stack([crop(_run.id, image) for image in _images]))
    return images, _model(images).argmax(dim=1)
