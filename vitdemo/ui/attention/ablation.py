"""Ablation: ablate heads, block attention, occlude patches, and see how the prediction changes."""

import numpy as np
import streamlit as st
import torch

from ...config import ModelConfig
from ...data.cifar10 import normalize, pixels_of
from ...explain.importance import Effect, ablate_each_head, effects_of, head_importance
from ...figures.attention import picture_with_crosses
from ...figures.color_bar import NO_HEAD, range_text
from ...figures.heads import head_map
from ...figures.predictions import before_and_after
from ...figures.tokens import patch_at
from ...runs.run import Run
from ..cached import HASHES, model_of
from ..chart import chart
from ..picture_picker import Picture
from ..task_panel import task_panel
from ..wording import plain
from .interventions import Interventions, chosen_interventions
from .sample import is_slow, sample_of
from .state import BLOCKED_IN, CLICKS, toggle
from .view import View

SAMPLE = 200  # pictures
MAP_HEIGHT = 280


def show(run: Run, picture: Picture, before: np.ndarray, view: View) -> None:
    """Draw the picture, the prediction before and after, and the heads to ablate."""
    chosen = chosen_interventions(run.model, view)
    changed = chosen.occluded(picture.image, run.model)
    with torch.inference_mode():
        logits, _ = model_of(run, images=1).trace(normalize(changed), chosen.edit)
        after = logits.softmax(dim=1)[0].numpy()
    left, right = st.columns(2)
    with left:
        _picture(run.model, changed, view, chosen)
    with right:
        _predictions(before, after, run.classes, picture.label)
    _heads(run, chosen)


def _picture(model: ModelConfig, changed: torch.Tensor, view: View, chosen: Interventions) -> None:
    blocked, occluded = st.session_state["blocked"], _patches(len(chosen.patches))
    cannot = "no token can" if view.token is None else f"{view.token_phrase(model)} cannot"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _click_controls(bool(blocked))

    def patch_clicked(point: dict) -> None:
        patch = patch_at(point["x"], point["y"], model.patch_size, model.grid_size)
        toggle("occluded" if st.session_state["click"] == "occlude" else "blocked", patch)

    pixels = pixels_of(changed[0].round().to(torch.uint8))
    chart(
        picture_with_crosses(pixels, model.patch_size, view.patch(model), blocked),
        key="ablation_picture",
        alt=f"The picture with {occluded} occluded; crossed out: {_patches(len(blocked))} that "
        f"{cannot} attend to.",
        on_click=patch_clicked,
    )
    if blocked or chosen.patches:
        st.caption(
            f"{occluded} occluded. Crosses: {_patches(len(blocked))} that {cannot} attend to. "
            "Click a patch again to restore it."
        )
    else:
        st.caption("Click patches to occlude them, or to block attention to them.")
    if blocked or chosen.patches or chosen.heads:
        st.button("Reset", on_click=_reset, icon=":material/undo:")


def _patches(count: int) -> str:
    return "1 patch" if count == 1 else f"{count} patches"


def _click_controls(any_blocked: bool) -> None:
    st.segmented_control(
        "Click to",
        tuple(CLICKS),
        key="click",
        persist_state="session",
        required=True,
        format_func=CLICKS.get,
        wrap=True,
        help="*Occlude a patch*: replace it with the picture's mean color. *Block attention to a "
        "patch* (attention knockout): the chosen token cannot attend to it; the token's other "
        "attention weights are rescaled to sum to 1.",
    )
    if any_blocked:
        st.selectbox(
            "Blocked in",
            tuple(BLOCKED_IN),
            key="blocked_in",
            persist_state="session",
            format_func=BLOCKED_IN.get,
            help="If one layer is blocked, information can still reach the token in the others.",
        )


def _reset() -> None:
    st.session_state.update(ablated=(), occluded=(), blocked=())


def _predictions(
    before: np.ndarray, after: np.ndarray, classes: tuple[str, ...], label: int | None
) -> None:
    first, then = classes[int(before.argmax())], classes[int(after.argmax())]
    was = "" if first == then else f" (before: {plain(first)})"
    st.markdown(f"**Prediction: {plain(then)}**{was}")
    chart(
        before_and_after(before, after, classes, label),
        key="before_and_after",
        alt=f"{first} {before.max():.1%} before; {then} {after.max():.1%} after.",
    )
    colors = "" if label is None else " Green: the true class."
    st.caption(f"Pale: before. Solid: after.{colors}")


