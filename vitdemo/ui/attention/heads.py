"""Heads: mean attention distance, entropy, and attention to CLS and to the query itself."""

from dataclasses import fields

import numpy as np
import streamlit as st

from ...config import ModelConfig
from ...explain.heads import HeadStatistics, head_statistics, patch_distances
from ...figures.color_bar import NO_HEAD, is_uniform
from ...figures.heads import by_layer, head_at
from ...runs.run import Run
from ..cached import HASHES, model_of
from ..chart import chart
from .sample import sample_of
from .state import STATISTICS, offered
from .view import View

SAMPLE = 100  # pictures
HEIGHT = 340
AXES = {
    "distance": "Mean attention distance (pixels)",
    "entropy": "Entropy (bits)",
    "to_cls": "Attention to CLS",
    "to_self": "Attention to self",
}
DESCRIPTIONS = {
    "distance": "Mean attention distance: the distance from the center of the query patch to the "
    "centers of the key patches, averaged with the attention weights (Dosovitskiy et al. 2021, "
    "Figure 7). A CLS token has no position, so it is left out as query and as key; the other "
    "weights are rescaled to sum to 1.",
    "entropy": "Entropy measures how spread out attention is: 0 bits if a patch attends to a "
    "single token; each additional bit means twice as many tokens.",
    "to_cls": "How much of its attention a patch gives to CLS.",
    "to_self": "How much of its attention a patch gives to itself.",
}


def show(run: Run, view: View) -> None:
    """Draw a point for each head; a click opens the head."""
    shape = run.model
    statistic = st.segmented_control(
        "Statistic",
        offered(run)["statistic"][0],
        key="statistic",
        persist_state="session",
        required=True,
        format_func=STATISTICS.get,
        wrap=True,
        help="Each statistic is averaged over all query patches and over the pictures.",
    )
    values = statistics_of(run)[statistic]
    uniform = of_uniform_attention(shape)[statistic]

    def head_clicked(point: dict) -> None:
        layer, head = head_at(point["x"], shape.num_heads)
        if 0 <= head < shape.num_heads:
            st.session_state.update(layer=layer + 1, head=head + 1, view="attention")

    count = len(sample_of(run, SAMPLE))
    means = ", ".join(f"{mean:.2f}" for mean in values.mean(axis=1))
    chart(
        by_layer(values, AXES[statistic], uniform, (view.layer, view.head), HEIGHT),
        key="statistics_chart",
        alt=f"{AXES[statistic]} of each head by layer, over {count} pictures; layer means {means}.",
        on_click=head_clicked,
    )
    st.caption(
        f"Each point is one head, averaged over {count} validation images. Line: mean of each "
        f"layer. Dotted: a head with uniform attention to all tokens ({uniform:.2f}). Pink: the "
        f"chosen head. Click a point to see that head's attention. {DESCRIPTIONS[statistic]}"
    )
    if statistic == "distance":
        st.markdown(near_and_far(values, uniform))


@st.cache_data(max_entries=32, show_spinner="Measuring the heads …", hash_funcs=HASHES)
def statistics_of(run: Run) -> dict[str, np.ndarray]:
    """Return each statistic of all heads (depth, num_heads)."""
    found = head_statistics(model_of(run), sample_of(run, SAMPLE).images)
    return {
        field.name: getattr(found, field.name).numpy(force=True) for field in fields(HeadStatistics)
    }


def of_uniform_attention(model: ModelConfig) -> dict[str, float]:
    """Return the statistics of a head with uniform attention."""
    share = 1 / model.num_tokens
    return {
        "distance": float(patch_distances(model.grid_size, model.patch_size).mean()),
        "entropy": float(np.log2(model.num_tokens)),
        "to_cls": share if model.has_cls else 0.0,
        "to_self": share,
    }


def near_and_far(distance: np.ndarray, uniform: float) -> str:
    """Describe which heads are most local and most global, and how layers differ."""
    depth, heads = distance.shape
    if is_uniform(distance):
        return f"- {NO_HEAD}: all attend over the same mean distance, {distance[0, 0]:.1f} pixels."
    order = np.argsort(distance, axis=None)
    nearest, farthest = (divmod(int(number), heads) for number in (order[0], order[-1]))
    lines = [
        f"- **Most local**: layer {nearest[0] + 1}, head {nearest[1] + 1} "
        f"({distance[nearest]:.1f} pixels). **Most global**: layer {farthest[0] + 1}, head "
        f"{farthest[1] + 1} ({distance[farthest]:.1f} pixels)."
    ]
    if depth > 1:
        first, last = distance.mean(axis=1)[[0, -1]]
        change = "longer" if last > first else "shorter"
        lines.append(
            f"- The last layer attends over **{change}** distances than the first: {last:.1f} and "
            f"{first:.1f} pixels, averaged over heads. Uniform attention: {uniform:.1f} pixels."
        )
    if depth > 1 and heads > 1:
        ranges = np.ptp(distance, axis=1)
        most, least = int(ranges.argmax()), int(ranges.argmin())
        lines.append(
            f"- Heads differ most in layer {most + 1} (by {ranges[most]:.1f} pixels) and least in "
            f"layer {least + 1} (by {ranges[least]:.1f})."
        )
    return "\n".join(lines)
