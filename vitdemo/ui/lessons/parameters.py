"""ViT and the original Transformer side by side, the parameters with a calculator, and the paper's own configuration."""

import streamlit as st

from ...config import ConfigError, ModelConfig, divisors
from ...costs import activation_bytes, operations, parameters
from ...explain.encoder_decoder import LENGTH, Reverser
from ...model import VisionTransformer
from ...paper import MINIMAL_CPU
from .lesson import Lesson
from .transformer import reverser

BATCH = 128  # images of a step, for the memory
PATCHES, WIDTHS, DEPTHS, HEADS, RATIOS = (
    (2, 4, 8, 16),
    (32, 64, 128, 192, 256),
    range(1, 13),
    (1, 2, 4, 8),
    (1.0, 2.0, 4.0),
)
MEANS = {  # each parameter of section 1.4.3: what more of it does
    "image_size": "Pixels a side. Twice as many: four times the patches.",
    "patch_size": "Pixels a side of a patch. Half as many: four times the tokens, sixteen times the pairs.",
    "embed_dim": "Numbers in a token, D. Twice as many: about four times the parameters.",
    "depth": "Encoder blocks. Parameters and operations grow in proportion.",
    "num_heads": "Parts that attention is split into, each of D / heads numbers. Costs no parameters.",
    "mlp_ratio": "Hidden width of the MLP in units of D; the annotation's `mlp_dim` is D times this.",
    "num_classes": "Outputs of the head.",
    "dropout": "Share of numbers that is zeroed at random in training, against learning by heart.",
}


def table_1(lesson: Lesson) -> None:
    """Every row with something to see."""
    st.header("Side by side: the annotation's Table 1")
    vit, text = ModelConfig(), reverser()
    names = {name.split(".")[0] for name, _ in text.named_parameters()}
    pairs = vit.num_tokens**2
    future = LENGTH * (LENGTH - 1) // 2
    rows = (
        (
            "Input",
            f"patches, {3 * vit.patch_size**2} numbers each, projected",
            f"words or digits, looked up in a table of {text.embed.num_embeddings} rows",
            "pages/image_to_tokens.py",
        ),
        (
            "Length",
            f"set by image and patch size: {vit.num_patches} and CLS",
            f"that of the text: {LENGTH} digits here",
            "pages/image_to_tokens.py",
        ),
        (
            "Positions",
            f"learnt, {vit.num_tokens} × {vit.embed_dim} numbers, in space",
            "sines in the paper of 2017, learnt here; in a line",
            "pages/image_to_tokens.py",
        ),
        (
            "CLS",
            "one learnt token, from which the class is read",
            f"none in 2017 (the small one here has {', '.join(sorted(names))}); BERT added it for classification",
            "pages/image_to_tokens.py",
        ),
        (
            "Built in",
            "little: patches, and that all places share their weights",
            "the order of writing, by the mask",
            "pages/transformer.py",
        ),
        (
            "Data",
            "much: it must learn what a convolution has built in",
            "less for small tasks: a second for the digits",
            "pages/train.py",
        ),
        (
            "Scope",
            f"every token sees every token: {pairs:,} of {pairs:,} pairs",
            f"the same in the encoder; the decoder sees {LENGTH**2 - future} of {LENGTH**2}",
            "pages/transformer.py",
        ),
    )
    _, ours, theirs, _ = st.columns([1, 3, 3, 1.4])
    ours.markdown("**Vision Transformer**")
    theirs.markdown("**Original Transformer**")
    for name, ours, theirs, script in rows:
        first, second, third, fourth = st.columns([1, 3, 3, 1.4], vertical_alignment="center")
        first.markdown(f"**{name}**")
        second.markdown(ours)
        third.markdown(theirs)
        fourth.page_link(script, label="See it", icon=":material/visibility:")
    st.caption(
        "First the ViT, with the numbers of the listing, then the original Transformer, with those of the small one that turns "
        "digits round."
    )
    lesson.predict(
        "scope",
        f"A decoder of {LENGTH} tokens may not look ahead. Which share of all pairs is left?",
        {"under a half": 0.4, "a little over a half": 0.6, "all": 1.0},
        lambda: (LENGTH**2 - future) / LENGTH**2,
        "{}: half of the pairs, and the diagonal.",
    )
    lesson.code(Reverser, "`embed` is a table with a row for each digit; there is no CLS.")


