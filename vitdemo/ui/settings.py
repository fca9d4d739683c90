"""The controls of the Train page: every field of ModelConfig and TrainConfig that a person may turn.

A control offers only values that fit the others. Its key in the session and its name in the address are the field's.
"""

from dataclasses import asdict, dataclass

import streamlit as st

from ..config import (
    ATTENTION_SCALES,
    AUGMENTATIONS,
    OPTIMIZERS,
    PRESETS,
    SCHEDULES,
    ModelConfig,
    TrainConfig,
    divisors,
)
from ..paths import full_set_on_disk
from . import address

SMALL_STEPS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
DEFAULT_PRESET = "recommended"


@dataclass(frozen=True)
class Control:
    """One setting as a person meets it."""

    label: str
    help: str  # what it does to the model
    options: range | tuple
    names: dict | None = None  # option -> how it is called on the page


FRONT = {
    "depth": Control(
        "Depth",
        "How many encoder blocks the tokens go through. Each lets every token look at all others once more; "
        "parameters, time and memory grow with it in a straight line.",
        range(1, 13),
    ),
    "num_heads": Control(
        "Heads",
        "Each block's attention is split into so many heads that look at different things, each with its share of the "
        "width (width / heads numbers a token). The parameters stay the same; more heads take more time.",
        (1, 2, 3, 4, 6, 8, 12, 16),
    ),
    "patch_size": Control(
        "Patch size",
        "The side of a patch in pixels. The image is cut into (32 / patch size)² patches, one token each: half the patch "
        "size gives four times the tokens and sixteen times the attention to compute.",
        (2, 4, 8, 16, 32),
        {size: f"{size} px" for size in (2, 4, 8, 16, 32)},
    ),
    "train_images": Control(
        "Training images",
        "How many images the model learns from: the first so many of CIFAR-10. Time grows with it in a straight line, and "
        "a Vision Transformer is hungry: more images help it more than most settings.",
        range(100, 5_001, 100),
    ),
}
MORE = {
    "epochs": Control(
        "Epochs",
        "How often every training image is seen. More lets the model learn more, and in the end learn the training "
        "images by heart: then validation stops improving.",
        range(1, 101),
    ),
    "batch_size": Control(
        "Batch size",
        "Images in one step. Smaller batches mean more steps in an epoch, each a noisier guess of the right direction.",
        (8, 16, 32, 64, 128, 256),
    ),
    "learning_rate": Control(
        "Learning rate",
        "How far one step moves the weights. Too small and nothing is learnt in time, too large and the loss explodes.",
        (1e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 1e-1, 1.0, 10.0),
    ),
    "optimizer": Control(
        "Optimiser",
        "Both turn gradients into steps in the same way. They differ in the weight decay: Adam adds it to the gradient "
        "(L2) and then rescales both together, AdamW shrinks the weights apart from it.",
        OPTIMIZERS,
        {"adam": "Adam (L2 decay)", "adamw": "AdamW"},
    ),
    "weight_decay": Control(
        "Weight decay",
        "Pulls every weight towards 0 in each step, which keeps the model simple.",
        (0.0, 0.001, 0.01, 0.05, 0.1, 0.3, 1.0),
    ),
    "schedule": Control(
        "Schedule",
        "Constant keeps the learning rate; cosine lets it fall to 0 along half a cosine, so that the last steps settle.",
        SCHEDULES,
        {"constant": "Constant", "cosine": "Cosine to 0"},
    ),
    "warmup_epochs": Control(
        "Warm-up",
        "Epochs in which the learning rate climbs from 0 to its value, so that the first steps do not throw the fresh "
        "weights off.",
        (0.0, 0.5, 1.0, 2.0, 5.0, 10.0),
    ),
    "augmentation": Control(
        "Augmentation",
        "Changes training images at random in each epoch, so that the model sees more variety: mirrored left to right in "
        "half the cases, or mirrored and moved by up to 4 pixels.",
        AUGMENTATIONS,
        {"none": "None", "flip": "Flip", "flip_and_shift": "Flip and shift"},
    ),
    "dropout": Control(
        "Dropout",
        "In training, sets this share of what each half of a block adds to the tokens to 0, so that nothing relies on "
        "one number alone.",
        SMALL_STEPS,
    ),
    "attention_dropout": Control(
        "Attention dropout",
        "In training, sets this share of the attention weights to 0. The annotation's listing has 0.1 by default.",
        SMALL_STEPS,
    ),
    "embed_dim": Control(
        "Width",
        "How many numbers a token is made of. Parameters and time grow with its square.",
        (16, 32, 48, 64, 96, 128, 192, 256),
    ),
    "mlp_ratio": Control(
        "MLP ratio",
        "The hidden layer of each block's MLP has so many times the width.",
        (1.0, 2.0, 3.0, 4.0),
    ),
    "attention_scale": Control(
        "Attention scale",
        "Scores are divided by a square root before the softmax. The formula takes d_k, the width of one head; the "
        "annotation's code takes the whole width, which makes attention flatter.",
        ATTENTION_SCALES,
        {"head_dim": "√d_k, as the formula", "embed_dim": "√width, as the code"},
    ),
    "token_init_std": Control(
        "Token start",
        "Spread of the first random values of CLS token and position embedding. At 1, as in the annotation's listing, they "
        "outweigh the patches at first; 0.02 is the usual value.",
        (0.0, 0.02, 0.1, 0.2, 0.5, 1.0),
    ),
    "validation_images": Control(
        "Validation images",
        "How many test images the model is checked on after each epoch: the first so many. More give a steadier figure: "
        "with 200, chance alone moves accuracy by about 3 points up or down.",
        range(100, 1_001, 100),
    ),
    "seed": Control(
        "Seed",
        "Where chance starts: first weights, order of images, augmentation, dropout. The same seed gives the same run.",
        range(10_000),
    ),
}
CONTROLS = FRONT | MORE
PRESET_BUTTONS = {
    "annotation": (
        "Annotation",
        "Set everything as in the annotation's listing, as printed: 6 epochs, Adam with weight decay 0.1.",
    ),
    "recommended": (
        "Recommended",
        "The same model with a recipe that learns: AdamW, small batches, warm-up and cosine.",
    ),
}


