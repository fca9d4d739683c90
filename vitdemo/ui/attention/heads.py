"""Heads: how far each looks, how widely, and how much at CLS and at itself; which look near and which far."""

from dataclasses import fields

import numpy as np
import streamlit as st

from ...config import ModelConfig
from ...explain.heads import HeadStatistics, distances, head_statistics
from ...figures.heads import by_layer, head_at
from ...model import VisionTransformer
from ...runs.run import Run
from ..chart import chart
from .attention_maps import View
from .sample import pictures_of, sample
from .state import CHARACTERS, offered

SAMPLE = 100  # pictures
HEIGHT = 340
AXES = {
    "distance": "Mean attention distance (pixels)",
    "entropy": "Entropy (bits)",
    "on_cls": "Share on CLS",
    "on_itself": "Share on the asking patch",
}
WORDS = {
    "distance": "How far away the patches lie that a patch takes from, from middle to middle, weighted with attention "
    "(Dosovitskiy et al. 2021, Figure 7). CLS lies nowhere: it does not ask here, and what goes to it is left out, the rest "
    "divided by its sum.",
    "entropy": "How widely a patch looks: 0 bits, all at one token; each bit more, at twice as many.",
    "on_cls": "How much of its attention a patch gives to CLS.",
    "on_itself": "How much of its attention a patch gives to itself.",
}


def show(run: Run, model: VisionTransformer, view: View) -> None:
    """A point for each head; a click opens it."""
    shape = model.config
    what = st.segmented_control(
        "What is shown",
        offered(run)["character"][0],
        key="character",
        persist_state="session",
        required=True,
        format_func=CHARACTERS.get,
        help="Each is the mean over asking patches and pictures.",
    )
    pictures = pictures_of(run, SAMPLE)
    values = _character(run.version, model, run)[what]
    even = of_even_attention(shape)[what]

    def head_clicked(point: dict) -> None:
        layer, head = head_at(point["x"], shape.num_heads)
        if 0 <= head < shape.num_heads:
            st.session_state.update(layer=layer + 1, head=head + 1, view="see")

    chart(
        by_layer(values, AXES[what], even, (view.layer, view.head), HEIGHT),
        key="character_chart",
        alt=f"{AXES[what]} of each head by layer, over {pictures} pictures: means by layer "
        + ", ".join(f"{mean:.2f}" for mean in values.mean(axis=1)),
        on_click=head_clicked,
    )
    st.caption(
        f"One point a head, over {pictures} validation images; the line is the mean of each layer. Dotted: a head that looks "
        f"at all tokens alike ({even:.2f}). Pink: the chosen head. Click a point to see that head. {WORDS[what]}"
    )
    if what == "distance":
        st.markdown(near_and_far(values, even))


@st.cache_data(max_entries=32, show_spinner="Measuring the heads …")
def _character(version: tuple, _model: VisionTransformer, _run: Run) -> dict[str, np.ndarray]:
    found = head_statistics(_model, sample(_run, _model, SAMPLE)[0])
    return {
        field.name: getattr(found, field.name).numpy(force=True) for field in fields(HeadStatistics)
    }


def of_even_attention(model: ModelConfig) -> dict[str, float]:
    """What a head would have that takes from every token alike."""
    apart = distances(model.grid_size, model.patch_size)
    share = 1 / model.num_tokens
    return {
        "distance": float(apart.mean()),
        "entropy": float(np.log2(model.num_tokens)),
        "on_cls": share * model.has_cls,
        "on_itself": share,
    }


def near_and_far(distance: np.ndarray, even: float) -> str:
    """In words: which heads look near and which far, and how layers differ."""
    order = np.argsort(distance, axis=None)
    name = [
        f"layer {place // distance.shape[1] + 1}, head {place % distance.shape[1] + 1}"
        for place in order
    ]
    near, far = distance.ravel()[order[0]], distance.ravel()[order[-1]]
    layers = distance.mean(axis=1)
    spread = np.ptp(distance, axis=1)
    lines = [
        f"- **Nearest**: {name[0]} ({near:.1f} pixels). **Farthest**: {name[-1]} ({far:.1f} pixels)."
    ]
    if len(layers) > 1:
        change = "farther" if layers[-1] > layers[0] else "nearer"
        lines.append(
            f"- The last layer looks **{change}** than the first: {layers[-1]:.1f} against {layers[0]:.1f} pixels in the mean "
            f"of its heads. Even attention would have {even:.1f}."
        )
        if distance.shape[1] > 1:
            lines.append(
                f"- Heads differ most in layer {spread.argmax() + 1} (by {spread.max():.1f} pixels) and least in layer "
                f"{spread.argmin() + 1} (by {spread.min():.1f})."
            )
    return "\n".join(lines)
