"""The encoder block and the whole model: tensor shapes, source code, residual stream, LayerNorm."""

import math

import numpy as np
import streamlit as st
from torch.nn import LayerNorm

from ...config import ConfigError, ModelConfig
from ...costs import parameters
from ...data.cifar10 import normalize
from ...explain.importance import accuracy_and_loss
from ...figures.numbers import two_lines
from ...lessons.activations import activations, residual_norms, without_norm1
from ...model import VisionTransformer
from ...runs.run import Run
from ..cached import HASHES, model_of
from ..chart import chart
from ..wording import plain
from .example import SAMPLE, first_pictures, plain_vit
from .lesson import Lesson
from .model_walk import MODEL

BATCH = 4  # images for the shapes
PYTORCH_EPS = LayerNorm(1).eps
STREAM_BATCH = 16  # images for the mean L2 norms
WIDTHS, DEPTHS, HEADS, PATCHES = (32, 64, 128, 192), range(1, 13), (1, 2, 4, 8), (2, 4, 8, 16)
OUTPUTS = {  # name of an activation -> explanation
    "images": "normalized images (batch, channels, height, width)",
    "patch_embed": "one token per patch",
    "embed": "CLS (classification token) prepended, position embeddings added",
    "blocks[0].norm1": "LayerNorm, which gives each token mean 0 and standard deviation 1",
    "blocks[0].attn.qkv": "query, key and value of each token, concatenated",
    "attention": "attention weights of each head, query tokens × key tokens",
    "blocks[0].attn": "outputs of all heads, concatenated and projected",
    "blocks[0].norm2": "LayerNorm again",
    "blocks[0].mlp.fc1": "hidden layer of the MLP (multilayer perceptron)",
    "blocks[0].mlp.fc2": "output of the MLP",
    "blocks[0]": "tokens after the first block",
    "norm": "final LayerNorm",
    "head": "logits: one number per class",
}


def shapes(lesson: Lesson) -> ModelConfig | None:
    """Show the shape of every activation for the chosen sizes. Return these, if they are valid."""
    st.header("Tensor shapes")
    try:
        config = _chosen_sizes(lesson)
    except ConfigError as error:
        st.error(plain(str(error)))
        return None
    model = VisionTransformer(config, seed=0).eval()
    found = activations(model, normalize(first_pictures(BATCH).images))
    attention_std = next(step.std for step in found if step.name == "attention")
    rows = ["| Output | Shape | Std |", "|---|---|---:|"]
    for step in found:
        name = step.name.replace("blocks[0].", "")
        explanation = OUTPUTS.get(step.name, f"tokens after block {config.depth}")
        shape = "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}".join(map(str, step.shape))
        rows.append(f"| `{name}`: {explanation} | {shape} | {step.std:.3f} |")
    st.markdown("\n".join(rows))
    st.caption(
        f"Output of each module for {BATCH} test images. The model has the sizes chosen above and "
        "new random weights, as at the start of training. `norm1` to `mlp.fc2` are parts of the "
        "first block. Std is the standard deviation of all numbers in the tensor. After LayerNorm "
        "it is 1 here, because in a new model the scale γ is 1 and the shift β is 0. The attention "
        f"weights of a query sum to 1, so their mean is 1 / {config.num_tokens} = "
        f"{1 / config.num_tokens:.3f}. Their standard deviation is {attention_std:.3f}: a new "
        "model attends to all tokens almost equally."
    )
    attention = _size(model.blocks[0].attn)
    mlp = _size(model.blocks[0].mlp)
    in_blocks = parameters(config)["encoder blocks"] / sum(parameters(config).values())
    lesson.predict(
        "mlp",
        "How many parameters does the MLP of a block have, compared with its attention module?",
        {"half as many": 0.5, "the same number": 1.0, "twice as many": 2.0},
        lambda: mlp / attention,
        f"{{:.3g}} times as many: {mlp:,} versus {attention:,}. The encoder blocks hold "
        f"{in_blocks:.0%} of this model's parameters.",
    )
    return config


def _chosen_sizes(lesson: Lesson) -> ModelConfig:
    first, second, third, fourth = st.columns(4)
    with first:
        patch_size = lesson.choose(
            "patch",
            "Patch size",
            PATCHES,
            4,
            "Side length of a patch in pixels. Smaller patches give more tokens (T).",
        )
    with second:
        embed_dim = lesson.choose(
            "width", "Embedding dimension", WIDTHS, 64, "Numbers in one token (D)."
        )
    with third:
        num_heads = lesson.choose(
            "heads",
            "Heads",
            HEADS,
            8,
            "Attention heads in each block. The embedding dimension is divided among them.",
        )
    with fourth:
        depth = lesson.slide("depth", "Depth", DEPTHS, 7, "Number of encoder blocks.")
    return ModelConfig(patch_size=patch_size, embed_dim=embed_dim, num_heads=num_heads, depth=depth)


