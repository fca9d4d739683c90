"""The parameters of a ViT: their costs, and the configuration printed in the paper."""

from dataclasses import dataclass

import streamlit as st

from ...config import ConfigError, ModelConfig, divisors
from ...costs import activation_bytes, macs, parameters
from ...data.cifar10 import normalize
from ...lessons.measured_costs import counted_macs, saved_bytes
from ...lessons.paper import IMAGE_SIZE, MINIMAL_CPU, VIT_BASE
from ...model import VisionTransformer
from ..wording import plain
from .example import first_pictures
from .lesson import Lesson

BATCH = 128  # images in a training step
MEASURED = 8  # of them, for the measurement; memory is proportional
PATCHES, DEPTHS, HEADS = (2, 4, 8, 16), range(1, 13), (1, 2, 4, 8)
WIDTHS, RATIOS = (32, 64, 128, 192, 256), (1.0, 2.0, 4.0)
EXPLANATIONS = {  # parameter of section 1.4.3, under its name in this app -> explanation
    "image_size": "Height and width of the images in pixels. Twice the size gives four times as "
    "many patches.",
    "patch_size": "Side length of a patch in pixels. Half the size gives about four times as many "
    "tokens and sixteen times as many attention weights.",
    "embed_dim": "Numbers in one token, D. Twice as many give about four times as many parameters.",
    "depth": "Number of encoder blocks. Parameters and compute grow in proportion to it.",
    "num_heads": "Attention heads in each block. Each makes its own queries, keys and values, of "
    "dimension D / heads, from the whole token. The number of parameters does not change.",
    "mlp_ratio": "Width of the hidden layer of the MLP (multilayer perceptron), relative to D. The "
    "paper's `mlp_dim` is D times this ratio.",
    "num_classes": "Outputs of the classification head, one per class.",
    "cls_token": "Learned token of D numbers, prepended to the patches. The image is classified "
    "from it.",
    "pos_embed": "Learned position embeddings, D numbers for each token. More tokens need more of "
    "them.",
    "dropout": "Fraction of the activations that is set to 0 at random during training, to reduce "
    "overfitting.",
    "learning_rate": "Step size of the optimizer. If it is too small, training is slow; if it is "
    "too large, training is unstable or diverges.",
    "batch_size": "Images in one training step. A larger batch has a less noisy gradient and fewer "
    "steps per epoch, and needs more memory.",
    "epochs": "Passes over all training images.",
}


@dataclass(frozen=True)
class Measured:
    """Costs of a model, counted or measured on the model itself."""

    parameters: int
    macs: int  # for one image
    megabytes: float  # activations of a training step of BATCH images


@st.cache_data(max_entries=256, show_spinner="Measuring a model of these sizes …")
def measured(config: ModelConfig) -> Measured:
    """Return the costs of a new model, measured once for all visitors."""
    model = VisionTransformer(config, seed=0)
    images = normalize(first_pictures(MEASURED).images)
    saved = saved_bytes(model.train(), images) * BATCH / MEASURED
    counted = sum(parameter.numel() for parameter in model.parameters())
    return Measured(counted, sum(counted_macs(model.eval(), images).values()), saved / 2**20)


def calculator(lesson: Lesson) -> None:
    """Show parameters, MACs and memory for the chosen sizes."""
    st.header("Cost calculator")
    config = _chosen_sizes(lesson)
    found = measured(config)
    first, second, third = st.columns(3)
    first.markdown(_table("Parameters", parameters(config), found.parameters))
    second.markdown(_table("MACs per image", macs(config), found.macs))
    third.markdown(
        f"| Activations of {BATCH} images | MB |\n|---|---:|\n"
        f"| by formula | {activation_bytes(config, BATCH) / 2**20:,.0f} |\n"
        f"| measured | {found.megabytes:,.0f} |"
    )
    st.caption(
        "A **MAC** (multiply-accumulate) is one multiplication and one addition, so FLOPs "
        "(floating-point operations) = 2 × MACs. Only matrix multiplications are counted. The "
        "**activations** are the tensors that a training step keeps for its backward pass. All "
        "parts are calculated by formula. *Counted* and *measured* come from a new model of these "
        "sizes: its parameters, the matrix multiplications of one forward pass, and the memory "
        f"that PyTorch keeps (for {MEASURED} images, times {BATCH // MEASURED})."
    )
    lesson.predict(
        "heads-cost",
        "How many parameters does a model with eight heads have, compared with one head?",
        {"the same number": 1.0, "twice as many": 2.0, "eight times as many": 8.0},
        lambda: _size(num_heads=8) / _size(num_heads=1),
        "The same number (a factor of {:.3g}): the heads share the embedding dimension.",
    )
    lesson.code(
        parameters,
        "`attention` and `mlp` are the parameters of one block. The tests compare the sum with "
        "the model.",
    )
    with st.expander("The paper's parameters, one by one", icon=":material/help:"):
        st.markdown("\n".join(f"- `{name}`: {text}" for name, text in EXPLANATIONS.items()))


