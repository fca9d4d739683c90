"""The trained models and images that several lesson pages use."""

import streamlit as st
import torch

from ...config import ConfigError
from ...data.cifar10 import Split, load_cifar10
from ...lessons.encoder_decoder import Reverser, train_reverser
from ...lessons.tokens import shuffle_patches
from ...model import VisionTransformer
from ...runs.run import DAMAGED, Run
from ...runs.shipped import shipped_runs
from ..cached import model_of

PICTURES = 30  # test images to choose from
SAMPLE = 200  # test images for measuring an accuracy
FIRST_DIGITS = "3 1 4 1 5 9"  # the sequence that the pages begin with


def plain_vit() -> tuple[Run, VisionTransformer]:
    """Return the shipped ViT with the architecture of the paper: linear patch embedding and CLS.

    It is for a few images; for many, take `model_of`.

    Raises:
        ConfigError: its file is missing or damaged.
    """
    run = next(run for run in shipped_runs() if run.id == "vit")
    if run.state == DAMAGED:
        raise ConfigError(run.message)
    return run, model_of(run, images=4)


def first_pictures(count: int) -> Split:
    """Return the first test images, which the model was not trained on."""
    return load_cifar10(1, count).validation


def shuffled(images: torch.Tensor) -> torch.Tensor:
    """Shuffle the patches of `plain_vit` in images (B, C, H, W), in the same order for all."""
    config = plain_vit()[0].model
    order = torch.randperm(config.num_patches, generator=torch.Generator().manual_seed(0))
    return shuffle_patches(images, config.patch_size, order)


@st.cache_resource(show_spinner="Training a small Transformer to reverse digits …")
def trained_reverser() -> tuple[Reverser, list[float]]:
    """Return the small Transformer and its accuracy in each training step."""
    return train_reverser()


def reverser() -> Reverser:
    """Return the small Transformer, trained."""
    return trained_reverser()[0]
