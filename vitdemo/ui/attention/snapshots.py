"""Training: the same picture at each snapshot of a run. It can be played."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch

from ...config import ConfigError
from ...data.cifar10 import normalize
from ...explain.methods import on_patches, pooling_weights
from ...explain.rollout import rollout
from ...figures.attention import overlay
from ...figures.color_bar import range_text
from ...figures.predictions import top_classes
from ...figures.snapshots import over_training
from ...runs.run import Run
from ...runs.snapshots import Snapshot, list_snapshots, with_accuracy
from ...runs.train_run import load_data
from .. import url_state
from ..cached import set_threads, snapshot_model
from ..chart import chart
from ..picture_picker import Picture
from ..wording import plain
from .case import CASE_HASHES
from .state import url_values
from .view import View

STEP_SECONDS = 0.8  # between two snapshots while it plays
HEIGHT = 260


@dataclass(frozen=True)
class Seen:
    """Attention, rollout and prediction for one picture at one snapshot."""

    attention: list[torch.Tensor]  # depth of (1, H, T, T)
    rollout: np.ndarray  # (n, n)
    probabilities: np.ndarray  # (K,)


def show(run: Run, picture: Picture, view: View) -> None:
    """Draw a slider over the snapshots, the state at the chosen one, and the development."""
    snapshots = list_snapshots(run)
    if run.origin in ("imagenet", "own"):
        st.info("This model comes without snapshots from its training. Choose another model.")
    elif len(snapshots) < 2:
        st.info(
            "This run has no snapshots, only its final model. Longer runs save snapshots "
            "during training."
        )
    else:
        playing = st.session_state.get("playing", False)
        every = STEP_SECONDS if playing else None
        st.fragment(_player, run_every=every)(run, picture, view, snapshots, playing)


def _player(
    run: Run, picture: Picture, view: View, snapshots: list[Snapshot], ticking: bool
) -> None:
    """Run the clock, then draw. `ticking`: whether this fragment reruns itself."""
    if st.session_state.get("playing", False) != ticking:
        st.rerun()  # the whole page, so that this fragment starts or stops ticking
    if ticking:
        _tick(len(snapshots) - 1)
    _controls(snapshots)
    chosen = st.session_state["snapshot"]
    _state_at(chosen, run, picture, view, snapshots)  # first, as it needs one snapshot alone
    probabilities = _over_training(tuple(snapshots), picture)
    _development(chosen, run, _measured(run, tuple(snapshots)), probabilities)
    url_state.write(url_values(run))  # a change within a fragment runs nothing else of the page


def _tick(last: int) -> None:
    """Move to the next snapshot; stop after the last one."""
    state = st.session_state
    if state.pop("from_start", False):
        state["snapshot"] = 0
    elif state["snapshot"] < last:
        state["snapshot"] += 1
    else:
        state["playing"] = False
        st.rerun()


def _controls(snapshots: list[Snapshot]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.select_slider(
            "Epochs trained",
            range(len(snapshots)),
            key="snapshot",
            persist_state="session",
            format_func=lambda number: epochs_of(snapshots[number]),
            help="A snapshot is a copy of the model after this many epochs. The last one is the "
            "final model, which the other tabs show.",
        )
        playing = st.session_state.get("playing", False)
        label, icon = ("Stop", ":material/stop:") if playing else ("Play", ":material/play_arrow:")
        st.button(label, on_click=_play_or_stop, icon=icon, key="play")


def _play_or_stop() -> None:
    playing = not st.session_state.get("playing", False)
    st.session_state.update(playing=playing, from_start=playing)


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


@st.cache_data(
    max_entries=64, show_spinner="Running the model at each snapshot …", hash_funcs=CASE_HASHES
)
def _over_training(snapshots: tuple[Snapshot, ...], picture: Picture) -> np.ndarray:
    """Return the class probabilities (S, K) at each snapshot."""
    return np.stack([_at(snapshot, picture).probabilities for snapshot in snapshots])


@st.cache_data(
    max_entries=64,
    show_spinner="Measuring the accuracy at each snapshot …",
    hash_funcs=CASE_HASHES,
)
def _measured(run: Run, snapshots: tuple[Snapshot, ...]) -> list[Snapshot]:
    """Return the snapshots with their accuracy, where the validation images are on this machine."""
    if all(snapshot.accuracy is not None for snapshot in snapshots):
        return list(snapshots)
    try:
        validation = load_data(run).validation
        set_threads(run.model, len(validation))
        return [with_accuracy(snapshot, validation) for snapshot in snapshots]
    except ConfigError:
        return list(snapshots)


def _state_at(
    chosen: int, run: Run, picture: Picture, view: View, snapshots: list[Snapshot]
) -> None:
    """Draw attention, rollout and prediction at one snapshot."""
    model, when = run.model, f"after {epochs_of(snapshots[chosen])} epochs"
    seen = _at(snapshots[chosen], picture)
    grid, what = view.grid(seen.attention, model), f"{view.title(model)}, {view.where}"
    limits = rollout_limits = None
    if view.shared_scale:
        every = [_at(snapshot, picture) for snapshot in snapshots]
        limits = view.limits(np.stack([view.grid(one.attention, model) for one in every]))
        rollout_limits = view.limits(np.stack([one.rollout for one in every]))
    first, second, third = st.columns(3)
    with first:
        st.markdown("**Attention**")
        chart(
            overlay(
                picture.pixels,
                grid,
                model.patch_size,
                view.style(limits),
                view.patch(model),
                HEIGHT,
            ),
            key="training-attention",
            alt=f"{what}, {when}: {range_text(grid)}.",
        )
        st.caption(f"{what}.")
    with second:
        st.markdown("**Rollout**")
        style = view.style(rollout_limits, "rollout")
        chart(
            overlay(picture.pixels, seen.rollout, model.patch_size, style, height=HEIGHT),
            key="training-rollout",
            alt=f"Rollout {when}: {range_text(seen.rollout)}.",
        )
        st.caption(
            "Attention rollout through all layers, to the token that the class is predicted from."
        )
    with third:
        probabilities = seen.probabilities
        predicted = run.classes[int(probabilities.argmax())]
        st.markdown(f"**Prediction: {plain(predicted)}**")
        chart(
            top_classes(probabilities, run.classes, picture.label).update_layout(height=HEIGHT),
            key="training-prediction",
            alt=f"Prediction {when}: {predicted}, {probabilities.max():.0%}.",
        )


def _development(
    chosen: int, run: Run, snapshots: list[Snapshot], probabilities: np.ndarray
) -> None:
    """Draw probabilities (S, K) and accuracy over all snapshots."""
    final = run.classes[int(probabilities[-1].argmax())]
    now = run.classes[int(probabilities[chosen].argmax())]
    lines = {
        name: probabilities[:, run.classes.index(name)] for name in dict.fromkeys((final, now))
    }
    accuracy = [snapshot.accuracy for snapshot in snapshots]
    chart(
        over_training([snapshot.epochs for snapshot in snapshots], lines, accuracy, chosen, HEIGHT),
        key="over-training",
        alt="Accuracy at each snapshot: "
        + ", ".join("unknown" if value is None else f"{value:.0%}" for value in accuracy),
    )
    st.caption(
        "Maps: bright patches have the highest values. Each map has its own color scale; choose "
        "*Shared* under *Colors* for one scale over all snapshots. Chart: probability of the class "
        "that the final model predicts (green), and of the class predicted at the chosen snapshot "
        "if it is another (gray); validation accuracy (dashed); the chosen snapshot (pink line)."
    )
