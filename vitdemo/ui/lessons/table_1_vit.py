"""The Vision Transformer's side of Table 1, with the trained example.

One function per row. Each returns a figure, its alt text, and an explanation in Markdown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import torch

from ...data.cifar10 import CLASSES, normalize, pixels_of
from ...explain.attention import attention_map, attention_matrix
from ...explain.heads import head_statistics, patch_distances
from ...figures import pictures
from ...figures.attention import MapStyle, matrix, overlay
from ...figures.numbers import two_lines
from ...lessons.paper import JFT_IMAGES
from ...lessons.tokens import position_similarity, without_positions
from ...model import Trace, VisionTransformer
from ...runs.run import Run
from .example import first_pictures, plain_vit, shuffled

Cell = tuple[go.Figure, str, str]  # figure, alt text, explanation

HEIGHT = 280  # pixels
COARSE = 8  # pixels: a second patch size, for comparison
DISTANCE_IMAGES = 16  # for the mean attention distance
POINTS = 7  # of a curve over a logarithmic axis


@dataclass(frozen=True)
class Example:
    """The trained ViT and what it computes for one image."""

    run: Run
    model: VisionTransformer
    images: torch.Tensor  # (1, 3, H, W) uint8
    label: str
    trace: Trace

    @property
    def pixels(self) -> np.ndarray:
        """The image as (H, W, 3) uint8."""
        return pixels_of(self.images[0])


def example() -> Example:
    """Return the trained ViT with the first test image."""
    run, model = plain_vit()
    split = first_pictures(1)
    with torch.no_grad():
        _, trace = model.trace(normalize(split.images))
    return Example(run, model, split.images, CLASSES[int(split.labels[0])], trace)


def patches(example: Example) -> Cell:
    """Show the image split into patches."""
    c = example.model.config
    figure = pictures.patches(example.pixels, c.patch_size, HEIGHT)
    alt = f"An image ({example.label}) split into {c.num_patches} patches."
    text = (
        f"Patches of {c.patch_size} × {c.patch_size} pixels. A linear layer projects the "
        f"{c.in_channels * c.patch_size**2} numbers of a patch to a token of {c.embed_dim} "
        "numbers. This works for any image content; there is no fixed vocabulary."
    )
    return figure, alt, text


def length(example: Example) -> Cell:
    """Show the image split into larger patches, and thus fewer tokens."""
    c = example.model.config
    coarse = (c.image_size // COARSE) ** 2
    figure = pictures.patches(example.pixels, COARSE, HEIGHT)
    alt = f"The image split into {coarse} patches of {COARSE} pixels."
    text = (
        f"The number of tokens depends on image size and patch size: {coarse} with patches of "
        f"{COARSE} px (shown), {c.num_patches} with the {c.patch_size} px of this model, plus CLS. "
        "It is the same for every image of the same size."
    )
    return figure, alt, text


def positions(example: Example) -> Cell:
    """Compare the position embedding in the middle with all others."""
    c = example.model.config
    middle = c.grid_size // 2 * c.grid_size + c.grid_size // 2
    similarity = position_similarity(example.model, middle).numpy()
    style = MapStyle(unit="cosine similarity", signed=True)
    figure = overlay(example.pixels, similarity, c.patch_size, style, frame=middle, height=HEIGHT)
    alt = (
        "Similarity of the middle position with all others, "
        f"{similarity.min():.2f} to {np.sort(similarity.ravel())[-2]:.2f}."
    )
    text = (
        f"One learned position embedding per token, {c.num_tokens} × {c.embed_dim} numbers. Color: "
        "cosine similarity with the framed position, orange if similar. During training, nearby "
        "positions have obtained similar embeddings."
    )
    return figure, alt, text


def cls_token(example: Example) -> Cell:
    """Show what CLS attends to in the last layer."""
    weights = attention_matrix(example.trace.attention, layer=-1, head=None)
    grid = attention_map(weights, 0, has_cls=True)
    style = MapStyle(opacity=0.6)
    figure = overlay(example.pixels, grid, example.model.config.patch_size, style, height=HEIGHT)
    alt = f"Attention of CLS to each patch in the last layer, up to {grid.max():.3f}."
    text = (
        "CLS is an extra, learned token. It attends to the patches (shown: last layer, mean of all "
        "heads), and the image is classified from it alone."
    )
    return figure, alt, text


def inductive_bias(example: Example) -> Cell:
    """Measure how the probabilities change if the patches are shuffled."""
    moved = shuffled(example.images)
    with_positions = _largest_change(example.model, example.images, moved)
    without = _largest_change(without_positions(example.model), example.images, moved)
    figure = pictures.patches(pixels_of(moved[0]), example.model.config.patch_size, HEIGHT)
    text = (
        "An **inductive bias** is an assumption that is built into a model, not learned from data. "
        "The ViT has little: the image is split into patches, and all patches share one "
        "projection. Attention has no information about which patches are neighbors. Shuffling "
        f"them (shown) changes a class probability by up to {100 * with_positions:.0f} percentage "
        f"points with position embeddings, but by only {100 * without:.7f} without them, which is "
        "rounding error. So the model has to learn which patches are neighbors; in convolutions "
        "this is built in."
    )
    return figure, "The image with its patches shuffled.", text


def _largest_change(model: VisionTransformer, images: torch.Tensor, moved: torch.Tensor) -> float:
    with torch.no_grad():
        before = model(normalize(images)).softmax(dim=1)
        after = model(normalize(moved)).softmax(dim=1)
    return float((before - after).abs().max())


def data(example: Example) -> Cell:
    """Show the accuracy of the trained example over the number of images seen."""
    training = example.run.training
    history = log_spaced(example.run.history)
    accuracy = np.array([record["validation"]["accuracy"] for record in history])
    seen = tuple(record["epoch"] * training.train_images for record in history)
    thousands = tuple(round(images / 1000) for images in seen)  # a phone has no room for zeros
    lines = {"test images": accuracy}
    figure = two_lines(
        thousands,
        lines,
        "images seen (thousands)",
        "accuracy",
        HEIGHT,
        log_axes="x",
        most=1.02,
    ).update_yaxes(tickformat=".0%")
    alt = (
        f"Accuracy {accuracy[0]:.0%} after {seen[0]:,} images, "
        f"{accuracy[-1]:.0%} after {seen[-1]:,}."
    )
    text = (
        f"ViTs need a lot of data. This model was trained on {training.train_images:,} images, "
        f"{training.epochs} times each, and classifies {accuracy[-1]:.0%} of the test images "
        f"correctly. Dosovitskiy et al. 2021 pre-trained much larger ViTs, on up to {JFT_IMAGES} "
        "million images (JFT-300M)."
    )
    return figure, alt, text


def log_spaced(items: Sequence) -> list:
    """Return at most POINTS of the items, at logarithmic distances, with the first and last."""
    numbers = np.unique(np.geomspace(1, len(items), POINTS).round().astype(int))
    return [items[number - 1] for number in numbers]


def attention_distances(example: Example) -> tuple[float, float]:
    """Return the smallest and the largest mean attention distance of a head in layer 1, in pixels.

    Measured on the first test images.
    """
    images = normalize(first_pictures(DISTANCE_IMAGES).images)
    distances = head_statistics(example.model, images).distance[0]
    return float(distances.min()), float(distances.max())


def scope(example: Example) -> Cell:
    """Show the attention of one head in the first layer."""
    weights = attention_matrix(example.trace.attention, layer=0, head=0)
    figure = matrix(weights, None, has_cls=True, height=HEIGHT)
    alt = f"Attention of {len(weights)} query tokens to {len(weights)} key tokens, layer 1, head 1."
    c = example.model.config
    nearest, farthest = attention_distances(example)
    even = float(patch_distances(c.grid_size, c.patch_size).mean())
    text = (
        "The whole image, from the first layer on: any token can attend to any other (shown: layer "
        "1, head 1). Whether it does is learned. The mean attention distance of the heads in layer "
        f"1 is {nearest:.1f} to {farthest:.1f} pixels, where equal attention to all patches gives "
        f"{even:.1f}. A convolution with a kernel of three pixels reaches one pixel in each "
        "direction (compare Dosovitskiy et al. 2021, Figure 7)."
    )
    return figure, alt, text
