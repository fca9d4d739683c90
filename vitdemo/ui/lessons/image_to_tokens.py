"""From image to tokens: cut, flatten, project, CLS, positions."""

import numpy as np
import streamlit as st
import torch

from ...config import ModelConfig, divisors
from ...data.cifar10 import CLASSES, normalize
from ...explain.importance import accuracy_and_loss
from ...figures.attention import overlay, picture_with_patch
from ...figures.numbers import shades
from ...figures.pictures import filters, patches
from ...figures.predictions import top_classes
from ...lessons.tokens import (
    flatten_patches,
    position_similarity,
    project_by_hand,
    shuffle_patches,
    without_positions,
)
from ...model import PatchEmbed, VisionTransformer
from ..chart import chart
from .example import PICTURES, SAMPLE, first_pictures, plain_vit
from .lesson import Lesson

SIZES = (2, 4, 8, 16, 32)  # patch sizes
ORDERS = {"kept": "in order", "shuffled": "shuffled"}


def cut(lesson: Lesson) -> torch.Tensor:
    """The patches of a picture, and how many they are. Returns the picture, (3, H, W) uint8."""
    st.header("An image becomes patches")
    left, right = st.columns(2)
    with left:
        number = lesson.choose(
            "picture",
            "Picture",
            range(PICTURES),
            0,
            "A test image of CIFAR-10.",
            draw=st.select_slider,
        )
        size = lesson.choose(
            "patch", "Patch size", SIZES, 4, "Pixels a side of a patch.", format_func="{} px".format
        )
    image, label = (
        first_pictures(PICTURES).images[number],
        CLASSES[first_pictures(PICTURES).labels[number]],
    )
    side = image.shape[-1]
    count = (side // size) ** 2
    with left:
        st.latex(rf"N = \frac{{H W}}{{P^2}} = \frac{{{side} \times {side}}}{{{size}^2}} = {count}")
        st.markdown(
            f"{count} patches of {size} × {size} pixels. Each becomes a vector of {len(image)} × {size} × {size} = "
            f"{len(image) * size**2} numbers "
            f"(red, green and blue), and each vector one **token**. With CLS, {count + 1} tokens look at each other: "
            f"{(count + 1) ** 2:,} pairs in every head. {size} must divide {side}: "
            f"{', '.join(map(str, divisors(side)))} do."
        )
    with right:
        alt = f"A {label} cut into {count} patches of {size} by {size} pixels."
        chart(patches(_pixels(image), size, 320), key="cut", alt=alt)
        st.caption(
            f"Test image {number}: {label}. White lines: where it is cut. Patches do not overlap."
        )
    lesson.predict(
        "half",
        f"Half the patch size, {SIZES[0]} px in place of {SIZES[1]} px: how many times as many pairs of tokens?",
        {"2 times": 2, "4 times": 4, "16 times": 16},
        lambda: (
            ModelConfig(patch_size=SIZES[0]).num_tokens ** 2
            / ModelConfig(patch_size=SIZES[1]).num_tokens ** 2
        ),
        "{:.3g} times: four times the tokens, and each looks at four times as many. CLS makes it a little less than their "
        "product.",
    )
    return image


def project(lesson: Lesson, image: torch.Tensor) -> None:
    """The convolution is a linear projection of flattened patches."""
    st.header("A patch becomes a token")
    run, model = plain_vit()
    config = model.config
    size, side = config.patch_size, config.grid_size
    images = normalize(image[None])
    first, second = st.columns(2)
    with first:
        row = lesson.choose(
            "row",
            "Row",
            range(1, side + 1),
            4,
            "Of the patch that is followed.",
            draw=st.select_slider,
        )
    with second:
        column = lesson.choose(
            "column", "Column", range(1, side + 1), 4, "Of that patch.", draw=st.select_slider
        )
    patch = (row - 1) * side + column - 1
    rows, by_hand = flatten_patches(images, size), project_by_hand(model, images)
    with torch.no_grad():
        by_convolution = model.patch_embed(images)
    difference = float((by_hand - by_convolution).abs().max())
    left, right = st.columns([1, 2])
    with left:
        chart(
            picture_with_patch(_pixels(image), size, patch, 260),
            key="followed",
            alt=f"The picture; the patch in row {row}, column {column} is framed.",
        )
        st.caption("Framed: the patch that is followed.")
    with right:
        for title, numbers in (
            (f"Flattened: {rows.shape[-1]} numbers", rows[0, patch]),
            (f"Projected: the token, {config.embed_dim} numbers", by_hand[0, patch]),
        ):
            st.markdown(f"**{title}**")
            alt = f"{title}, from {numbers.min():.2f} to {numbers.max():.2f}."
            chart(shades(numbers[None].numpy(), 90), key=f"row-{title}", alt=alt)
        st.caption(
            f"Purple is negative, orange positive. First the {size**2} red numbers row by row, then green, then blue. White "
            "is 0, in the flattened patch a medium brightness."
        )
    st.markdown(
        f"The projection is one matrix $W$ of {config.embed_dim} × {rows.shape[-1]} and one vector $b$ for all patches: "
        f"token = $W$ patch + $b$. The code computes it as a **convolution** with {config.embed_dim} filters of {size} × "
        f"{size} pixels that steps by {size}, so that no pixel is seen twice. For all {config.num_patches} patches of this "
        f"picture the two differ by at most {difference:.7f}, which is rounding."
    )
    weight = model.patch_embed.proj.weight.detach().numpy()
    alt = f"{len(weight)} filters of {size} by {size} pixels."
    chart(filters(weight, 16, 360), key="filters", alt=alt)
    st.caption(
        f"The {len(weight)} rows of the trained $W$ as small pictures: what each number of a token responds to. Some look for "
        "brightness or color, some for edges and stripes. Gray is no weight; each has its own scale."
        + (
            f" The first {min(rows.shape[-1], len(weight))} did not start at random but as the main patterns of the training "
            "patches; training changed them from there."
            if run.training.patch_embed_init == "whitened"
            else ""
        )
    )
    lesson.code(
        PatchEmbed,
        "`proj` is the convolution; `flatten` and `transpose` lay its results out as rows of tokens.",
    )


def cls_token(lesson: Lesson, image: torch.Tensor) -> None:
    """One more token, the same for all pictures."""
    st.header("One token more: CLS")
    _, model = plain_vit()
    other = image.flip(2)  # mirrored: another picture
    with torch.no_grad():
        tokens, others = model.embed(normalize(torch.stack([image, other])))
    apart = float((tokens[0] - others[0]).abs().max())
    st.markdown(
        f"A token of learned numbers, CLS, is put in front of the {model.config.num_patches} patches. It has seen nothing: "
        f"before the first block it is the same for every picture (between this one and another it differs by {apart:g}). "
        "Block by block it gathers from the patches, and after the last one the class is read from it alone."
    )
    chart(
        shades(tokens.numpy(), 320),
        key="tokens",
        alt=f"{len(tokens)} tokens of {tokens.shape[1]} numbers in front of the first block.",
    )
    st.caption(
        f"What goes into the first block: {len(tokens)} rows, one a token, CLS first, of {tokens.shape[1]} numbers each; "
        "positions are added."
    )
    lesson.code(
        VisionTransformer.embed,
        "`cls_token` goes before the patches; `pos_embed` is added to each token.",
    )


def positions(lesson: Lesson, image: torch.Tensor) -> None:
    """What happens if patches are shuffled, with positions and without."""
    st.header("Where was it? Position embeddings")
    run, model = plain_vit()
    config = model.config
    size, side = config.patch_size, config.grid_size
    st.markdown(
        "Attention knows no order: it sees a set of tokens. So each place has learned numbers of its own, which are added "
        "to the token there. Click a patch: which places have similar numbers?"
    )
    st.session_state.setdefault("image_to_tokens-place", side * side // 2 + side // 2)
    place = min(st.session_state["image_to_tokens-place"], config.num_patches - 1)

    def clicked(point: dict) -> None:
        st.session_state["image_to_tokens-place"] = int(point["y"] // size) * side + int(
            point["x"] // size
        )

    left, right = st.columns(2)
    with left:
        similar = position_similarity(model, place).numpy()
        chart(
            overlay(
                _pixels(image), similar, size, place, 1.0, unit="cosine similarity", signed=True
            ),
            key="similar",
            alt=f"Similarity of the position in row {place // side + 1}, column {place % side + 1} with all others: most alike "
            f"{np.sort(similar.ravel())[-2]:.2f}.",
            on_click=clicked,
        )
        st.caption(
            "Orange: alike. Purple: opposite, once what all places have in common is taken away. Nobody told the model which "
            "patches are neighbors; it learned that near places "
            "belong together (compare Dosovitskiy et al. 2021, Figure 7)."
        )
    with right:
        order = lesson.choose(
            "order",
            "Patches",
            tuple(ORDERS),
            "kept",
            "Put the patches of the picture in another order.",
            format_func=ORDERS.get,
        )
        shown = shuffled(image[None]) if order == "shuffled" else image[None]
        blind = without_positions(model)
        with torch.inference_mode():
            with_, without = (
                one(normalize(shown)).softmax(dim=1)[0].numpy() for one in (model, blind)
            )
        chart(
            patches(_pixels(shown[0]), size, 180),
            key="order",
            alt=f"The picture with its patches {ORDERS[order]}.",
        )
        st.markdown(
            f"With positions it says **{CLASSES[with_.argmax()]}** ({with_.max():.0%}), without them "
            f"**{CLASSES[without.argmax()]}** ({without.max():.0%})."
        )
        chart(
            top_classes(without, CLASSES, None, 3).update_layout(height=180),
            key="without",
            alt=f"Without positions: {CLASSES[without.argmax()]} {without.max():.0%}.",
        )
        st.caption("What it says without positions: the same in whatever order the patches come.")
    if lesson.predict(
        "shuffled",
        f"With positions the model names {accuracies(run.id)['kept', True]:.0%} of {SAMPLE} test images rightly. And if all "
        "patches are shuffled?",
        {
            "the same": accuracies(run.id)["kept", True],
            "about half": 0.5,
            "about a quarter": 0.25,
            "chance (10 %)": 0.1,
        },
        lambda: accuracies(run.id)["shuffled", True],
        "{:.0%}: colors and textures are still there, shapes are not.",
    ):
        found = accuracies(run.id)
        rows = ["| Positions | Patches in order | Patches shuffled |", "|---|---:|---:|"]
        rows += [
            f"| {'as learned' if with_ else 'none'} | {found['kept', with_]:.1%} | {found['shuffled', with_]:.1%} |"
            for with_ in (True, False)
        ]
        st.markdown("\n".join(rows))
        st.caption(
            f"Accuracy over {SAMPLE} test images. Without positions (each patch gets the mean of all) the order changes "
            "nothing, and much of what the model knew is gone: it had learned with them."
        )
    lesson.code(
        without_positions, "How the positions are taken away: every patch gets the `mean` of all."
    )


def shuffled(images: torch.Tensor) -> torch.Tensor:
    """All in the same new order of the model's patches."""
    config = plain_vit()[0].model
    order = torch.randperm(config.num_patches, generator=torch.Generator().manual_seed(0))
    return shuffle_patches(images, config.patch_size, order)


@st.cache_data(show_spinner="Asking the model about shuffled pictures …")
def accuracies(run_id: str) -> dict[tuple[str, bool], float]:
    """Over SAMPLE test images, with the patches kept or shuffled, with positions or without."""
    _, model = plain_vit()
    split, found = first_pictures(SAMPLE), {}
    for order, arrange in (("kept", lambda images: images), ("shuffled", shuffled)):
        for with_, one in ((True, model), (False, without_positions(model))):
            found[order, with_], _ = accuracy_and_loss(
                one, normalize(arrange(split.images)), split.labels
            )
    return found


def _pixels(image: torch.Tensor) -> np.ndarray:
    return image.permute(1, 2, 0).numpy()
