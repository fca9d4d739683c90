"""Training: the same picture at each snapshot of a run. It can be played."""

from dataclasses import replace

import streamlit as st

from ...config import ConfigError
from ...figures.attention import overlay
from ...figures.predictions import top_classes
from ...figures.snapshots import over_training
from ...runs.run import Run
from ...runs.snapshots import Snapshot, list_snapshots, with_accuracy
from ...runs.train_run import load_data
from .. import url_state
from ..cached import set_threads
from ..chart import chart, send_states, states_wanted
from ..fragments import fragment
from ..picture_picker import Picture
from .at_snapshot import Development, epochs_of, states
from .case import CASE_HASHES
from .state import url_values
from .view import View

STEP_SECONDS = 0.8  # between two snapshots while it plays
HEIGHT = 260


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
        fragment(_player, run_every=every)(run, picture, view, snapshots, playing)


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
    development = Development(run, picture, view, tuple(snapshots))
    _state_at(chosen, development)  # first, as it needs one snapshot alone
    accuracy = [snapshot.accuracy for snapshot in _measured(run, tuple(snapshots))]
    fragment(_over_training)(chosen, development, accuracy)
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
    last = epochs_of(snapshots[-1])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.select_slider(
            "Epochs trained",
            range(len(snapshots)),
            key="snapshot",
            persist_state="session",
            format_func=lambda number: f"{epochs_of(snapshots[number])} of {last}",
            help="A snapshot is a copy of the model after this many epochs. The last one is the "
            "final model, which the other tabs show.",
        )
        playing = st.session_state.get("playing", False)
        label, icon = ("Stop", ":material/stop:") if playing else ("Play", ":material/play_arrow:")
        st.button(label, on_click=_play_or_stop, icon=icon, key="play")


def _play_or_stop() -> None:
    playing = not st.session_state.get("playing", False)
    st.session_state.update(playing=playing, from_start=playing)


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


def _state_at(chosen: int, development: Development) -> None:
    """Draw attention, rollout and prediction at one snapshot."""
    run, picture, view = development.run, development.picture, development.view
    seen = development.seen(chosen)
    grid = development.grid(seen)
    words = development.words(chosen, seen, grid)
    style, rollout_style = development.styles
    patch_size, frame = run.model.patch_size, view.patch(run.model)
    figures = (
        overlay(picture.pixels, grid, patch_size, style, frame, HEIGHT),
        overlay(picture.pixels, seen.rollout, patch_size, rollout_style, height=HEIGHT),
        top_classes(seen.probabilities, run.classes, picture.label).update_layout(height=HEIGHT),
    )
    captions = (
        f"{development.what}.",
        "Attention rollout through all layers, to the token that the class is predicted from.",
        "",
    )
    for place, key, figure, caption in zip(st.columns(3), words, figures, captions, strict=True):
        with place:
            chart(figure, key, **words[key], follows=development.slider(chosen))
            if caption:
                st.caption(caption)


def _over_training(chosen: int, development: Development, accuracy: list[float | None]) -> None:
    """Draw probabilities and accuracy over all snapshots.

    At first, only the chosen model and the final one are run. The browser asks for the others when
    it has drawn the page.
    """
    slider = development.slider(chosen)
    all_wanted = states_wanted(slider)
    epochs, curves = development.epochs, development.curves(chosen, at_once=not all_wanted)
    chart(
        over_training(epochs, curves, accuracy, chosen, HEIGHT),
        key="over-training",
        alt="Accuracy at each snapshot: "
        + ", ".join("unknown" if value is None else f"{value:.0%}" for value in accuracy),
        follows=slider if all_wanted else replace(slider, of=f"{slider.of} at once"),
    )
    with st.container(gap=None):  # the states take no room here
        st.caption(
            "Maps: bright patches have the highest values. Each map has its own color scale; "
            "choose *Shared* under *Colors* for one scale over all snapshots. Chart: probability "
            "of the class that the final model predicts (green), and of the class predicted at the "
            "chosen snapshot if it is another (gray); validation accuracy (dashed); the chosen "
            "snapshot (pink line)."
        )
        send_states(slider, states(slider.of, development) if all_wanted else "{}")
