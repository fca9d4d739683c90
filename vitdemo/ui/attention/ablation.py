"""Intervene: switch heads off, cut looks, cover patches, and see what the model says then."""

import numpy as np
import streamlit as st
import torch

from ...background import tasks
from ...data.cifar10 import normalize
from ...explain.ablation import ablate_heads, block_attention, both
from ...explain.importance import accuracy_and_loss, gradient_importance, removals
from ...explain.occlusion import cover
from ...figures.attention import picture_with_crosses
from ...figures.heads import head_map
from ...figures.predictions import before_and_after
from ...model import Edit, VisionTransformer
from ...runs.run import Run
from ..chart import chart
from ..picture_picker import Picture
from ..task_panel import task_panel
from .attention_maps import View
from .sample import pictures_of, sample, slow
from .state import CLICKS, WHERE, toggle

SAMPLE = 200  # pictures
MAP_HEIGHT = 280


def show(
    run: Run, model: VisionTransformer, picture: Picture, before: np.ndarray, view: View
) -> None:
    """The picture with what is covered and cut, the answer before and after, and the heads to switch off."""
    off, covered, cut = (st.session_state[name] for name in ("off", "covered", "cut"))
    asks = tuple(range(model.config.num_tokens)) if view.token is None else (view.token,)
    edit = _edit(model, view, off, cut, asks)
    changed = _covered(model, picture, covered)
    with torch.inference_mode():
        after = model.trace(normalize(changed), edit)[0].softmax(dim=1)[0].numpy()
    left, right = st.columns(2)
    with left:
        _picture(model, changed, view, covered, cut)
    with right:
        _answers(before, after, run.classes, picture.label)
    _heads(run, model, view, off, cut, asks)


def _edit(
    model: VisionTransformer, view: View, off: tuple, cut: tuple, asks: tuple[int, ...]
) -> Edit:
    """What the session says, as an edit of the attention."""
    layers = range(model.config.depth) if st.session_state["where"] == "all" else [view.layer]
    edges = [(token, model.config.has_cls + patch) for token in asks for patch in cut]
    return both(ablate_heads(head_of(name) for name in off), block_attention(edges, layers))


def head_of(name: str) -> tuple[int, int]:
    """`3.2` -> layer 2, head 1, from 0."""
    layer, head = name.split(".")
    return int(layer) - 1, int(head) - 1


def _covered(model: VisionTransformer, picture: Picture, patches: tuple[int, ...]) -> torch.Tensor:
    """(1, C, H, W), from 0 to 255."""
    side = model.config.grid_size
    cells = torch.zeros(1, side * side, dtype=torch.bool)
    cells[0, list(patches)] = True
    return cover(picture.image[None].float(), cells.reshape(1, side, side), model.config.patch_size)


