"""The annotation's Table 1, row by row: the trained ViT beside the small Transformer that turns digits round."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch

from ...data.cifar10 import CLASSES, normalize
from ...explain.attention import attention_map, attention_matrix
from ...figures.attention import matrix, overlay
from ...figures.numbers import numbers, shades, two_lines
from ...figures.pictures import patches
from ...lessons.encoder_decoder import BATCH, DIGITS, LENGTH, WIDTH, Looks, looks
from ...lessons.paper import JFT_IMAGES
from ...lessons.tokens import position_similarity, without_positions
from ...model import Trace, VisionTransformer
from ..chart import chart
from .example import first_pictures, plain_vit
from .image_to_tokens import shuffled
from .lesson import Lesson
from .transformer import FIRST, learned, reverser

HEIGHT = 280
COARSE = 8  # pixels, of a second patch size


@dataclass(frozen=True)
class Pair:
    """Both models, each with something that it has read."""

    vit: VisionTransformer
    images: torch.Tensor  # (1, 3, H, W) uint8
    trace: Trace
    digits: list[int]
    looks: Looks

    @property
    def pixels(self) -> np.ndarray:
        """Of the image, (H, W, 3)."""
        return self.images[0].permute(1, 2, 0).numpy()


def table_1(lesson: Lesson) -> None:
    """Every row, in words and with something to see."""
    st.header("Side by side: the annotation's Table 1")
    name = lesson.choose(
        "row", "Row of the table", tuple(ROWS), "Input", "What the two are compared in."
    )
    left, right = st.columns(2)
    left.subheader("Vision Transformer")
    right.subheader("Original Transformer")
    vit, text = ROWS[name]
    pair = _pair()
    for column, half in ((left, vit), (right, text)):
        with column:
            half(pair)
    future = LENGTH * (LENGTH - 1) // 2
    lesson.predict(
        "scope",
        f"A decoder of {LENGTH} tokens may not look ahead. What share of all pairs is left?",
        {"under a half": 0.4, "a little over a half": 0.6, "all": 1.0},
        lambda: (LENGTH**2 - future) / LENGTH**2,
        "{:.0%}: the diagonal, and half of all other pairs.",
    )


def _pair() -> Pair:
    _, vit = plain_vit()
    images = first_pictures(1).images
    with torch.no_grad():
        _, trace = vit.trace(normalize(images))
    digits = [int(digit) for digit in FIRST.split()]
    return Pair(vit, images, trace, digits, looks(reverser(), digits))


def _show(figure, name: str, alt: str, words: str) -> None:
    chart(figure, key=f"row-{name}", alt=alt)
    st.markdown(words)


def _patches(pair: Pair) -> None:
    c = pair.vit.config
    _show(
        patches(pair.pixels, c.patch_size, HEIGHT),
        "patches",
        f"A {CLASSES[int(first_pictures(1).labels[0])]} cut into {c.num_patches} patches.",
        f"Patches of {c.patch_size} × {c.patch_size} pixels. A linear layer makes {c.embed_dim} numbers of the "
        f"{c.in_channels * c.patch_size**2} of each: whatever the patch shows, there is a token for it.",
    )


def _lookup(pair: Pair) -> None:
    table = reverser().embed.weight.detach().numpy()
    _show(
        shades(table, HEIGHT),
        "lookup",
        f"A table of {len(table)} rows of {table.shape[1]} numbers.",
        f"Words, here digits. Each of the {DIGITS} has a row of {WIDTH} learned numbers in a table, and so has the sign to "
        f"begin with: {len(table)} rows. What is not in the table cannot be read.",
    )


def _two_cuts(pair: Pair) -> None:
    c = pair.vit.config
    coarse = (c.image_size // COARSE) ** 2
    _show(
        patches(pair.pixels, COARSE, HEIGHT),
        "coarse",
        f"The picture cut into {coarse} patches of {COARSE} pixels.",
        f"Set by image and patch size: with patches of {COARSE} px {coarse} tokens, with the {c.patch_size} px of this model "
        f"{c.num_patches}, and CLS. The same for every picture.",
    )


def _one_line(pair: Pair) -> None:
    _show(
        numbers(np.array([pair.digits], dtype=float), decimals=0),
        "digits",
        f"The digits {' '.join(map(str, pair.digits))}.",
        f"As long as the text: {LENGTH} digits here. A sentence of twice the words has twice the tokens; shorter ones of a "
        "batch are filled up with a sign that all ignore.",
    )


def _space(pair: Pair) -> None:
    c = pair.vit.config
    side = c.grid_size
    place = side // 2 * side + side // 2
    similar = position_similarity(pair.vit, place).numpy()
    _show(
        overlay(
            pair.pixels,
            similar,
            c.patch_size,
            place,
            1.0,
            unit="cosine similarity",
            signed=True,
            height=HEIGHT,
        ),
        "space",
        f"Similarity of the middle place with all others, {similar.min():.2f} to {np.sort(similar.ravel())[-2]:.2f}.",
        f"Learned: {c.num_tokens} × {c.embed_dim} numbers. Orange: places alike to the framed one. They have learned that "
        "the image has rows and columns.",
    )


def _line(pair: Pair) -> None:
    places = reverser().read_places.detach()
    places = torch.nn.functional.normalize(places - places.mean(dim=0), dim=1)
    alike = (places @ places.T).numpy()
    _show(
        numbers(alike, signed=True),
        "line",
        f"Similarity of {LENGTH} places, neighbors {np.diag(alike, 1).mean():.2f} on average.",
        f"Places in a line: {LENGTH} × {WIDTH} numbers, cosine similarity of each with each. Learned here; the paper of "
        "2017 takes sines of the place, which need no learning.",
    )


def _cls(pair: Pair) -> None:
    c = pair.vit.config
    grid = attention_map(attention_matrix(pair.trace, -1, None), 0)
    _show(
        overlay(pair.pixels, grid, c.patch_size, None, 0.6, height=HEIGHT),
        "cls",
        f"What CLS takes from each patch in the last layer, up to {grid.max():.3f}.",
        "A learned token of its own gathers what it needs from the patches (here: in the last layer, mean of all heads), "
        "and the class is read from it alone.",
    )


def _no_cls(pair: Pair) -> None:
    _show(
        numbers(pair.looks.cross.mean(axis=0)),
        "no-cls",
        "Cross-attention, mean of the heads.",
        "None in 2017: the answer is as long as it has to be, and each token of it (row) gathers from what was read (column). "
        "BERT (Devlin et al. 2019) added a CLS to classify texts; from there the ViT has it.",
    )


def _no_order(pair: Pair) -> None:
    other = shuffled(pair.images)
    changes = []
    with torch.no_grad():
        for model in (pair.vit, without_positions(pair.vit)):
            kept, moved = (
                model(normalize(images)).softmax(dim=1) for images in (pair.images, other)
            )
            changes.append(float((kept - moved).abs().max()))
    _show(
        patches(other[0].permute(1, 2, 0).numpy(), pair.vit.config.patch_size, HEIGHT),
        "no-order",
        "The picture with its patches in another order.",
        "Little: the cut into patches, and one matrix for all of them. Between patches nothing is near or far. Shuffle "
        f"them, and with positions a probability moves by up to {100 * changes[0]:.0f} percentage points; without "
        f"positions by {changes[1]:.7f}, which is rounding. Which patches are neighbors it had to learn. A convolution "
        "knows from the start who is beside whom.",
    )


def _mask(pair: Pair) -> None:
    _show(
        numbers(pair.looks.masked[0], signed=True, decimals=1),
        "mask",
        "Scores of the first head, minus infinity above the diagonal.",
        "That text is a sequence: the mask of the decoder lets nobody look ahead (minus infinity above the diagonal). In its "
        "encoder nothing is built in: there the order comes by the positions alone.",
    )


def _much_data(pair: Pair) -> None:
    run, _ = plain_vit()
    history = _spread(run.history)
    reached = np.array([record["validation"]["accuracy"] for record in history])
    seen = tuple(record["epoch"] * run.training.train_images for record in history)
    _show(
        two_lines(
            seen,
            {"test images": reached},
            "images seen",
            "accuracy",
            HEIGHT,
            logarithmic="x",
            most=1.02,
        ),
        "much",
        f"Accuracy {reached[0]:.0%} after {seen[0]:,} images, {reached[-1]:.0%} after {seen[-1]:,}.",
        f"Much. The model of this page has seen {run.training.train_images:,} photographs, {run.training.epochs} times "
        f"each, to name {reached[-1]:.0%} of others rightly. The larger ones of 2021 were trained on up to {JFT_IMAGES} "
        "million (JFT-300M).",
    )


def _little_data(pair: Pair) -> None:
    shares = learned()[1]
    steps = _spread(list(enumerate(shares, start=1)))
    seen, reached = (
        tuple(step * BATCH for step, _ in steps),
        np.array([share for _, share in steps]),
    )
    _show(
        two_lines(
            seen,
            {"digits": reached},
            "sequences seen",
            "share right",
            HEIGHT,
            logarithmic="x",
            most=1.02,
        ),
        "little",
        f"Share of digits that are right: {reached[0]:.0%} at first, {reached[-1]:.0%} after {seen[-1]:,} sequences.",
        f"As much as the task asks for: to turn digits round, {seen[-1]:,} sequences (share of digits that are right). A "
        "translator needs millions of sentences; the annotation says that it *can* do with less.",
    )


def _spread(items) -> list:
    """At most seven of them, ever further apart, with the last."""
    places = np.unique(np.geomspace(1, len(items), 7).round().astype(int)) - 1
    return [items[place] for place in places]


def _everybody(pair: Pair) -> None:
    found = attention_matrix(pair.trace, 0, 0)
    _show(
        matrix(found, None, HEIGHT),
        "everybody",
        f"Attention of {len(found)} tokens to {len(found)}, none of them 0.",
        f"All of the image from the first layer on: {len(found):,} × {len(found):,} pairs (layer 1, head 1), of which "
        f"{int((found > 0).sum()):,} are above 0.",
    )


def _not_ahead(pair: Pair) -> None:
    weights = pair.looks.weights[0]
    _show(
        numbers(weights),
        "ahead",
        "Masked attention of the first head.",
        f"All of the text in the encoder. In the decoder only what is already written: {int((weights > 0).sum())} of "
        f"{weights.size} pairs (head 1).",
    )


ROWS: dict[str, tuple[Callable[[Pair], None], Callable[[Pair], None]]] = {
    "Input": (_patches, _lookup),
    "Length": (_two_cuts, _one_line),
    "Positions": (_space, _line),
    "CLS": (_cls, _no_cls),
    "Built in": (_no_order, _mask),
    "Data": (_much_data, _little_data),
    "Scope": (_everybody, _not_ahead),
}
