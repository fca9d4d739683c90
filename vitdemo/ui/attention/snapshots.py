"""Over time: the same picture at each snapshot of a training that was kept. It plays."""

import numpy as np
import streamlit as st
import torch

from ...data.cifar10 import CLASSES, normalize
from ...explain.attention import attention_map, attention_matrix
from ...explain.methods import on_patches, reading_weights
from ...explain.rollout import rollout
from ...figures.attention import overlay
from ...figures.predictions import top_classes
from ...figures.snapshots import growth
from ...model import Trace, VisionTransformer
from ...runs.checkpoint import load_checkpoint
from ...runs.run import Run
from ...runs.snapshots import Snapshot, list_snapshots
from .. import url_state
from ..chart import chart
from ..picture_picker import Picture
from .attention_maps import View
from .state import address_values

STEP_SECONDS = 0.8  # between two moments while it plays
HEIGHT = 260


def show(run: Run, picture: Picture, view: View) -> None:
    """A slider over the moments, what the model did at the chosen one, and how it got there."""
    kept = list_snapshots(run)
    if run.origin == "imagenet":
        st.info(
            "Only the last model of this training was published. Choose a run, or an example that ships."
        )
        return
    if len(kept) < 2:
        st.info(
            "Of this run only the last model was kept: a run of at least two epochs keeps some on its way."
        )
        return
    playing = st.session_state.get("playing", False)
    st.fragment(_moment, run_every=STEP_SECONDS if playing else None)(
        run, picture, view, kept, playing
    )


def _moment(run: Run, picture: Picture, view: View, kept: list[Snapshot], steps: bool) -> None:
    state, last = st.session_state, len(kept) - 1
    if state.get("playing", False) != steps:
        st.rerun()  # the whole page, for this part to begin or to stop redrawing itself
    if state.get("playing"):
        if state.pop("just_begun", False):
            state["snapshot"] = 0
        elif state["snapshot"] < last:
            state["snapshot"] += 1
        else:
            state["playing"] = False
            st.rerun()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.select_slider(
            "Epochs done",
            range(len(kept)),
            key="snapshot",
            persist_state="session",
            format_func=lambda place: epochs_of(kept[place]),
            help="The model as it was after so many epochs; the last is the one of the other views.",
        )
        label, icon = (
            ("Stop", ":material/stop:")
            if state.get("playing")
            else ("Play", ":material/play_arrow:")
        )
        st.button(label, on_click=_play, icon=icon, key="play")
    maps, rollouts, probabilities = _over_time(
        run.id, tuple(map(_version, kept)), picture, view, kept
    )
    place, model = state["snapshot"], run.model
    columns = st.columns(3)
    named = (
        ("Attention", "attention", maps, f"{view.asking(model)}, {view.where}"),
        ("Rollout", "share", rollouts, "through all layers, to where the class is read"),
    )
    for column, (title, unit, grids, what) in zip(columns, named, strict=False):
        with column:
            st.markdown(f"**{title}**")
            chart(
                overlay(
                    picture.pixels,
                    grids[place],
                    model.patch_size,
                    view.patch(model) if title == "Attention" else None,
                    view.strength,
                    (0.0, float(grids.max())) if view.one_scale else None,
                    view.smooth,
                    unit,
                    height=HEIGHT,
                ),
                key=f"growth-{title}",
                alt=f"{title} ({what}) after {epochs_of(kept[place])} epochs: from {grids[place].min():.3f} to "
                f"{grids[place].max():.3f}.",
            )
            st.caption(f"{what[0].upper()}{what[1:]}.")
    says = CLASSES[int(probabilities[place].argmax())]
    with columns[2]:
        st.markdown(f"**The model says {says}**")
        chart(
            top_classes(probabilities[place], CLASSES, picture.label).update_layout(height=HEIGHT),
            key="growth-answer",
            alt=f"After {epochs_of(kept[place])} epochs the model says {says}, {probabilities[place].max():.0%}.",
        )
    shown = dict.fromkeys((CLASSES[int(probabilities[-1].argmax())], says))
    chart(
        growth(
            [snapshot.epochs for snapshot in kept],
            {name: probabilities[:, CLASSES.index(name)] for name in shown},
            [snapshot.accuracy for snapshot in kept],
            place,
            HEIGHT,
        ),
        key="growth",
        alt="Accuracy at each snapshot: "
        + ", ".join(f"{snapshot.accuracy:.0%}" for snapshot in kept),
    )
    st.caption(
        "Maps: bright patches get most; each has its own scale unless *Colors* says one for all, then it is one for all "
        "moments. Pink: the chosen snapshot. Green: how probable the model found what it says at the end; gray: what it says "
        "now, where that is another class. Dashed: accuracy on the validation images."
    )
    url_state.write(address_values(run))  # a fragment's change runs nothing else of the page


def _play() -> None:
    playing = not st.session_state.get("playing", False)
    st.session_state.update(playing=playing, just_begun=playing)


def epochs_of(snapshot: Snapshot) -> str:
    """Its epochs, with no more digits than matter."""
    return f"{snapshot.epochs:.2g}" if snapshot.epochs < 10 else f"{snapshot.epochs:.0f}"


def model_at(snapshot: Snapshot) -> VisionTransformer:
    """The model as it was then.

    Raises:
        ConfigError: its weights are damaged.
    """
    return _model_at(str(snapshot.weights), _version(snapshot))


@st.cache_resource(max_entries=64, show_spinner=False)
def _model_at(path: str, changed: float) -> VisionTransformer:
    return load_checkpoint(path)[0]


def _version(snapshot: Snapshot) -> float:
    return snapshot.weights.stat().st_mtime


def _over_time(
    run_id: str, versions: tuple, picture: Picture, view: View, kept: list[Snapshot]
) -> tuple:
    """Of each snapshot: the chosen attention (M, n, n), the rollout (M, n, n) and the probabilities (M, K)."""
    attention, rollouts, probabilities = _asked(run_id, versions, picture.digest, kept, picture)
    maps = [
        attention_map(
            attention_matrix(Trace([], layers), view.layer, view.head), view.token, view.given
        )
        for layers in attention
    ]
    return np.stack(maps), rollouts, probabilities


@st.cache_resource(max_entries=16, show_spinner="Asking the model of each snapshot …")
@torch.inference_mode()
def _asked(
    run_id: str, versions: tuple, digest: str, _kept: list[Snapshot], _picture: Picture
) -> tuple:
    attention, rollouts, probabilities = [], [], []
    images = normalize(_picture.image[None])
    for snapshot in _kept:
        model = model_at(snapshot)
        logits, trace = model.trace(images)
        attention.append(trace.attention)
        rollouts.append(
            on_patches(model, reading_weights(model, trace), rollout(trace.attention))[0].numpy()
        )
        probabilities.append(logits.softmax(dim=1)[0].numpy())
    return attention, np.stack(rollouts), np.stack(probabilities)
