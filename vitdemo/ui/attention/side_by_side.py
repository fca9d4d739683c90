"""Side by side: the same view of another model, another snapshot of a training, or another picture."""

from dataclasses import replace

import streamlit as st

from ...config import ConfigError, ModelConfig
from ...explain.attention import attention_map, attention_maps, attention_matrix
from ...figures.attention import overlay
from ...model import VisionTransformer
from ...runs.run import Run
from ...runs.snapshots import Snapshot, list_snapshots
from ..cached import images_shown, model_of
from ..chart import chart
from ..picture_picker import Picture, ask, fitted, validation_picture
from ..run_picker import all_statuses, run_name
from .attention_maps import View
from .snapshots import epochs_of, model_at
from .state import asker_name, askers, settle


def show(run: Run, model: VisionTransformer, picture: Picture, view: View) -> None:
    """What is to stand beside the view, and both of them."""
    st.toggle(
        "Side by side",
        key="beside",
        persist_state="session",
        help="The same layer, head and token of another model, of the same model earlier in its training, or for another "
        "picture.",
    )
    if not st.session_state["beside"]:
        return
    other_run, snapshot, other_picture = _choose(run, picture)
    try:
        other = model_of(other_run) if snapshot is None else model_at(snapshot)
    except ConfigError as error:
        st.error(str(error))
        return
    seen, notes = fit(view, model.config, other.config)
    left, right = st.columns(2)
    with left:
        _one("left", run_name(run), run, model, run.version, picture, view)
    with right:
        name = run_name(other_run) + (
            "" if snapshot is None else f", after {epochs_of(snapshot)} epochs"
        )
        key = (*other_run.version, 0.0 if snapshot is None else snapshot.epochs)
        _one("right", name, other_run, other, key, other_picture, seen)
        for note in notes:
            st.caption(note)
    st.caption(
        "Bright patches get most. "
        + (
            "Each side has one scale for all its layers and heads, from 0 to the most of any."
            if view.one_scale
            else "Each map has its own scale: compare where they look, not how brightly."
        )
    )


def _choose(run: Run, picture: Picture) -> tuple[Run, Snapshot | None, Picture]:
    """The other run, the snapshot of its training (None: its last), and the picture as it takes it."""
    runs = {s.run.id: s.run for s in all_statuses().values() if s.run.has_weights}
    first, second, third = st.columns(3)
    settle("other_run", ("same", *runs), "same")
    other = first.selectbox(
        "Other model",
        ("same", *runs),
        key="other_run",
        persist_state="session",
        format_func=lambda run_id: "the same" if run_id == "same" else run_name(runs[run_id]),
        help="Another run, or an example that ships.",
    )
    other_run = run if other == "same" else runs[other]
    kept = list_snapshots(other_run)
    places = ("last", *range(len(kept) - 1))
    settle("other_snapshot", places, "last")
    place = second.selectbox(
        "Snapshot",
        places,
        key="other_snapshot",
        persist_state="session",
        format_func=lambda place: (
            "the last" if place == "last" else f"after {epochs_of(kept[place])} epochs"
        ),
        help="How far that model's training had come.",
    )
    numbers = ("same", *range(images_shown(run)))
    settle("other_picture", numbers, "same")
    number = third.selectbox(
        "Other picture",
        numbers,
        key="other_picture",
        persist_state="session",
        format_func=lambda number: "the same" if number == "same" else f"image {number}",
        help="The number of a validation image.",
    )
    other_picture = picture if number == "same" else validation_picture(run, number)
    other_picture = fitted(
        other_run, other_picture.original, other_picture.name, other_picture.shows
    )
    return other_run, None if place == "last" else kept[place], other_picture


def fit(view: View, own: ModelConfig, other: ModelConfig) -> tuple[View, list[str]]:
    """The view as far as another model has it, and a sentence for each thing that it has not."""
    notes = []
    if view.layer >= other.depth:
        view = replace(view, layer=other.depth - 1)
        notes.append(f"This model has {other.depth} layers: its last is shown.")
    if view.head is not None and view.head >= other.num_heads:
        view = replace(view, head=None)
        notes.append(f"This model has {other.num_heads} heads in a layer: their mean is shown.")
    patch = -1 if view.token is None else view.token - own.has_cls
    if patch < 0:
        view = replace(view, token=0 if other.has_cls else None, given=view.given and other.has_cls)
    elif own.num_patches == other.num_patches:
        view = replace(view, token=patch + other.has_cls)
    else:
        view = replace(view, token=0 if other.has_cls else None, given=False)
        notes.append(
            f"This model has {other.num_patches} patches: {asker_name(askers(other)[0], other)} asks."
        )
    return view, notes


def _one(
    side: str,
    name: str,
    run: Run,
    model: VisionTransformer,
    key: tuple,
    picture: Picture,
    view: View,
) -> None:
    """The map of one model over one picture, and what it says of it."""
    shape = model.config
    probabilities, trace = ask(model, key, picture)
    grid = attention_map(attention_matrix(trace, view.layer, view.head), view.token, view.given)
    scale = (
        (0.0, float(attention_maps(trace, view.token, view.given).max()))
        if view.one_scale
        else None
    )
    says, asking = run.classes[int(probabilities.argmax())], view.asking(shape)
    st.markdown(f"**{says}** {probabilities.max():.0%}: {picture.name}")
    chart(
        overlay(
            picture.pixels,
            grid,
            shape.patch_size,
            view.patch(shape),
            view.strength,
            scale,
            view.smooth,
        ),
        key=f"beside-{side}",
        alt=f"{name}: attention {'to' if view.given else 'of'} {asking}, {view.where}, over {picture.name}; it says {says}.",
    )
    st.caption(f"{name} · {asking}, {view.where}.")
