"""The parameters of a ViT with a calculator, and the paper's own configuration."""

from dataclasses import dataclass

import streamlit as st

from ...config import ConfigError, ModelConfig, divisors
from ...costs import activation_bytes, macs, parameters
from ...data.cifar10 import normalize
from ...lessons.measured_costs import counted_macs, saved_bytes
from ...lessons.paper import IMAGE_SIZE, MINIMAL_CPU, VIT_BASE_WIDTH
from ...model import VisionTransformer
from .example import first_pictures
from .lesson import Lesson

BATCH = 128  # images of a step, for the memory
MEASURED = 8  # of them, from which the rest is reckoned
PATCHES, WIDTHS, DEPTHS, HEADS, RATIOS = (
    (2, 4, 8, 16),
    (32, 64, 128, 192, 256),
    range(1, 13),
    (1, 2, 4, 8),
    (1.0, 2.0, 4.0),
)
MEANS = {  # each parameter of section 1.4.3, in the names of this app: what it is, and what more of it does
    "image_size": "Pixels a side. Twice as many: four times the patches.",
    "patch_size": "Pixels a side of a patch. Half as large: four times the tokens, sixteen times the pairs.",
    "embed_dim": "Numbers in a token, D. Twice as many: about four times the parameters.",
    "depth": "Encoder blocks. Parameters and operations grow in proportion.",
    "num_heads": "Parts that attention is split into, each of D / heads numbers. Costs no parameters.",
    "mlp_ratio": "Hidden width of the MLP in units of D; the annotation's `mlp_dim` is D times this.",
    "num_classes": "Outputs of the head.",
    "cls_token": "The learned token before the patches, from which the class is read: D numbers.",
    "pos_embed": "The learned numbers of each place: D for each token. More tokens, more of them.",
    "dropout": "Share of numbers that is zeroed at random in training, against learning by heart.",
    "learning_rate": "How far each step of the training goes. Too small: it takes long. Too large: it never settles.",
    "batch_size": "Images in one step. More: a steadier gradient, fewer steps in an epoch, and more memory.",
    "epochs": "How many times every training image is seen.",
}


@dataclass(frozen=True)
class Measured:
    """In one pass of a new model."""

    parameters: int
    multiply_adds: int  # of an image
    megabytes: float  # of a training step of BATCH images


@st.cache_data(max_entries=256, show_spinner="Asking a model of these sizes …")
def measured(config: ModelConfig) -> Measured:
    """What it counts; the same for all visitors."""
    model = VisionTransformer(config, seed=0)
    images = normalize(first_pictures(MEASURED).images)
    kept = saved_bytes(model.train(), images) * BATCH / MEASURED
    counted = sum(parameter.numel() for parameter in model.parameters())
    return Measured(counted, sum(counted_macs(model.eval(), images).values()), kept / 2**20)


def calculator(lesson: Lesson) -> None:
    """Parameters, multiply-adds and memory of any shape."""
    st.header("A calculator")
    columns = st.columns(5)
    with columns[0]:
        patch = lesson.choose(
            "patch", "Patch size", PATCHES, 4, MEANS["patch_size"], draw=st.select_slider
        )
    with columns[1]:
        width = lesson.choose(
            "width", "Width", WIDTHS, 64, MEANS["embed_dim"], draw=st.select_slider
        )
    with columns[2]:
        depth = lesson.choose("depth", "Depth", DEPTHS, 7, MEANS["depth"], draw=st.select_slider)
    with columns[3]:
        heads = lesson.choose("heads", "Heads", HEADS, 8, MEANS["num_heads"], draw=st.select_slider)
    with columns[4]:
        ratio = lesson.choose(
            "ratio", "MLP ratio", RATIOS, 4.0, MEANS["mlp_ratio"], draw=st.select_slider
        )
    config = ModelConfig(
        patch_size=patch, embed_dim=width, depth=depth, num_heads=heads, mlp_ratio=ratio
    )
    found = measured(config)
    tables = st.columns(3)
    for column, title, parts, counted in (
        (tables[0], "Parameters", parameters(config), found.parameters),
        (tables[1], "Multiply-adds per image", macs(config), found.multiply_adds),
    ):
        total = sum(parts.values())
        rows = [f"| {title} | | |", "|---|---:|---:|"]
        rows += [f"| {part} | {count:,} | {count / total:.1%} |" for part, count in parts.items()]
        column.markdown(
            "\n".join([*rows, f"| **all** | **{total:,}** | |", f"| counted | {counted:,} | |"])
        )
    formula = activation_bytes(config, BATCH) / 2**20
    rows = [f"| Activations of {BATCH} images | MB |", "|---|---:|"]
    rows += [f"| by formula | {formula:,.0f} |", f"| measured | {found.megabytes:,.0f} |"]
    tables[2].markdown("\n".join(rows))
    st.caption(
        "The parts are worked out by formula. *Counted* and *measured* come from a model of these sizes that was just "
        "made and asked: its parameters, the products of the tensors that met in it, and what PyTorch kept of a training "
        f"step to compute the gradient ({MEASURED} images, times {BATCH // MEASURED})."
    )
    lesson.predict(
        "heads-cost",
        "Eight heads in place of one: how many times as many parameters?",
        {"as many": 1.0, "twice as many": 2.0, "eight times": 8.0},
        lambda: _size(num_heads=8) / _size(num_heads=1),
        "Just as many ({:.3g} times): the heads divide the width among them.",
    )
    lesson.code(
        parameters,
        "`attention` and `mlp` are of one block; the sum is checked against the model by the tests.",
    )
    with st.expander("Each parameter in a sentence", icon=":material/help:"):
        st.markdown("\n".join(f"- `{name}`: {says}" for name, says in MEANS.items()))


