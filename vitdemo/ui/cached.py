"""Models and what they predict, computed once for all visitors and again when the weights on disk change."""

import numpy as np
import streamlit as st
import torch

from ..background.training_queue import QUEUE
from ..data.cifar10 import SAMPLE, Split, load_cifar10
from ..explain.predictions import class_probabilities
from ..machine import release_memory
from ..model import VisionTransformer
from ..runs.run import Run, load_weights


def model_of(run: Run) -> VisionTransformer:
    """Return the run's model, to be asked on this thread.

    The thread gets all cores, or one while a training run is active: the others belong to that run.

    Raises:
        ConfigError: it has no weights, or they are damaged.
    """
    torch.set_num_threads(QUEUE.spare_cores())
    return _model(run.version, run)


@st.cache_resource(max_entries=16, show_spinner=False)
def _model(version: tuple, _run: Run) -> VisionTransformer:
    return load_weights(_run)


def images_shown(run: Run) -> int:
    """Return how many of its validation images the pages show: no more than ship with the app."""
    return min(run.training.validation_images, SAMPLE["test"])


def validation_split(run: Run) -> Split:
    """Return the validation images of a run, or the first of them.

    Raises:
        ConfigError: they are training images that are not on this machine.
    """
    training, shown = run.training, images_shown(run)
    if training.validation_from == "test":
        return load_cifar10(1, shown).validation
    return load_cifar10(training.train_images, shown, "train").validation


def probabilities_of(run: Run) -> np.ndarray:
    """Return the class probabilities (N, K) of the run's validation images."""
    return _probabilities(run.version, run)


@st.cache_data(max_entries=64, show_spinner="Classifying the validation images …")
def _probabilities(version: tuple, _run: Run) -> np.ndarray:
    probabilities = class_probabilities(model_of(_run), validation_split(_run))
    release_memory()
    return probabilities
