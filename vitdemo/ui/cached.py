"""Models and their predictions, cached for all visitors until the weights on disk change."""

import numpy as np
import streamlit as st
import torch

from ..background.training_queue import QUEUE
from ..config import ConfigError, ModelConfig
from ..costs import macs
from ..data.cifar10 import SAMPLE, Split, load_cifar10
from ..explain.predictions import class_probabilities
from ..files import stamp
from ..machine import release_memory
from ..model import VisionTransformer
from ..runs.checkpoint import load_checkpoint
from ..runs.run import Run, load_weights
from ..runs.snapshots import Snapshot

# MACs of a pass below which one thread is faster: a page runs on a thread of its own each time, and
# torch would first start others beside it, which takes 13 ms.
FEW_MACS = 1e9

# Cache keys of runs and snapshots; both change with the weights on disk.
HASHES = {
    Run: lambda run: run.version,
    Snapshot: lambda snapshot: (str(snapshot.weights), stamp(snapshot.weights)),
}


def model_of(run: Run, images: int | None = None) -> VisionTransformer:
    """Return the model of a run, and set the number of torch threads of this thread for it.

    That is all cores, or one while a training run is active, or for a few images.

    Args:
        run: run with weights.
        images: how many images it is for; None: many.

    Raises:
        ConfigError: the run has no weights, or they are damaged.
    """
    set_threads(run.model, images)
    return _own_model(run) if run.origin == "own" else _model(run)


def snapshot_model(snapshot: Snapshot, images: int | None = None) -> VisionTransformer:
    """Return the model of a snapshot, and set the number of torch threads, as `model_of`.

    Raises:
        ConfigError: its weights are damaged.
    """
    model = _snapshot_model(snapshot)
    set_threads(model.config, images)
    return model


def set_threads(model: ModelConfig, images: int | None) -> None:
    """Set the number of torch threads of this thread for a pass of images, as `model_of`."""
    few = images is not None and images * sum(macs(model).values()) < FEW_MACS
    torch.set_num_threads(1 if few else QUEUE.spare_cores())


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=HASHES)
@torch.inference_mode(False)  # whoever loads it: a model made in that mode has no backward pass
def _model(run: Run) -> VisionTransformer:
    return load_weights(run)


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs=HASHES)  # up to 400 MB each
@torch.inference_mode(False)
def _own_model(run: Run) -> VisionTransformer:
    return load_weights(run)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=HASHES)
@torch.inference_mode(False)
def _snapshot_model(snapshot: Snapshot) -> VisionTransformer:
    return load_checkpoint(snapshot.weights)[0]


def images_shown(run: Run) -> int:
    """Return how many validation images of a run the pages show: at most those that ship."""
    return min(run.training.validation_images, SAMPLE["test"])


def validation_split(run: Run) -> Split:
    """Return the validation images of a run, at most as many as ship with the app.

    They are of CIFAR-10, also for a model that was trained on other images.

    Raises:
        ConfigError: they are training images of the full data set, which is not on this machine.
    """
    training, shown = run.training, images_shown(run)
    try:
        if training.validation_from == "test" or not run.sees_own_classes:
            return load_cifar10(1, shown).validation
        return load_cifar10(training.train_images, shown, "train").validation
    except ConfigError as error:
        raise ConfigError(
            f"The validation images of this run are not on this machine. {error}"
        ) from error


@st.cache_data(
    max_entries=64, show_spinner="Classifying the validation images …", hash_funcs=HASHES
)
def probabilities_of(run: Run) -> np.ndarray:
    """Return the class probabilities (N, K) of the run's validation images."""
    probabilities = class_probabilities(model_of(run), validation_split(run))
    release_memory()
    return probabilities
