"""Limits: the cost of tokens, the hunger for data, and learning by heart, each measured here."""

import numpy as np
import streamlit as st

from ...config import PRESETS, ModelConfig
from ...costs import parameters
from ...figures.numbers import two_lines
from ...lessons.comparisons import CURE, PAIRS, train_each
from ...lessons.scaling import (
    BATCH,
    HUNGRY,
    HUNGRY_TEST,
    KINDS,
    SEEN,
    attention_costs,
    exponent,
    hunger,
)
from ..chart import chart
from ..task_panel import task_panel
from .lesson import Lesson
from .two_runs import compare

PATCHES = (8, 4, 2, 1)


@st.cache_data(show_spinner="Measuring attention over ever more tokens …")
def costs() -> list:
    """Once for all visitors."""
    return attention_costs(ModelConfig(), PATCHES)


def quadratic(lesson: Lesson) -> None:
    """Time and memory over tokens."""
    st.header("Twice the tokens, four times the pairs")
    if not lesson.predict(
        "pairs",
        f"Patches of {PATCHES[-1]} px in place of {PATCHES[-2]} px: four times the tokens. How many times the memory of the "
        "attention maps?",
        {"4 times": 4, "16 times": 16, "64 times": 64},
        lambda: costs()[3].megabytes / costs()[2].megabytes,
        "{:.3g} times. Every token looks at every token: T² numbers in each head.",
    ):
        return
    found = costs()
    tokens = tuple(cost.tokens for cost in found)
    left, right = st.columns(2)
    for column, title, values, unit in (
        (
            left,
            "Time of one attention",
            np.array([cost.seconds * 1000 for cost in found]),
            "milliseconds",
        ),
        (right, "Memory of its maps", np.array([cost.megabytes for cost in found]), "MB"),
    ):
        with column:
            st.markdown(f"**{title}**")
            square = values[-1] * (np.array(tokens) / tokens[-1]) ** 2
            chart(
                two_lines(
                    tokens,
                    {"measured": values, "quadratic": square},
                    "tokens",
                    unit,
                    280,
                    logarithmic="xy",
                ),
                key=title,
                alt=f"{title}: {values[0]:.2f} to {values[-1]:.2f} {unit} for {tokens[0]} to {tokens[-1]} tokens.",
            )
    last = exponent(tokens[-2:], [cost.seconds for cost in found[-2:]])
    whole = exponent(tokens, [cost.seconds for cost in found])
    st.caption(
        f"{BATCH} images, width {ModelConfig().embed_dim}, {ModelConfig().num_heads} heads, measured once since the app "
        "was started. Both axes are logarithmic: a power is a straight line, dashed the second one, T². The fitted power is "
        f"{exponent(tokens, [cost.megabytes for cost in found]):.2f} for the memory; for the time {whole:.2f} over all sizes "
        f"and {last:.2f} between the two largest. Below 2, the projections, which grow as T, and the start of each product "
        "still weigh; above 2, the maps have outgrown the processor's fast memory, or others were at work."
    )
    lesson.code(attention_costs, "How it is measured: in turns, the `min` of several passes.")


def data_hunger(lesson: Lesson) -> None:
    """Accuracy over training images."""
    st.header("Hungry for data")
    st.markdown(
        "A convolution knows from the start that neighbors belong together. A plain ViT has to learn it, from images. Here "
        f"both a plain ViT and a hybrid, whose tokens come from convolutions, are trained on {', '.join(map(_count, HUNGRY))} "
        f"images, until each has seen {SEEN:,} (few of them again and again, or many a few times), and asked about "
        f"{HUNGRY_TEST:,} test images. The two also differ in size and recipe, so not all of a gap is due to the convolutions."
    )

    def show(answers: tuple) -> None:
        counts = tuple(dict.fromkeys(images for _, images, _ in answers))
        lines = {
            kind: np.array([reached for which, _, reached in answers if which == kind])
            for kind in KINDS
        }
        said = [
            f"{kind} {', '.join(f'{share:.0%}' for share in reached)}"
            for kind, reached in lines.items()
        ]
        figure = two_lines(counts, lines, "training images", "accuracy", 280, logarithmic="x")
        chart(
            figure,
            key="hunger",
            alt=f"Accuracy with {', '.join(map(_count, counts))} images: {'; '.join(said)}.",
        )
        st.caption(
            f"One training a point, one seed; guessing would reach {1 / ModelConfig().num_classes:.0%}."
        )

    task_panel(
        ("hunger",),
        len(HUNGRY) * len(KINDS),
        hunger,
        "Train on ever more images",
        "trainings",
        show,
        "A minute or two on two cores.",
    )
    lesson.code(
        hunger,
        "The recipes are those of the presets in `KINDS`, with other numbers of images and epochs.",
    )


def _count(images: int) -> str:
    return f"{images:,}"


def learning_by_heart(lesson: Lesson) -> None:
    """Overfitting, shown and cured."""
    st.header("Learning by heart")
    listing, images = sum(parameters(ModelConfig()).values()), PRESETS["annotation"][1].train_images
    lesson.predict(
        "per-image",
        f"The paper's listing learns from {images} images. How many parameters does it have per image?",
        {"6": 6, "60": 60, "600": 600},
        lambda: listing / images,
        f"{{:.0f}}: {listing:,} in all. Enough to remember each image instead of learning what a frog is.",
    )
    plain, _ = PAIRS["by heart"].values()
    st.markdown(
        f"A plain ViT is trained twice on {plain[1].train_images} images for {plain[1].epochs} epochs: once on the images as "
        "they are, once on images that are never twice the same: mirrored at random, brightness, contrast and color off by "
        f"up to {CURE['jitter']:.0%}, a square of {CURE['cutout']} pixels blanked, and in {CURE['cutmix']:.0%} of the steps "
        "a piece of another image pasted in. Nothing else differs."
    )
    compare(PAIRS["by heart"], "by heart", "Less than a minute on two cores.")
    st.caption(
        "Look whether, on the images as they are, the test loss falls and then **rises** while the training loss goes to 0: "
        "the model is ever surer of what it has by heart, and wrong with others. On changed images there is nothing to "
        "remember. Their training accuracy is lower for another reason, too: they are harder, and a mixed one counts under its "
        "own label alone. More images would help most."
    )
    lesson.code(train_each, "Two trainings; the second differs in what is named above.")
