"""From image to tokens: split the image, flatten and project its patches, add CLS."""

import numpy as np
import streamlit as st
import torch

from ...config import ModelConfig, divisors
from ...data.cifar10 import CLASSES, normalize, pixels_of
from ...figures.attention import picture_with_patch
from ...figures.numbers import shades
from ...figures.pictures import filters, patches
from ...figures.tokens import patch_name
from ...lessons.tokens import flatten_patches, project_by_hand
from ...model import PatchEmbed, VisionTransformer
from ...runs.run import Run
from ..chart import chart
from .example import PICTURES, first_pictures, plain_vit
from .lesson import Lesson

SIZES = (2, 4, 8, 16, 32)  # patch sizes


def split(lesson: Lesson) -> torch.Tensor:
    """Split an image into patches, and count them. Return the image, (3, H, W) uint8."""
    st.header("An image becomes patches")
    left, right = st.columns(2)
    with left:
        help = f"One of the first {PICTURES} test images of CIFAR-10."
        number = lesson.slide("picture", "Test image", range(PICTURES), 0, help)
        help = "Height and width of a patch in pixels. Smaller patches give more tokens."
        size = lesson.choose("patch", "Patch size", SIZES, 4, help, format_func="{} px".format)
    images = first_pictures(PICTURES)
    image, name = images.images[number], CLASSES[images.labels[number]]
    channels, side, _ = image.shape
    count = (side // size) ** 2
    named = "1 patch" if count == 1 else f"{count} patches"
    with left:
        st.latex(rf"N = \frac{{H W}}{{P^2}} = \frac{{{side} \times {side}}}{{{size}^2}} = {count}")
        st.markdown(
            f"$H$ and $W$ are the height and width of the image, $P$ is the patch size: the image "
            f"is split into {named} of {size} × {size} pixels. Each patch is flattened to a vector "
            f"of {channels} × {size} × {size} = {channels * size**2:,} numbers (red, green and "
            "blue values), and each vector becomes one token. With **CLS**, the classification "
            f"token, there are {count + 1} tokens. Every token attends to every token, itself "
            f"included: {(count + 1) ** 2:,} pairs of tokens in each attention head. The patch "
            f"size must be a divisor of {side} ({', '.join(map(str, divisors(side)))})."
        )
    with right:
        alt = f"Test image {number} ({name}) split into {named} of {size} by {size} pixels."
        chart(patches(pixels_of(image), size, 320), key="split", alt=alt)
        st.caption(
            f"Test image {number}: {name}. White lines separate the patches, which do not overlap."
        )
    _halve_patches(lesson)
    return image


def _halve_patches(lesson: Lesson) -> None:
    small, large = ModelConfig(patch_size=SIZES[0]), ModelConfig(patch_size=SIZES[1])
    lesson.predict(
        "half",
        f"The patch size is halved from {large.patch_size} px to {small.patch_size} px. By what "
        "factor does the number of token pairs grow?",
        {"2 times": 2, "4 times": 4, "16 times": 16},
        lambda: small.num_tokens**2 / large.num_tokens**2,
        "{:.3g} times. There are four times as many patches, and each attends to four times as "
        "many. CLS makes the factor slightly smaller: there is one CLS token in both cases.",
    )


def project(lesson: Lesson, image: torch.Tensor) -> None:
    """Show that the patch embedding's convolution is a linear projection of flattened patches."""
    st.header("A patch becomes a token")
    run, model = plain_vit()
    config = model.config
    side = config.grid_size
    left, right = st.columns(2)
    with left:
        row = lesson.slide("row", "Row", range(1, side + 1), 4, "The row of the selected patch.")
    with right:
        help = "The column of the selected patch."
        column = lesson.slide("column", "Column", range(1, side + 1), 4, help)
    images = normalize(image[None])
    flat = flatten_patches(images, config.patch_size)  # (1, N, C * P * P)
    tokens = project_by_hand(model, images)  # (1, N, D)
    patch = (row - 1) * side + column - 1
    _draw_patch(image, config, patch, flat[0, patch].numpy(), tokens[0, patch].numpy())
    with torch.no_grad():
        difference = float((tokens - model.patch_embed(images)).abs().max())
    size = config.patch_size
    st.markdown(
        f"The projection is linear: token = $W$ · patch + $b$, with the same {config.embed_dim} × "
        f"{flat.shape[-1]} matrix $W$ and bias vector $b$ for all patches. The code computes it as "
        f"a **convolution** with {config.embed_dim} filters of {size} × {size} pixels and a stride "
        f"of {size}, so that every pixel belongs to exactly one patch. For all "
        f"{config.num_patches} patches of this image, matrix multiplication and convolution differ "
        f"by at most {difference:.7f}, which is rounding error."
    )
    _show_filters(run, model)
    lesson.code(
        PatchEmbed,
        "`proj` is the convolution; `flatten` and `transpose` turn its output into rows of tokens.",
    )


def _draw_patch(
    image: torch.Tensor, config: ModelConfig, patch: int, flat: np.ndarray, token: np.ndarray
) -> None:
    """Draw one patch in the image, its flattened vector (C * P * P,) and its token (D,)."""
    left, right = st.columns([1, 2])
    with left:
        alt = f"The image; the patch in {patch_name(patch, config.grid_size)} is framed."
        figure = picture_with_patch(pixels_of(image), config.patch_size, patch, 260)
        chart(figure, key="selected", alt=alt)
        st.caption("The selected patch is framed.")
    with right:
        for title, vector in (
            (f"Flattened patch: {len(flat)} numbers", flat),
            (f"Token after the projection: {len(token)} numbers", token),
        ):
            st.markdown(f"**{title}**")
            alt = f"{title}, from {vector.min():.2f} to {vector.max():.2f}."
            chart(shades(vector[None], 90), key=f"row-{title}", alt=alt)
        st.caption(
            f"Purple is negative, orange is positive. The flattened patch lists its "
            f"{config.patch_size**2} red values row by row, then the green and the blue ones. "
            "Pixel values are normalized, so 0 (white) stands for medium brightness."
        )


def _show_filters(run: Run, model: VisionTransformer) -> None:
    weight = model.patch_embed.proj.weight.detach().numpy()  # (D, C, P, P)
    count, _, size, _ = weight.shape
    alt = f"{count} filters of {size} by {size} pixels."
    chart(filters(weight, 16, 360), key="filters", alt=alt)
    caption = (
        f"The {count} rows of the trained $W$ as images, also called filters: each shows the "
        "pattern that one number of a token responds to. Some respond to brightness or color, "
        "others to edges and stripes. Gray is a weight of 0; each filter has its own scale."
    )
    if run.training.patch_embed_init == "whitened":
        initialized = min(weight[0].size, count)
        caption += (
            f" Training started from a **whitened** initialization: the first {initialized} "
            "filters were not random, but the principal components of training patches, scaled so "
            "that their outputs have equal variance."
        )
    st.caption(caption)


def cls_token(lesson: Lesson, image: torch.Tensor) -> None:
    """Show the CLS token, which is the same for all images before the first block."""
    st.header("The CLS token")
    _, model = plain_vit()
    mirrored = image.flip(2)
    with torch.no_grad():
        tokens, others = model.embed(normalize(torch.stack([image, mirrored])))
    difference = float((tokens[0] - others[0]).abs().max())
    st.markdown(
        f"CLS is prepended to the {model.config.num_patches} patch tokens. It is a learned vector "
        "that carries no information about the image yet: before the first encoder block it is the "
        "same for every image (the difference between this image and its mirror image is "
        f"{difference:g}). In each block it gathers information from the patches, and after the "
        "last block the class is predicted from CLS alone."
    )
    chart(
        shades(tokens.numpy(), 320),
        key="tokens",
        alt=f"{len(tokens)} tokens of {tokens.shape[1]} numbers before the first block.",
    )
    st.caption(
        f"The input to the first block: {len(tokens)} tokens of {tokens.shape[1]} numbers each, "
        "one per row, CLS on top. Position embeddings are already added."
    )
    lesson.code(
        VisionTransformer.embed,
        "`cls_token` is prepended to the patch tokens; `pos_embed` is added to every token.",
    )