def _heads(run: Run, chosen: Interventions) -> None:
    st.header("Heads")
    _sample_accuracy(run, chosen)

    def head_clicked(point: dict) -> None:
        toggle("ablated", f"{point['y']:.0f}.{point['x']:.0f}")

    left, right = st.columns(2)
    with left:
        st.markdown("**Effect of ablating each head**")
        _effects(run, set(chosen.heads), head_clicked)
    with right:
        st.markdown("**Importance by gradient**")
        importance = _importance(run)
        chart(
            head_map(importance, "|dL/dgate|", False, set(chosen.heads), MAP_HEIGHT),
            key="importance",
            alt="Importance of each head by the gradient of the loss, "
            f"{range_text(importance, NO_HEAD)}.",
            on_click=head_clicked,
        )
        st.caption(
            "Sensitivity of the loss L to each head, whose output is multiplied by a gate of 1: "
            "mean of |dL/dgate| over the images (P. Michel, O. Levy and G. Neubig, *Are Sixteen "
            "Heads Really Better than One?*, 2019, equation 2). This is a first-order estimate: it "
            "measures small changes of a head, not its removal, so the two maps can differ."
        )


def _sample_accuracy(run: Run, chosen: Interventions) -> None:
    """Write the accuracy over a sample, and without interventions."""
    name = "Accuracy" if run.sees_own_classes else "Agreement with the unchanged model"
    found = _effect(run, chosen)
    after, before = (
        f"{count / found.images:.1%}"
        for count in (found.correct, found.correct + found.lost - found.gained)
    )
    text = f"{name} on {found.images} validation images: **{after}** "
    text += f"(before: {before}): {_in_words(found)}." if chosen.in_model else "with all heads."
    st.markdown(f"{text} One image is {100 / found.images:.2g} points.")


def _in_words(effect: Effect) -> str:
    """Return `-1.5 points (3 images lost, 0 gained; 95% interval -3.4 to +0.5)`."""
    low, high = effect.interval
    images = "1 image" if effect.lost == 1 else f"{effect.lost} images"
    return (
        f"{100 * effect.accuracy:+.1f} points ({images} lost, {effect.gained} gained; 95% interval "
        f"{100 * low:+.1f} to {100 * high:+.1f})"
    )


@st.cache_data(
    max_entries=128,
    show_spinner="Classifying the validation images …",
    hash_funcs=HASHES | {Interventions: lambda chosen: (chosen.heads, chosen.edges, chosen.layers)},
)
def _effect(run: Run, chosen: Interventions) -> Effect:
    sample = sample_of(run, SAMPLE)
    return next(effects_of(model_of(run), sample.images, sample.labels, [chosen.edit]))


@st.cache_data(max_entries=32, show_spinner="Computing the gradient …", hash_funcs=HASHES)
def _importance(run: Run) -> np.ndarray:
    sample = sample_of(run, SAMPLE)
    return head_importance(model_of(run), sample.images, sample.labels).numpy()


def _effects(run: Run, ablated: set[tuple[int, int]], head_clicked) -> None:
    """Draw the change in accuracy without each head, or the progress until it is known."""
    depth, heads = run.model.depth, run.model.num_heads
    sample = sample_of(run, SAMPLE)

    def show_all(results: tuple[Effect, ...]) -> None:
        if len(results) < depth * heads:
            return
        clear = [100 * effect.accuracy if effect.is_clear else 0.0 for effect in results]
        notes = [_in_words(effect) for effect in results]
        chart(
            head_map(
                np.array(clear).reshape(depth, heads),
                "Δ accuracy (points)",
                True,
                ablated,
                MAP_HEIGHT,
                np.array(notes).reshape(depth, heads),
            ),
            key="effect",
            alt=_effects_in_words(results, heads),
            on_click=head_clicked,
        )
        st.caption(
            "Change in accuracy when the head is ablated: its output is set to 0. Purple: accuracy "
            f"drops. Orange: it rises. White: these {len(sample)} images cannot tell the change "
            "from none (95% interval of the paired difference); hover for the numbers. By chance "
            f"alone, about one head in twenty is colored, of {depth * heads} here. Click a head to "
            "ablate it or to restore it."
        )

    task_panel(
        ("ablations", *run.version),
        depth * heads,
        lambda: ablate_each_head(model_of(run), sample.images, sample.labels),
        f"Ablate each of the {depth * heads} heads",
        "heads ablated",
        show_all,
        "Ablates one head at a time, on the same images. You can keep using the app.",
        auto_start=not is_slow(run.model),
    )


def _effects_in_words(results: tuple[Effect, ...], heads: int) -> str:
    """Return the alternative text of the chart: each head whose effect is clear."""
    clear = [
        f"layer {number // heads + 1}, head {number % heads + 1} {_in_words(effect)}"
        for number, effect in enumerate(results)
        if effect.is_clear
    ]
    said = "; ".join(clear) or f"{NO_HEAD}: the images cannot tell any change from none"
    return f"Change in accuracy without each head. {said}."