def _picture(
    model: VisionTransformer, changed: torch.Tensor, view: View, covered: tuple, cut: tuple
) -> None:
    shape = model.config
    side = shape.grid_size
    asking = view.asking(shape)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "A click",
            tuple(CLICKS),
            key="click",
            persist_state="session",
            required=True,
            format_func=CLICKS.get,
            help="*Covers a patch*: paints it with the mean color of the picture. *Cuts a look at it*: the chosen token may "
            "no longer take anything from it; the rest of its attention is shared among the others. Click again to undo.",
        )
        if cut:
            st.selectbox(
                "Cut in",
                tuple(WHERE),
                key="where",
                persist_state="session",
                format_func=WHERE.get,
                help="A look cut in one layer only can go round by another.",
            )

    def patch_clicked(point: dict) -> None:
        patch = int(point["y"] // shape.patch_size) * side + int(point["x"] // shape.patch_size)
        toggle("covered" if st.session_state["click"] == "cover" else "cut", patch)

    pixels = changed[0].round().to(torch.uint8).permute(1, 2, 0).numpy()
    chart(
        picture_with_crosses(pixels, shape.patch_size, view.patch(shape), cut),
        key="intervene_picture",
        alt=f"The picture with {len(covered)} patches covered; {asking} may not look at {len(cut)} patches, crossed.",
        on_click=patch_clicked,
    )
    st.caption(
        f"Click patches. {len(covered)} covered; crossed: the {len(cut)} that {asking} may not look at."
        if covered or cut
        else "Click patches to cover them, or to forbid the chosen token to look at them."
    )
    if covered or cut or st.session_state["off"]:
        st.button("Undo everything", on_click=_undo, icon=":material/undo:")


def _undo() -> None:
    st.session_state.update(off=(), covered=(), cut=())


def _answers(
    before: np.ndarray, after: np.ndarray, classes: tuple[str, ...], label: int | None
) -> None:
    first, then = classes[int(before.argmax())], classes[int(after.argmax())]
    st.markdown(f"**The model says {then}**" + ("" if first == then else f", before: {first}"))
    chart(
        before_and_after(before, after, classes, label),
        key="before_and_after",
        alt=f"{first} {before.max():.1%} before; {then} {after.max():.1%} after.",
    )
    st.caption("Pale: before. Full: after." + " Green is the right class." * (label is not None))


def _heads(
    run: Run, model: VisionTransformer, view: View, off: tuple, cut: tuple, asks: tuple
) -> None:
    st.subheader("Heads")
    key, pictures = run.version, pictures_of(run, SAMPLE)
    now = whole = _accuracy(key, model, run, None)
    if off or cut:
        where = (asks, st.session_state["where"], view.layer) if cut else ()
        now = _accuracy((*key, off, cut, *where), model, run, _edit(model, view, off, cut, asks))
    measured = "Accuracy" if run.sees_own_classes else "Agreement with its own first answers"
    st.markdown(
        f"{measured} over {pictures} validation images: **{now:.1%}**"
        + (f", before {whole:.1%}." if off or cut else " with all heads on.")
    )
    importance = _importance(key, model, run)
    silent = {head_of(name) for name in off}

    def head_clicked(point: dict) -> None:
        toggle("off", f"{point['y']:.0f}.{point['x']:.0f}")

    left, right = st.columns(2)
    with left:
        st.markdown("**Effect of each head's removal**")
        effect = _effect(key, run, model)
        if effect is not None:
            chart(
                head_map(effect, "accuracy", True, silent, MAP_HEIGHT),
                key="effect",
                alt=f"Change of accuracy without each head, from {effect.min():+.1%} to {effect.max():+.1%}.",
                on_click=head_clicked,
            )
            st.caption(
                "Purple: without it the model is worse. Orange: better. Click a head to switch it off or on again."
            )
    with right:
        st.markdown("**Importance by gradient**")
        chart(
            head_map(importance, "|dL/dgate|", False, silent, MAP_HEIGHT),
            key="importance",
            alt=f"Importance of each head by the gradient of the loss, from {importance.min():.3f} to {importance.max():.3f}.",
            on_click=head_clicked,
        )
        st.caption(
            "How much each image's loss would move if the head were made a little weaker (P. Michel, O. Levy and G. Neubig, "
            "*Are Sixteen Heads Really Better than One?*, 2019, equation 2). Bright heads matter."
        )


@st.cache_data(max_entries=128, show_spinner="Classifying with the change …")
def _accuracy(key: tuple, _model: VisionTransformer, _run: Run, _edit: Edit | None) -> float:
    return accuracy_and_loss(_model, *sample(_run, _model, SAMPLE), _edit)[0]


@st.cache_data(max_entries=32, show_spinner="Asking the gradient …")
def _importance(key: tuple, _model: VisionTransformer, _run: Run) -> np.ndarray:
    return gradient_importance(_model, *sample(_run, _model, SAMPLE)).numpy()


def _effect(key: tuple, run: Run, model: VisionTransformer) -> np.ndarray | None:
    """Change of accuracy without each head (depth, num_heads); None with its progress until it is known."""
    depth, heads = model.config.depth, model.config.num_heads
    key, images = ("removals", *key), sample(run, model, SAMPLE)
    if not slow(model.config):
        tasks.start(key, depth * heads, lambda: removals(model, *images))
    found = tasks.results(key)
    if found is None:
        task_panel(
            key,
            depth * heads,
            lambda: removals(model, *images),
            f"Switch each of {depth * heads} heads off in turn",
            "heads switched off in turn",
            lambda some: None,
            "Each head is switched off alone, over the same images. You can go on meanwhile.",
        )
        return None
    return np.array([accuracy for _, _, accuracy, _ in found]).reshape(depth, heads)
