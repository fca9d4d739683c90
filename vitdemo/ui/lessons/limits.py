"""Limitations of the ViT: quadratic cost, data efficiency and overfitting, each measured."""

from dataclasses import replace

import numpy as np
import streamlit as st

from ...config import PRESETS, ModelConfig
from ...costs import parameters
from ...figures.numbers import two_lines
from ...lessons import scaling
from ...lessons.comparisons import AUGMENTED, PAIRS, train_each
from ...lessons.paper import VIT_BASE
from ..chart import chart
from .experiment_panel import experiment_panel
from .lesson import Lesson
from .two_runs import compare


def quadratic_cost(lesson: Lesson) -> None:
    """Ask how much of a ViT's compute is quadratic; show what attention costs over the tokens."""
    st.header("Quadratic cost")
    st.markdown(
        "Every token attends to every token, so each head has T² attention weights for T tokens. "
        "Their computation, and the weighted sums of the values, cost T² times as much as for one "
        "token. All linear layers (the projections and the MLPs) cost only T times as much."
    )
    vit = ModelConfig(**VIT_BASE)
    finer = replace(vit, patch_size=vit.patch_size // 2)
    lesson.predict(
        "share",
        f"ViT-Base splits images of {vit.image_size} × {vit.image_size} pixels into patches of "
        f"{vit.patch_size} px, which makes T = {vit.num_tokens}. What fraction of all its MACs "
        "(multiply-accumulates) is the quadratic part?",
        {"4%": 0.04, "40%": 0.4, "90%": 0.9},
        lambda: scaling.quadratic_share(vit),
        f"{{:.1%}}. With patches of {finer.patch_size} px (T = {finer.num_tokens}) it is "
        f"{scaling.quadratic_share(finer):.0%}. It overtakes the linear layers only above "
        f"T = {scaling.break_even(vit):,}, six times the embedding dimension. Memory is another "
        "matter: the attention weights grow with T² from the start.",
    )
    experiment_panel(
        "attention-costs",
        "Measure attention",
        "sizes",
        _show_costs,
        "Times one attention layer for more and more tokens.",
    )
    lesson.code(
        scaling.attention_costs,
        "The sizes are timed in turn, and the fastest of several passes counts (`min`).",
    )


def _show_costs(results: tuple[tuple[int, float, float], ...]) -> None:
    tokens, seconds, megabytes = map(list, zip(*results, strict=True))
    if len(tokens) < len(scaling.PATCH_SIZES):
        return  # they arrive one by one, but all within a moment
    left, right = st.columns(2)
    with left:
        _over_tokens("Time of one attention layer", tokens, np.array(seconds) * 1000, "ms")
    with right:
        _over_tokens("Memory of its attention maps", tokens, np.array(megabytes), "MB")
    config = ModelConfig()
    memory = scaling.exponent(tokens, megabytes)
    time = scaling.exponent(tokens, seconds)
    time_of_largest = scaling.exponent(tokens[-2:], seconds[-2:])
    st.caption(
        f"{scaling.BATCH} images, embedding dimension {config.embed_dim}, {config.num_heads} "
        "heads. Both axes are logarithmic, so a power law "
        "is a straight line; the dashed line is T². The fitted exponent is "
        f"{memory:.2f} for memory. For time it is {time:.2f} over all sizes and "
        f"{time_of_largest:.2f} between the two largest. An exponent of 2 means: twice the tokens, "
        "four times the cost. With few tokens it is lower, because fixed costs and costs that grow "
        "in proportion to T, as those of the projections, count too. It is above 2 if the "
        "attention maps no longer fit in the processor's cache."
    )


def _over_tokens(title: str, tokens: list[int], values: np.ndarray, unit: str) -> None:
    st.markdown(f"**{title}**")
    quadratic = values[-1] * (np.array(tokens) / tokens[-1]) ** 2
    lines = {"measured": values, "quadratic": quadratic}
    chart(
        two_lines(tuple(tokens), lines, "tokens", unit, 280, log_axes="xy"),
        key=title,
        alt=f"{title}: {values[0]:.2f} to {values[-1]:.2f} {unit} for {tokens[0]} to "
        f"{tokens[-1]} tokens.",
    )


def data_efficiency(lesson: Lesson) -> None:
    """Show accuracy over the number of training images, for a plain ViT and a hybrid."""
    st.header("Data efficiency")
    st.markdown(
        "Convolutions have a strong **inductive bias**, a built-in assumption: neighboring pixels "
        "belong together. A plain ViT has to learn this from data. Here a plain ViT and a hybrid "
        "ViT, whose tokens come from convolutions, are trained on "
        f"{_listed(scaling.TRAIN_IMAGES)} images. Each run sees {scaling.IMAGES_SEEN:,} images in "
        "total, so a small training set is repeated for more epochs. Each model is evaluated on "
        f"{scaling.TEST_IMAGES:,} test images. The two models also differ in size and recipe, so "
        "the convolutions do not explain the whole gap."
    )
    experiment_panel(
        "data-efficiency",
        "Train both models",
        "runs",
        _accuracy_over_images,
        "Trains both models on each number of images.",
    )
    lesson.code(
        scaling.data_efficiency,
        "The recipes are the presets in `MODELS`, with different numbers of images and epochs.",
    )


def _accuracy_over_images(results: tuple[tuple[str, int, float], ...]) -> None:
    counts = tuple(dict.fromkeys(images for _, images, _ in results))
    lines = {
        name: np.array([accuracy for trained, _, accuracy in results if trained == name])
        for name in scaling.MODELS
    }
    texts = [
        f"{name} {', '.join(f'{accuracy:.0%}' for accuracy in accuracies)}"
        for name, accuracies in lines.items()
    ]
    figure = two_lines(counts, lines, "training images", "accuracy", 280, log_axes="x")
    chart(
        figure.update_yaxes(tickformat=".0%"),
        key="data-efficiency",
        alt=f"Accuracy with {_listed(counts)} images: {'; '.join(texts)}.",
    )
    chance = 1 / ModelConfig().num_classes
    st.caption(f"One run per point, with one random seed. Chance is {chance:.0%}.")


def _listed(counts: tuple[int, ...]) -> str:
    *most, last = [f"{count:,}" for count in counts]
    return f"{', '.join(most)} and {last}" if most else last


def overfitting(lesson: Lesson) -> None:
    """Show a small model overfit, and what augmentation does about it."""
    st.header("Overfitting")
    total = sum(parameters(PRESETS["annotation"][0]).values())
    hybrid = sum(parameters(PRESETS["hybrid"][0]).values())
    images = PRESETS["annotation"][1].train_images
    lesson.predict(
        "per-image",
        f"The paper's code trains on {images} images. How many parameters does its model have per "
        "training image?",
        {"6": 6, "60": 60, "600": 600},
        lambda: total / images,
        f"{{:.0f}}: {total:,} in total. A model with so many can **overfit**: memorize the label "
        "of each image instead of learning what a frog looks like. The count alone does not decide "
        f"it: the preset *Hybrid* has {hybrid / images:,.0f} per image on as many images, and "
        "classifies new images better.",
    )
    training = PAIRS["overfitting"]["No augmentation"][1]
    cutout = AUGMENTED["cutout"]
    st.markdown(
        f"A plain ViT is trained twice on {training.train_images} images for {training.epochs} "
        "epochs, once without and once with **augmentation**, random changes to the training "
        "images that differ in every epoch: horizontal flips, color jitter (brightness, contrast "
        f"and saturation change by up to {AUGMENTED['jitter']:.0%}, tint by less), Cutout (a "
        f"square of {cutout} × {cutout} pixels is blanked) and, in {AUGMENTED['cutmix']:.0%} of "
        "the steps, CutMix (a part of another image is pasted in, and the labels are mixed in "
        "proportion). Nothing else differs."
    )
    compare("overfitting", "Two runs, one after the other.")
    st.caption(
        "Look at the test loss: without augmentation it falls and then **rises**, while the "
        "training loss approaches 0. The model memorizes its training images and becomes more and "
        "more confident, even where it is wrong on new images. With augmentation no image looks "
        f"the same twice, which makes memorizing harder, but they are still the same "
        f"{training.train_images} images. Training accuracy is then also lower "
        "because augmented images are harder to classify, and a mixed image counts as correct only "
        "if the class of the original image is predicted. More training images would help most."
    )
    lesson.code(train_each, "Two runs; the recipes differ only in the augmentation.")
