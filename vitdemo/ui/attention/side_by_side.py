"""Side by side: the same view of another model, another snapshot, or another picture."""

from dataclasses import dataclass, replace

import streamlit as st

from ...config import ConfigError, ModelConfig
from ...figures.attention import overlay
from ...runs.run import Run
from ...runs.snapshots import Snapshot, list_snapshots
from ..cached import images_shown
from ..chart import chart
from ..offered_runs import offered_runs, status_of
from ..picture_picker import Picture, fitted, validation_picture
from ..run_name import run_name
from ..wording import plain
from .at_snapshot import epochs_of
from .case import predict_picture, seen
from .state import choice_name, settle, token_choices
from .view import View, what_bright_means


@dataclass(frozen=True)
class Side:
    """A model and a picture to compare."""

    run: Run
    snapshot: Snapshot | None  # None: the final model
    picture: Picture

    @property
    def name(self) -> str:
        """Name of the run, and of the snapshot."""
        if self.snapshot is None:
            return run_name(self.run)
        return f"{run_name(self.run)}, after {epochs_of(self.snapshot)} epochs"


def show(run: Run, picture: Picture, view: View) -> None:
    """Draw a switch, and where it is on, the controls and both sides."""
    st.toggle(
        "Side by side",
        key="compare",
        persist_state="session",
        help="Compare the same layer, head and token with another model, with a snapshot from "
        "earlier in training, or with another picture.",
    )
    if not st.session_state["compare"]:
        return
    other = _choose(run, picture)
    seen, notes = fit(view, run.model, other.run.model)
    left, right = st.columns(2)
    try:
        with left:
            _draw("left", Side(run, None, picture), view)
        with right:
            _draw("right", other, seen)
            for note in notes:
                st.caption(note)
    except ConfigError as error:
        st.error(plain(str(error)))
        return
    if view.shared_scale:
        scale = "Each side has one color scale for all its layers and heads; it starts at 0."
    else:
        scale = "Each map has its own color scale: compare patterns, not brightness."
    st.caption(f"{what_bright_means(view)} {scale}")


def _choose(run: Run, picture: Picture) -> Side:
    """Draw the controls and return the other side."""
    first, second, third = st.columns(3)
    with first:
        other = _choose_run(run)
    with second:
        snapshot = _choose_snapshot(other)
    with third:
        number = _choose_number(run)
    chosen = picture if number == "same" else validation_picture(run, number)
    return Side(other, snapshot, fitted(other, chosen.original, chosen.name, chosen.shows))


def _choose_run(run: Run) -> Run:
    before = st.session_state.get("other_run") or st.query_params.get("other_run")
    status = status_of(before) if before else None
    runs = offered_runs(models=True, chosen=status and status.run)
    runs = {run_id: other for run_id, other in runs.items() if other.has_weights}
    settle("other_run", ("same", *runs), "same")
    chosen = st.selectbox(
        "Other model",
        ("same", *runs),
        key="other_run",
        persist_state="session",
        format_func=lambda run_id: "same model" if run_id == "same" else run_name(runs[run_id]),
        help="Another run, or a shipped or pretrained model. Of many runs, these are the newest "
        "and those that are pinned.",
    )
    other = None if chosen == "same" else status_of(chosen)
    return other.run if other else run


def _choose_snapshot(run: Run) -> Snapshot | None:
    snapshots = list_snapshots(run)
    choices = ("last", *range(len(snapshots) - 1))
    settle("other_snapshot", choices, "last")
    chosen = st.selectbox(
        "Snapshot",
        choices,
        key="other_snapshot",
        persist_state="session",
        format_func=lambda number: (
            "final model" if number == "last" else f"after {epochs_of(snapshots[number])} epochs"
        ),
        help="The other model after this many epochs of its training.",
    )
    return None if chosen == "last" else snapshots[chosen]


def _choose_number(run: Run) -> int | str:
    numbers = ("same", *range(images_shown(run)))
    settle("other_picture", numbers, "same")
    return st.selectbox(
        "Other picture",
        numbers,
        key="other_picture",
        persist_state="session",
        format_func=lambda number: "same picture" if number == "same" else f"image {number}",
        help="Number of a validation image.",
    )


def fit(view: View, own: ModelConfig, other: ModelConfig) -> tuple[View, list[str]]:
    """Return the view as far as another model has it, and a sentence for each difference."""
    notes = []
    if view.layer >= other.depth:
        view = replace(view, layer=other.depth - 1)
        notes.append(f"This model has {other.depth} layers. Its last one is shown.")
    if view.head is not None and view.head >= other.num_heads:
        view = replace(view, head=None)
        notes.append(f"This model has {other.num_heads} heads per layer. Their mean is shown.")
    patch = view.patch(own)
    default = 0 if other.has_cls else None
    if patch is None:
        view = replace(view, token=default, attended_by=view.attended_by and other.has_cls)
    elif own.num_patches == other.num_patches:
        view = replace(view, token=patch + 1 if other.has_cls else patch)
    else:
        view = replace(view, token=default, attended_by=False)
        name = choice_name(token_choices(other)[0], other)
        notes.append(f"This model has {other.num_patches} patches. Attention of {name} is shown.")
    return view, notes


def _draw(key: str, side: Side, view: View) -> None:
    """Draw the map of one side, with its prediction."""
    shape, picture = side.run.model, side.picture
    source = side.snapshot or side.run
    probabilities, _ = predict_picture(source, picture)
    attention = seen(source, picture, view.norms)
    limits = view.limits(view.grids(attention, shape)) if view.shared_scale else None
    predicted, what = side.run.classes[int(probabilities.argmax())], view.title(shape)
    st.markdown(f"**{plain(predicted)}** {probabilities.max():.0%}: {plain(picture.name)}")
    chart(
        overlay(
            picture.pixels,
            view.grid(attention, shape),
            shape.patch_size,
            view.style(limits),
            view.patch(shape),
        ),
        key=f"compare-{key}",
        alt=f"{side.name}: {what}, {view.where}, over {picture.name}; prediction: {predicted}.",
    )
    st.caption(f"{plain(side.name)} · {view.token_name(shape)}, {view.where}.")
