"""What the charts of the tab Training show at each snapshot of a run."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import streamlit as st
import torch
from plotly.io.json import to_json_plotly

from ...data.cifar10 import normalize
from ...explain.methods import on_patches, pooling_weights
from ...explain.rollout import rollout
from ...figures.attention import MapStyle, overlay_changes
from ...figures.color_bar import range_text
from ...figures.predictions import top_classes_changes
from ...figures.snapshots import over_training_changes
from ...machine import available_cores
from ...runs.run import Run
from ...runs.snapshots import Snapshot
from ..cached import snapshot_model
from ..chart import Control
from ..picture_picker import Picture
from .case import CASE_HASHES
from .view import View

_WORKERS = ThreadPoolExecutor(available_cores(), thread_name_prefix="snapshots")


@dataclass(frozen=True)
class Seen:
    """Attention, rollout and prediction for one picture at one snapshot."""

    attention: list[torch.Tensor]  # depth of (1, H, T, T)
    rollout: np.ndarray  # (n, n)
    probabilities: np.ndarray  # (K,)


@dataclass(frozen=True)
class Development:
    """A picture, what is shown of it, and the snapshots; those are counted from 0."""

    run: Run
    picture: Picture
    view: View
    snapshots: tuple[Snapshot, ...]

    def seen(self, number: int) -> Seen:
        """Return attention, rollout and prediction at a snapshot."""
        return _at(self.snapshots[number], self.picture)

    @cached_property
    def all_seen(self) -> list[Seen]:
        """Attention, rollout and prediction at each snapshot."""
        return _at_each(self.snapshots, self.picture)

    def grid(self, seen: Seen) -> np.ndarray:
        """Return the attention map (n, n) of the view."""
        return self.view.grid(seen.attention, self.run.model)

    @cached_property
    def styles(self) -> tuple[MapStyle, MapStyle]:
        """How the maps of attention and of rollout are drawn; on a shared scale, all of them."""
        limits = rollout_limits = None
        if self.view.shared_scale:
            limits = self.view.limits(np.stack([self.grid(seen) for seen in self.all_seen]))
            rollout_limits = self.view.limits(np.stack([seen.rollout for seen in self.all_seen]))
        return self.view.style(limits), self.view.style(rollout_limits, "rollout")

    def slider(self, number: int) -> Control:
        """Return the slider over the snapshots, at one of them."""
        picture = self.picture.digest, self.picture.label
        of = hash((self.run.version, picture, self.view, self.snapshots))
        return Control("snapshot", number, str(of), ahead=True)

    @property
    def what(self) -> str:
        """Name of the attention map."""
        return f"{self.view.title(self.run.model)}, {self.view.where}"

    def words(self, number: int, seen: Seen, grid: np.ndarray) -> dict[str, dict[str, str]]:
        """Return title and alternative text of the charts of a snapshot, by their keys.

        Args:
            number: the snapshot.
            seen: attention, rollout and prediction at it.
            grid: its attention map.
        """
        when = f"after {epochs_of(self.snapshots[number])} epochs"
        predicted = self.run.classes[int(seen.probabilities.argmax())]
        return {
            "training-attention": {
                "title": "Attention",
                "alt": f"{self.what}, {when}: {range_text(grid)}.",
            },
            "training-rollout": {
                "title": "Rollout",
                "alt": f"Rollout {when}: {range_text(seen.rollout)}.",
            },
            "training-prediction": {
                "title": f"Prediction: {predicted}",
                "alt": f"Prediction {when}: {predicted}, {seen.probabilities.max():.0%}.",
            },
        }

    def changes(self, number: int, seen: Seen, grid: np.ndarray) -> dict[str, dict]:
        """Return what differs at a snapshot in the figure of each chart, by its key; as `words`."""
        style, rollout_style = self.styles
        probabilities, classes = seen.probabilities, self.run.classes
        return {
            "training-attention": overlay_changes(grid, style),
            "training-rollout": overlay_changes(seen.rollout, rollout_style),
            "training-prediction": top_classes_changes(probabilities, classes, self.picture.label),
            "over-training": over_training_changes(self.epochs, self.curves(number), number),
        }

    @property
    def epochs(self) -> list[float]:
        """Epochs trained until each snapshot."""
        return [snapshot.epochs for snapshot in self.snapshots]

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Class probabilities (S, K) at each snapshot."""
        return _over_training(self.snapshots, self.picture)

    def curves(self, number: int, at_once: bool = False) -> dict[str, np.ndarray]:
        """Return the probabilities (S,) of one or two classes by name.

        The first is the class that the final model predicts, the other the one at a snapshot.

        Args:
            number: the snapshot.
            at_once: whether only these two models are run; elsewhere the probabilities are NaN.
        """
        if at_once:
            probabilities = np.full((len(self.snapshots), len(self.run.classes)), np.nan)
            for place in (number, -1):
                probabilities[place] = self.seen(place).probabilities
        else:
            probabilities = self.probabilities
        predicted = probabilities[[-1, number]].argmax(axis=1)
        return {self.run.classes[k]: probabilities[:, k] for k in dict.fromkeys(predicted)}


@st.cache_data(max_entries=64, show_spinner=False)
def states(of: str, _development: Development) -> str:
    """Return the JSON for `chart.send_states`; `of` is that of the slider."""
    by_chart = {}
    for number, seen in enumerate(_development.all_seen):
        grid = _development.grid(seen)
        words = _development.words(number, seen, grid)
        for key, changes in _development.changes(number, seen, grid).items():
            by_chart.setdefault(key, {})[number] = changes | words.get(key, {})
    return to_json_plotly(by_chart)


def epochs_of(snapshot: Snapshot) -> str:
    """Return the epochs of a snapshot with no more digits than matter."""
    epochs = snapshot.epochs
    return f"{epochs:.2g}" if epochs < 10 else f"{epochs:.0f}"


@st.cache_resource(max_entries=144, show_spinner=False, hash_funcs=CASE_HASHES)
@torch.inference_mode()
def _at(snapshot: Snapshot, picture: Picture) -> Seen:
    model = snapshot_model(snapshot, images=1)
    logits, trace = model.trace(normalize(picture.image[None]))
    rolled = on_patches(model, pooling_weights(model, trace), rollout(trace.attention))
    return Seen(trace.attention, rolled[0].numpy(), logits.softmax(dim=1)[0].numpy())


def _at_each(snapshots: tuple[Snapshot, ...], picture: Picture) -> list[Seen]:
    """Run the models of several snapshots, one on each core."""
    return list(_WORKERS.map(partial(_at, picture=picture), snapshots))


@st.cache_data(
    max_entries=64, show_spinner="Running the model at each snapshot …", hash_funcs=CASE_HASHES
)
def _over_training(snapshots: tuple[Snapshot, ...], picture: Picture) -> np.ndarray:
    """Return the class probabilities (S, K) at each snapshot."""
    return np.stack([seen.probabilities for seen in _at_each(snapshots, picture)])
