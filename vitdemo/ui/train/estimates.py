"""Cost of the chosen settings, known before training: tokens, parameters, MACs and time."""

import streamlit as st

from ...config import ConfigError, ModelConfig, TrainConfig
from ...costs import check_memory, macs, parameters
from ..fragments import fragment
from ..visitor import visitor
from . import settings

CLASS = {"train_images": 600, "validation_images": 200, "epochs": 3}  # see tests/load.py


def show_costs(model: ModelConfig) -> None:
    """Show the number of tokens, parameters and MACs, computed from the settings alone."""
    row = st.container(horizontal=True)
    row.metric("Tokens", f"{model.num_tokens}", help=_token_help(model))
    parts = parameters(model)
    total = sum(parts.values())
    row.metric(
        "Parameters",
        short(total),
        help=_list(f"{total:,} numbers that are learned in training:", parts, model),
    )
    parts = macs(model)
    row.metric(
        "MACs",
        short(sum(parts.values())),
        help=_list(
            "Multiply-accumulate operations (MACs) in the matrix multiplications and convolutions "
            "of one forward pass for one image; FLOPs = 2 × MACs. A training step needs about "
            "three times as many per image, fewer with PatchDropout.",
            parts,
            model,
        ),
    )


def _token_help(model: ModelConfig) -> str:
    side, size = model.grid_size, model.image_size
    patches = "1 patch" if side == 1 else f"{model.num_patches} patches"
    cls = "plus the CLS token" if model.has_cls else "no CLS token"
    return (
        f"One token per patch of P × P pixels: N = HW / P² = {size} · {size} / {model.patch_size}² "
        f"= {side} · {side} = {patches}, {cls}."
    )


def _list(text: str, parts: dict[str, int], model: ModelConfig) -> str:
    lines = [text, "", *(f"- {name}: {count:,}" for name, count in parts.items())]
    if model.stem == "conv":
        lines += ["", "The patch embedding is a convolutional stem."]
    return "\n".join(lines)


def show_time(model: ModelConfig, training: TrainConfig) -> None:
    """Show the estimated time of an epoch and of the run; poll while this machine measures it."""
    from ...background.throughput import estimate
    from ...background.training_queue import QUEUE

    try:
        check_memory(model, training.batch_size)
    except ConfigError:  # pressing Train says so
        return
    if QUEUE.paused:
        st.caption(":material/pause: The teacher has paused all runs. This run would wait.")
        return
    if QUEUE.busy():
        start, end = QUEUE.expected_of(model, training, visitor().owner)
        st.caption(f":material/timer: {_beside_others(start, end)}")
        _offer_class_settings(training)
        return
    measuring = estimate(model, training) is None
    fragment(_time, run_every=1.0 if measuring else None)(model, training, measuring)


def _beside_others(start: float, end: float) -> str:
    """Return when a run would start and end, while others train."""
    from .live import duration

    when = "at once" if start < 1 else f"in about {duration(start)}"
    return (
        f"The cores are in use. This run would start {when} and end in about "
        f"**{duration(max(1, end))}**."
    )


def _offer_class_settings(training: TrainConfig) -> None:
    """Offer settings of which a whole class can train a run each in a minute or two."""
    if visitor().is_alone or all(getattr(training, name) == CLASS[name] for name in CLASS):
        return
    st.button(
        "Fit a class of forty",
        icon=":material/groups:",
        on_click=settings.set_fields,
        kwargs=CLASS,
        help="Others train, too. With 600 images and 3 epochs, forty runs take about 2 min in all "
        "on two cores.",
    )


def _time(model: ModelConfig, training: TrainConfig, measuring: bool) -> None:
    from ...background.throughput import estimate
    from .live import duration

    time = estimate(model, training)
    if time is None:
        st.caption(":material/timer: Measuring how fast this machine trains the model …")
        return
    if measuring:
        st.rerun()  # the time is known now, so polling ends
    epoch = f"About {duration(time.epoch)}" if time.epoch >= 1 else "Less than 1 s"
    st.caption(
        f":material/timer: **{epoch} per epoch** on this machine, {duration(max(time.total, 1))} "
        f"in total ({time.images_per_second:,.0f} images/s)."
    )


def short(number: int) -> str:
    """Return a number as `363 k` or `24.9 M`."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return str(number)
