"""What the chosen settings cost, before anything is trained."""

import streamlit as st

from ...config import ModelConfig, TrainConfig
from ...costs import macs, parameters


def show_costs(model: ModelConfig) -> None:
    """Tokens, parameters and operations, worked out from the settings alone."""
    side = model.grid_size
    patches = "1 patch" if side == 1 else f"{model.num_patches} patches"
    cls = "and CLS" if model.has_cls else "and no CLS"
    stem = "" if model.stem == "patch" else "\n\nThe patch embedding is a stem of convolutions."
    row = st.container(horizontal=True)
    row.metric(
        "Tokens",
        f"{model.num_tokens}",
        help=f"N = HW / P² = {model.image_size} · {model.image_size} / {model.patch_size}² = {side} · {side} = "
        f"{patches}, {cls}.",
    )
    parts = parameters(model)
    total = sum(parts.values())
    row.metric(
        "Parameters", short(total), help=f"{total:,} numbers are learned:\n\n{_list(parts)}{stem}"
    )
    parts = macs(model)
    row.metric(
        "Operations",
        short(sum(parts.values())),
        help="Multiply-adds for one image through the model once. Training takes about three times that, less where patches "
        f"are dropped.\n\n{_list(parts)}{stem}",
    )


def show_time(model: ModelConfig, training: TrainConfig) -> None:
    """The estimated time of an epoch and of the run; asks again while this machine measures it."""
    from ...background.throughput import training_speed
    from ...background.training_queue import QUEUE

    measuring = training_speed(model) is None and not QUEUE.busy()
    st.fragment(_time, run_every=1.0 if measuring else None)(model, training, measuring)


def _time(model: ModelConfig, training: TrainConfig, measuring: bool) -> None:
    from ...background.throughput import training_speed
    from .live import duration

    speed = training_speed(model)
    if speed is None:
        text = (
            "Measuring how fast this machine trains it …"
            if measuring
            else "An estimate comes after this training."
        )
        st.caption(f":material/timer: {text}")
        return
    if measuring:
        st.rerun()  # known now: the asking ends
    # A validated image goes through the model once, without the way back, but with all its patches.
    seconds = (
        training.train_images + training.validation_images / (3 * (1 - model.patch_drop))
    ) / speed
    epoch = f"about **{duration(seconds)}" if seconds >= 1 else "**less than 1 s"
    st.caption(
        f":material/timer: On this machine {epoch} per epoch**, {duration(max(seconds * training.epochs, 1))} in all "
        f"({speed:,.0f} images a second)."
    )


def short(number: int) -> str:
    """`363 k`, `24.9 M`."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return str(number)


def _list(parts: dict[str, int]) -> str:
    return "\n".join(f"- {name}: {count:,}" for name, count in parts.items())
