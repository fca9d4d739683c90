"""The encoder block and the whole model: the running code, the shape of all that flows through, and the residual stream."""

import numpy as np
import streamlit as st

from ...config import ConfigError, ModelConfig
from ...costs import parameters
from ...data.cifar10 import normalize
from ...explain.importance import accuracy_and_loss
from ...figures.numbers import two_lines
from ...lessons.activations import activations, residual_norms, without_norm1
from ...model import VisionTransformer
from ..chart import chart
from .example import SAMPLE, first_pictures, plain_vit
from .lesson import Lesson
from .walks import MODEL

LENGTH = "length (root of the sum of squares)"  # what is drawn of tokens
BATCH = 4  # pictures that flow through
WIDTHS, DEPTHS, HEADS, PATCHES = (32, 64, 128, 192), range(1, 13), (1, 2, 4, 8), (2, 4, 8, 16)
WHAT = {  # of each part: what it does
    "images": "normalized pictures: how many (the batch, B), channels, height, width",
    "patch_embed": "one token a patch",
    "embed": "CLS before them, positions added",
    "blocks[0].norm1": "each token to mean 0 and spread 1, then scaled",
    "blocks[0].attn.qkv": "query, key and value of each token, side by side",
    "attention": "of each head: who takes how much from whom",
    "blocks[0].attn": "what the heads gathered, mixed",
    "blocks[0].norm2": "normalized again",
    "blocks[0].mlp.fc1": "each token alone, wider",
    "blocks[0].mlp.fc2": "and back",
    "blocks[0]": "the stream after the first block",
    "norm": "normalized once more",
    "head": "the logits: a number for each class",
}


def shapes(lesson: Lesson) -> ModelConfig | None:
    """The sliders, and every intermediate of a real pass. Returns what they say, where it can be."""
    st.header("What flows through")
    first, second, third, fourth = st.columns(4)
    with first:
        patch = lesson.choose(
            "patch", "Patch size", PATCHES, 4, "Smaller patches: more tokens (T)."
        )
    with second:
        width = lesson.choose("width", "Width", WIDTHS, 64, "Numbers in a token (D).")
    with third:
        heads = lesson.choose("heads", "Heads", HEADS, 8, "The width is divided among them.")
    with fourth:
        depth = lesson.choose(
            "depth", "Depth", DEPTHS, 7, "Blocks one after the other.", draw=st.select_slider
        )
    try:
        config = ModelConfig(patch_size=patch, embed_dim=width, num_heads=heads, depth=depth)
    except ConfigError as error:
        st.error(str(error))
        return None
    model = VisionTransformer(config, seed=0).eval()
    steps = activations(model, normalize(first_pictures(BATCH).images))
    rows = ["| Part | Shape | Spread | What it is |", "|---|---|---:|---|"]
    for step in steps:
        words = WHAT.get(step.name, f"the stream after block {config.depth}")
        shape = "×\u200b".join(map(str, step.shape))  # may break after a cross, on a phone
        rows.append(
            f"| `{step.name.replace('blocks[0].', '')}` | {shape} | {step.std:.3f} | {words} |"
        )
    st.markdown("\n".join(rows))
    st.caption(
        f"{BATCH} test images through a new model of these sizes, with the random weights that a training begins with; "
        "from `norm1` to `mlp.fc2` it is the first block. Spread is the standard deviation: a new norm makes it 1 (its "
        f"γ is 1, its β is 0). The attention's rows sum to 1, so its numbers are small: 1 / {config.num_tokens} on average."
    )
    share = parameters(config)["encoder blocks"] / sum(parameters(config).values())
    attention, mlp = (
        sum(parameter.numel() for parameter in part.parameters())
        for part in (model.blocks[0].attn, model.blocks[0].mlp)
    )
    lesson.predict(
        "mlp",
        "How many times as many parameters does the MLP of a block have as its attention?",
        {"half as many": 0.5, "as many": 1.0, "twice as many": 2.0},
        lambda: mlp / attention,
        f"{{:.3g}} times: {mlp:,} against {attention:,}. All blocks together hold {share:.0%} of this model's parameters.",
    )
    return config