def _size(module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def whole_model(lesson: Lesson, config: ModelConfig) -> None:
    """Walk through the source of the model, with the shapes for `config`."""
    st.header("The whole model, part by part")
    st.markdown(
        "This is the source code of every Vision Transformer on these pages, read from the running "
        "program. All of it is in one file, `vitdemo/model.py`. The shapes are for "
        f"{BATCH} images and the sizes chosen above."
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


def residual_stream(lesson: Lesson) -> None:
    """Show the L2 norm of the tokens after each block, and of what each block adds."""
    st.header("The residual stream")
    run, model = plain_vit()
    norms = residual_norms(model, normalize(first_pictures(STREAM_BATCH).images))
    st.markdown(
        "A block never replaces the tokens: its attention and its MLP each **add** an update to "
        "them (a **residual connection**). The path of the tokens from the embedding to the final "
        "LayerNorm is called the **residual stream**. The charts show the **L2 norm** (the square "
        "root of the sum of squares) of the tokens and of the updates in the trained ViT that "
        "ships with this app. It has its own sizes, not those chosen above."
    )
    layers = tuple(range(1, run.model.depth + 1))
    left, right = st.columns(2)
    with left:
        st.markdown("**L2 norm of the tokens**")
        lines = {"mean over tokens": np.array(norms.tokens)}
        alt = f"L2 norm of the tokens, from {norms.tokens[0]:.1f} to {norms.tokens[-1]:.1f}."
        figure = two_lines((0, *layers), lines, "after block (0: embedding)", "L2 norm", 260)
        chart(figure, key="tokens", alt=alt)
    with right:
        st.markdown("**L2 norm of the updates**")
        lines = {"attention": np.array(norms.attention), "MLP": np.array(norms.mlp)}
        alt = (
            f"In the last block, the L2 norm of the update is {norms.attention[-1]:.1f} for "
            f"attention and {norms.mlp[-1]:.1f} for the MLP."
        )
        chart(two_lines(layers, lines, "block", "L2 norm", 260), key="updates", alt=alt)
    st.caption(
        f"Mean over all tokens of {STREAM_BATCH} test images. The L2 norm of the tokens is "
        f"{norms.tokens[0]:.1f} before the first block and {norms.tokens[-1]:.1f} after the last. "
        "It grows by less than the sum of the norms of all updates, because the updates point in "
        "different directions."
    )


def layer_norm(lesson: Lesson) -> None:
    """Explain LayerNorm, and show the accuracy without it."""
    st.header("What LayerNorm does")
    run, model = plain_vit()
    st.latex(r"\mathrm{LN}(x) = \gamma \odot \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta")
    st.markdown(
        "LayerNorm works on each token separately. It subtracts the mean $\\mu$ of the token's "
        "numbers, divides by their standard deviation $\\sigma$ (for $\\sigma^2$, the sum of the "
        "squared differences from the mean is divided by $D$, not by $D - 1$), and then scales "
        "and shifts each number by the learned parameters $\\gamma$ and $\\beta$ ($\\odot$: "
        "elementwise product). The tiny $\\varepsilon$ prevents division by 0; it is "
        f"{_power(model.norm.eps)} here, as in timm, and {_power(PYTORCH_EPS)} in the paper's "
        "code, which keeps PyTorch's default. However "
        "large a token has become in the residual stream, attention and the MLP receive it at the "
        "same scale."
    )
    before, after = accuracies(run)
    chance = 1 / run.model.num_classes
    if lesson.predict(
        "norm",
        f"The trained ViT classifies {before:.0%} of {SAMPLE} test images correctly. What is its "
        "accuracy without the LayerNorm before attention?",
        {"80%": 0.8, "50%": 0.5, f"about chance ({chance:.0%})": chance},
        lambda: after,
        "{:.0%}. The attention modules were trained on normalized tokens. Without LayerNorm, the "
        "learned γ and β are missing as well.",
    ):
        st.markdown(f"Accuracy with LayerNorm **{before:.1%}**, without **{after:.1%}**.")
    lesson.code(without_norm1, "How LayerNorm is removed: `Identity` returns its input unchanged.")


def _power(number: float) -> str:
    """Return a power of ten as a formula."""
    return f"$10^{{{round(math.log10(number))}}}$"


@st.cache_data(show_spinner="Evaluating the model without LayerNorm …", hash_funcs=HASHES)
def accuracies(run: Run) -> tuple[float, float]:
    """Return the accuracy on SAMPLE test images with and without LayerNorm before attention."""
    model = model_of(run)
    split = first_pictures(SAMPLE)
    images = normalize(split.images)
    accuracy, _ = accuracy_and_loss(model, images, split.labels)
    without, _ = accuracy_and_loss(without_norm1(model), images, split.labels)
    return accuracy, without