def preset_values(name: str) -> dict:
    """What a preset sets each control to."""
    model, training = PRESETS[name]
    values = asdict(model) | asdict(training)
    return {field: values[field] for field in CONTROLS}


def options(field: str) -> range | tuple:
    """The values that a control offers now, given the others."""
    values = CONTROLS[field].options
    if field == "num_heads":
        fitting = divisors(st.session_state.get("embed_dim", 64))
        return tuple(heads for heads in values if heads in fitting)
    if field == "warmup_epochs":
        return tuple(warmup for warmup in values if warmup <= st.session_state.get("epochs", 100))
    if field in ("train_images", "validation_images") and full_set_on_disk():
        return range(values.start, {"train_images": 50_001, "validation_images": 10_001}[field], values.step)
    return values


def start() -> None:
    """Give each control its first value: from the address where it has one, else from the preset."""
    if "embed_dim" in st.session_state:
        return
    preset = address.read("preset", tuple(PRESETS), None)
    values = preset_values(preset or DEFAULT_PRESET)
    # The width decides which heads fit and the epochs which warm-up, so these two come first.
    for field in dict.fromkeys(("embed_dim", "epochs", *CONTROLS)):
        st.session_state[field] = address.read(field, options(field), values[field])
    fit()


def current_preset() -> str | None:
    """The preset that all controls together are, if they are one."""
    values = {field: st.session_state[field] for field in CONTROLS}
    return next((name for name in PRESETS if preset_values(name) == values), None)


def draw(field: str) -> None:
    """One control."""
    control, values = CONTROLS[field], options(field)
    common = {"label": control.label, "key": field, "help": control.help, "persist_state": "session"}
    if field == "seed":
        st.number_input(min_value=0, max_value=values[-1], step=1, **common)
    elif isinstance(values, range):
        st.slider(min_value=values.start, max_value=values[-1], step=values.step, on_change=fit, **common)
    elif isinstance(values[0], str):
        st.selectbox(options=values, format_func=control.names.get, **common)
    else:
        names = control.names or {}
        st.select_slider(
            options=values, format_func=lambda value: names.get(value, f"{value:g}"), on_change=fit, **common
        )


def draw_presets() -> None:
    """A button for each preset; the one that all controls together are is ticked.

    Buttons, as they hold no value: a picker's old value, sent along with the next change of a slider, would set all back.
    """
    shown = current_preset()
    for column, (name, (label, explanation)) in zip(st.columns(2), PRESET_BUTTONS.items(), strict=True):
        column.button(
            label,
            key=f"preset-{name}",
            icon=":material/check:" if name == shown else None,
            help=explanation,
            width="stretch",
            on_click=set_fields,
            kwargs=preset_values(name),
        )


def set_fields(**values) -> None:
    """Turn controls from code, as a button's callback."""
    st.session_state.update(values)
    fit()


def chosen() -> tuple[ModelConfig, TrainConfig]:
    """The configuration on the page."""
    values = {field: st.session_state[field] for field in CONTROLS}
    model = {name: value for name, value in values.items() if name in ModelConfig.__dataclass_fields__}
    training = {name: value for name, value in values.items() if name in TrainConfig.__dataclass_fields__}
    return ModelConfig(**model), TrainConfig(**training)


def address_values() -> dict:
    """What differs from the default preset, to go into the address."""
    preset = current_preset()
    if preset:
        return {} if preset == DEFAULT_PRESET else {"preset": preset}
    defaults = preset_values(DEFAULT_PRESET)
    return {field: st.session_state[field] for field in CONTROLS if st.session_state[field] != defaults[field]}


def fit() -> None:
    """Move what no longer fits to the nearest value that does."""
    for field in ("num_heads", "warmup_epochs", "train_images", "validation_images"):
        values = options(field)
        if st.session_state[field] not in values:
            st.session_state[field] = min(values, key=lambda value: abs(value - st.session_state[field]))