def _size(**changes) -> int:
    return sum(parameters(ModelConfig(**changes)).values())


def as_printed(lesson: Lesson) -> None:
    """The paper's minimal CPU configuration, with what cannot be."""
    st.header("The paper's “minimal CPU” configuration")
    p = MINIMAL_CPU
    st.markdown(
        "Section 1.4.3 prints, in the names of this app, "
        + ", ".join(f"`{name}` {value}" for name, value in p.items())
        + f", and as image size “{IMAGE_SIZE}”, which is the shape of a batch. Entered here as printed:"
    )
    for wrong, why in problems():
        st.markdown(f":red[:material/block:] {wrong}")
        st.caption(why)
    near = nearest()
    listing = ModelConfig()
    st.markdown(
        f"The nearest that can be has {near.num_patches} patches of {near.patch_size} pixels and {near.num_heads} heads: "
        f"{sum(parameters(near).values()):,} parameters. The listing in the same paper has patches of {listing.patch_size}, "
        f"width {listing.embed_dim}, {listing.depth} layers, {listing.num_heads} heads: {sum(parameters(listing).values()):,}. "
        f"{p['depth']} layers, {p['num_heads']} heads and an MLP of {p['mlp_dim']:,} belong to ViT-Base, whose width is "
        f"{VIT_BASE_WIDTH} (Dosovitskiy et al. 2021, Table 1)."
    )
    lesson.code(nearest, "`divisors` of the image's size, and the heads that divide the width.")


def problems() -> list[tuple[str, str]]:
    """What this app says of the printed values, each alone, and why."""
    p, found, near = MINIMAL_CPU, [], nearest()
    side = near.grid_size
    reasons = (
        (
            {"patch_size": p["patch_size"]},
            "Read as pixels, a patch cannot be larger than the image that it is cut from. But the same section calls "
            f"`patch_size` the number of patches, and {side} × {side} = {side**2}: those of {near.patch_size} pixels, "
            "as in the listing.",
        ),
        (
            {"embed_dim": p["embed_dim"], "num_heads": p["num_heads"]},
            f"Each head gets an equal part of the width, and {p['embed_dim']} / {p['num_heads']} is no whole number.",
        ),
    )
    for changes, why in reasons:
        try:
            ModelConfig(**changes)
        except ConfigError as error:
            found.append((str(error), why))
    return found


def nearest() -> ModelConfig:
    """The printed configuration with the nearest number of patches and of heads that fit."""
    p, image_size = MINIMAL_CPU, ModelConfig().image_size
    patch_size = min(
        divisors(image_size), key=lambda size: abs((image_size // size) ** 2 - p["patch_size"])
    )
    num_heads = min(divisors(p["embed_dim"]), key=lambda heads: abs(heads - p["num_heads"]))
    return ModelConfig(
        patch_size=patch_size,
        embed_dim=p["embed_dim"],
        depth=p["depth"],
        num_heads=num_heads,
        mlp_ratio=p["mlp_dim"] / p["embed_dim"],
        dropout=p["dropout"],
    )