def _chosen_sizes(lesson: Lesson) -> ModelConfig:
    columns = st.columns(5)
    help = EXPLANATIONS
    with columns[0]:
        patch_size = lesson.slide("patch", "Patch size", PATCHES, 4, help["patch_size"])
    with columns[1]:
        embed_dim = lesson.slide("width", "Embedding dimension", WIDTHS, 64, help["embed_dim"])
    with columns[2]:
        depth = lesson.slide("depth", "Depth", DEPTHS, 7, help["depth"])
    with columns[3]:
        num_heads = lesson.slide("heads", "Heads", HEADS, 8, help["num_heads"])
    with columns[4]:
        mlp_ratio = lesson.slide("ratio", "MLP ratio", RATIOS, 4.0, help["mlp_ratio"])
    return ModelConfig(
        patch_size=patch_size,
        embed_dim=embed_dim,
        depth=depth,
        num_heads=num_heads,
        mlp_ratio=mlp_ratio,
    )


def _table(title: str, parts: dict[str, int], counted: int) -> str:
    """Return a Markdown table of parts with their percentages, the total, and the counted value."""
    total = sum(parts.values())
    rows = [f"| {title} | | |", "|---|---:|---:|"]
    rows += [f"| {part} | {count:,} | {count / total:.1%} |" for part, count in parts.items()]
    rows += [f"| **total** | **{total:,}** | |", f"| counted | {counted:,} | |"]
    return "\n".join(rows)


def _size(**changes) -> int:
    return sum(parameters(ModelConfig(**changes)).values())


def as_printed(lesson: Lesson) -> None:
    """Show why the paper's minimal CPU configuration is impossible, and a valid one close to it."""
    st.header("The paper's “minimal CPU” configuration")
    printed = ", ".join(f"`{name}` {value}" for name, value in MINIMAL_CPU.items())
    st.markdown(
        f"Section 1.4.3 of the paper prints {printed} (names as in this app). As the image size it "
        f"prints “{IMAGE_SIZE}”, which is the shape of a batch of images. This app rejects two of "
        "these values:"
    )
    for message, reason in problems():
        st.markdown(f":red[:material/block:] {plain(message)}")
        st.caption(reason)
    st.markdown(
        f"A valid configuration close to it has {_described(nearest())}{_as_close()}. The paper's "
        f"code has {_described(ModelConfig())}. The printed depth ({MINIMAL_CPU['depth']}), number "
        f"of heads ({MINIMAL_CPU['num_heads']}) and MLP dimension ({MINIMAL_CPU['mlp_dim']:,}) are "
        f"those of ViT-Base, whose embedding dimension is {VIT_BASE['embed_dim']} (Dosovitskiy et "
        "al. 2021, Table 1)."
    )
    lesson.code(
        nearest,
        "The `divisors` of the image size are the valid patch sizes; those of the embedding "
        "dimension are the valid numbers of heads.",
    )


def _described(config: ModelConfig) -> str:
    size = sum(parameters(config).values())
    return (
        f"{config.num_patches} patches of {config.patch_size} × {config.patch_size} pixels, "
        f"embedding dimension {config.embed_dim}, depth {config.depth} and {config.num_heads} "
        f"heads: {size:,} parameters"
    )


def _as_close() -> str:
    """Return a note on other numbers of heads that are as close, empty if there are none."""
    _, *others = nearest_heads()
    return f" ({' or '.join(map(str, others))} heads would be as close)" if others else ""


def problems() -> list[tuple[str, str]]:
    """Return the error message for each printed value that is impossible, and an explanation."""
    p, near = MINIMAL_CPU, nearest()
    explanations = (
        (
            {"patch_size": p["patch_size"]},
            "A patch cannot be larger than the image. But the same section defines `patch_size` as "
            f"the number of patches: {near.grid_size} × {near.grid_size} = {near.num_patches} "
            f"patches of {near.patch_size} × {near.patch_size} pixels, as in the paper's code.",
        ),
        (
            {"embed_dim": p["embed_dim"], "num_heads": p["num_heads"]},
            "Each head gets an equal part of the embedding dimension, and "
            f"{p['embed_dim']} / {p['num_heads']} is not a whole number.",
        ),
    )
    found = []
    for changes, explanation in explanations:
        try:
            ModelConfig(**changes)
        except ConfigError as error:
            found.append((str(error), explanation))
    return found


def nearest() -> ModelConfig:
    """Return the printed configuration with the nearest valid numbers of patches and heads."""
    p, image_size = MINIMAL_CPU, ModelConfig().image_size
    patch_size = min(
        divisors(image_size), key=lambda size: abs((image_size // size) ** 2 - p["patch_size"])
    )
    return ModelConfig(
        patch_size=patch_size,
        embed_dim=p["embed_dim"],
        depth=p["depth"],
        num_heads=nearest_heads()[0],
        mlp_ratio=p["mlp_dim"] / p["embed_dim"],
        dropout=p["dropout"],
    )


def nearest_heads() -> list[int]:
    """Return the valid numbers of heads nearest to the printed one: several if they are as near."""
    valid, printed = divisors(MINIMAL_CPU["embed_dim"]), MINIMAL_CPU["num_heads"]
    distance = min(abs(heads - printed) for heads in valid)
    return [heads for heads in valid if abs(heads - printed) == distance]