def residual_stream(lesson: Lesson) -> None:
    """How the tokens grow."""
    st.header("The residual stream")
    run, model = plain_vit()
    found = residual_norms(model, normalize(first_pictures(BATCH * 4).images))
    st.markdown(
        "No block replaces the tokens: each half **adds** to them. What goes through from the embedding to the last norm is "
        "called the residual stream. Here is how long the tokens of the trained example are (with its own sizes, not those of "
        "the sliders), and the length of what each half adds."
    )
    layers = tuple(range(1, run.model.depth + 1))
    left, right = st.columns(2)
    with left:
        st.markdown("**Length of the tokens**")
        lines = {"mean of all tokens": np.array(found.tokens)}
        alt = f"Length of the tokens from {found.tokens[0]:.1f} to {found.tokens[-1]:.1f}."
        chart(
            two_lines((0, *layers), lines, "after block (0: the embedding)", LENGTH, 260),
            key="lengths",
            alt=alt,
        )
    with right:
        st.markdown("**Length of what is added**")
        lines = {"by attention": np.array(found.attention), "by the MLP": np.array(found.mlp)}
        alt = f"In the last block attention adds {found.attention[-1]:.1f}, the MLP {found.mlp[-1]:.1f}."
        chart(two_lines(layers, lines, "block", LENGTH, 260), key="added", alt=alt)
    st.caption(
        f"Means over the tokens of {BATCH * 4} test images. From {found.tokens[0]:.1f} in front of the first block the "
        f"tokens grow to {found.tokens[-1]:.1f}. They are shorter than the sum of all that was added, as it does not all "
        "point the same way."
    )


def layer_norm(lesson: Lesson) -> None:
    """What the norm before attention is good for."""
    st.header("What LayerNorm does")
    st.latex(r"\mathrm{LN}(x) = \gamma \odot \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta")
    st.markdown(
        "For each token alone: subtract the mean $\\mu$ of its numbers, divide by their spread $\\sigma$, then scale and shift "
        "each number ($\\odot$: number by number) by learned $\\gamma$ and $\\beta$. The tiny $\\varepsilon$ keeps it from "
        "dividing by 0. However long a token has become on the stream, attention and MLP "
        "get one of known size."
    )
    run, _ = plain_vit()
    if lesson.predict(
        "norm",
        f"The trained example names {accuracies(run.id)[0]:.0%} of {SAMPLE} test images rightly. And if its attention gets the "
        "tokens without their norm?",
        {"nearly as many": 0.8, "about half": 0.5, "about chance (10 %)": 0.1},
        lambda: accuracies(run.id)[1],
        "Now {:.0%}: its weights were learned for tokens of a known size. The learned γ and β are gone as well.",
    ):
        before, after = accuracies(run.id)
        st.markdown(f"With the norm **{before:.1%}**, without **{after:.1%}**.")
    lesson.code(without_norm1, "How the norm is taken away: `Identity` hands on what it gets.")


@st.cache_data(show_spinner="Asking the model without its norms …")
def accuracies(run_id: str) -> tuple[float, float]:
    """Over SAMPLE test images, with the norm before attention and without."""
    _, model = plain_vit()
    split = first_pictures(SAMPLE)
    images = normalize(split.images)
    return tuple(
        accuracy_and_loss(one, images, split.labels)[0] for one in (model, without_norm1(model))
    )


def whole_model(lesson: Lesson, config: ModelConfig) -> None:
    """The source, part by part, with the shapes of the sliders."""
    st.header("The whole model, part by part")
    st.markdown(
        "This is the code of the trained example and of every model on these pages, read from the running program. It is "
        "one file, `vitdemo/model.py`, and reads from top to bottom. The shapes are those of the sliders above."
    )
    sizes = {
        "B": BATCH,
        "C": config.in_channels,
        "S": config.image_size,
        "P": config.patch_size,
        "patch": config.in_channels * config.patch_size**2,
        "side": config.grid_size,
        "N": config.num_patches,
        "T": config.num_tokens,
        "D": config.embed_dim,
        "three_D": 3 * config.embed_dim,
        "H": config.num_heads,
        "d_k": config.head_dim,
        "M": config.mlp_dim,
        "L": config.depth,
        "K": config.num_classes,
    }
    lesson.walk(MODEL, sizes)