def calculator(lesson: Lesson) -> None:
    """Parameters, multiply-adds and memory of any shape."""
    st.header("A calculator")
    columns = st.columns(5)
    with columns[0]:
        patch = lesson.choose("patch", "Patch size", PATCHES, 4, MEANS["patch_size"], draw=st.select_slider)
    with columns[1]:
        width = lesson.choose("width", "Width", WIDTHS, 64, MEANS["embed_dim"], draw=st.select_slider)
    with columns[2]:
        depth = lesson.choose("depth", "Depth", DEPTHS, 7, MEANS["depth"], draw=st.select_slider)
    with columns[3]:
        heads = lesson.choose("heads", "Heads", HEADS, 8, MEANS["num_heads"], draw=st.select_slider)
    with columns[4]:
        ratio = lesson.choose("ratio", "MLP ratio", RATIOS, 4.0, MEANS["mlp_ratio"], draw=st.select_slider)
    config = ModelConfig(patch_size=patch, embed_dim=width, depth=depth, num_heads=heads, mlp_ratio=ratio)
    counted = sum(parameter.numel() for parameter in VisionTransformer(config, seed=0).parameters())
    left, right = st.columns(2)
    for column, title, parts in (
        (left, "Parameters", parameters(config)),
        (right, "Multiply-adds an image", operations(config)),
    ):
        total = sum(parts.values())
        rows = [f"| {title} | | |", "|---|---:|---:|"]
        rows += [f"| {part} | {count:,} | {count / total:.1%} |" for part, count in parts.items()]
        column.markdown("\n".join([*rows, f"| **all** | **{total:,}** | |"]))
    st.caption(
        f"Worked out by formula. Counted in a model that was just made: {counted:,} parameters. Activations of a training "
        "step of "
        f"{BATCH} images: {activation_bytes(config, BATCH) / 2**20:,.0f} MB."
    )
    lesson.predict(
        "heads-cost",
        "Eight heads in place of one: how many times as many parameters?",
        {"as many": 1.0, "twice as many": 2.0, "eight times": 8.0},
        lambda: _size(num_heads=8) / _size(num_heads=1),
        "{} times: the heads divide the width among them.",
    )
    lesson.code(
        parameters, "`attention` and `mlp` are of one block; the sum is checked against the model by the tests."
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
        "Section 1.4.3 prints " + ", ".join(f"`{name}` {value}" for name, value in p.items()) + ", and as image size "
        "“batch_size x "
        "3 x 32 x 32”, which is the shape of a batch. Entered here as printed:"
    )
    for wrong, why in problems():
        st.markdown(f":red[:material/block:] {wrong}")
        st.caption(why)
    near = nearest()
    listing = ModelConfig()
    st.markdown(
        f"The nearest that can be has patches of {near.patch_size} pixels (one for the whole image: its only company is CLS) "
        "and "
        f"{near.num_heads} heads: {sum(parameters(near).values()):,} parameters. The listing in the same paper has patches of "
        f"{listing.patch_size}, width {listing.embed_dim}, {listing.depth} layers, {listing.num_heads} heads: "
        f"{sum(parameters(listing).values()):,}. An MLP of {p['mlp_dim']:,} and {p['num_heads']} heads belong to ViT-Base, "
        "whose "
        "width is 768 (Dosovitskiy et al. 2021, Table 1)."
    )
    lesson.code(nearest, "`divisors` of the image's size, and the heads that divide the width.")


def problems() -> list[tuple[str, str]]:
    """What this app says of the printed values, each alone, and why."""
    p, found = MINIMAL_CPU, []
    reasons = (
        ({"patch_size": p["patch_size"]}, "A patch cannot be larger than the image that it is cut from."),
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
    """The printed configuration with the nearest patch size and number of heads that fit."""
    p, image_size = MINIMAL_CPU, ModelConfig().image_size
    patch_size = min(divisors(image_size), key=lambda size: abs(size - p["patch_size"]))
    num_heads = min(divisors(p["embed_dim"]), key=lambda heads: abs(heads - p["num_heads"]))
    return ModelConfig(
        patch_size=patch_size,
        embed_dim=p["embed_dim"],
        depth=p["depth"],
        num_heads=num_heads,
        mlp_ratio=p["mlp_dim"] / p["embed_dim"],
        dropout=p["dropout"],
    )
