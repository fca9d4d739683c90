"""The settings on the Train page: kept in the session, always of values that fit, and repeated in the address.

A control's key in the session and its name in the address are the field's.
"""

from dataclasses import asdict

import streamlit as st

from ...config import PRESETS, SETTINGS, ModelConfig, TrainConfig, divisors
from ...files import full_set_on_disk
from .. import url_state
from .controls import CONTROLS, FRONT, GROUPS, PRESET_BUTTONS

DEFAULT_PRESET = "recommended"


def preset_values(name: str) -> dict:
    """What a preset sets each control to."""
    model, training = PRESETS[name]
    values = asdict(model) | asdict(training)
    return {field: values[field] for field in CONTROLS}


def offered_values(field: str) -> range | tuple:
    """Return every value that a control offers, whatever the others are."""
    return CONTROLS[field].values or SETTINGS[field].choices


def options(field: str) -> range | tuple:
    """The values that a control offers now, given the others."""
    values = offered_values(field)
    if field == "num_heads":
        fitting = divisors(st.session_state.get("embed_dim", 64))
        return tuple(heads for heads in values if heads in fitting)
    if field == "patch_size" and st.session_state.get("stem") == "conv":
        return values[:-1]  # convolutions leave more than one token
    if field == "warmup_epochs":
        return tuple(warmup for warmup in values if warmup <= st.session_state.get("epochs", 200))
    if field == "cutmix":
        return tuple(share for share in values if share + st.session_state.get("mixup", 0) <= 1)
    if field in ("train_images", "validation_images") and full_set_on_disk():
        return range(
            values.start, {"train_images": 50_001, "validation_images": 10_001}[field], values.step
        )
    return values


def start() -> None:
    """Give each control its first value: from the address where it has one, else from the preset."""
    if "embed_dim" in st.session_state:
        return
    preset = url_state.read("preset", tuple(PRESETS), None)
    values = preset_values(preset or DEFAULT_PRESET)
    # The width decides which heads fit, the stem which patches, the epochs which warm-up, and mixup how much CutMix: these
    # come first.
    for field in dict.fromkeys(("embed_dim", "stem", "epochs", "mixup", *CONTROLS)):
        st.session_state[field] = url_state.read(field, options(field), values[field])
    fit()


def current_preset() -> str | None:
    """The preset that all controls together are, if they are one."""
    values = {field: st.session_state[field] for field in CONTROLS}
    return next((name for name in PRESETS if preset_values(name) == values), None)


def draw(field: str) -> None:
    """One control."""
    control, values = CONTROLS[field], options(field)
    common = {
        "label": control.label,
        "key": field,
        "help": SETTINGS[field].help,
        "persist_state": "session",
    }
    if field == "seed":
        st.number_input(min_value=0, max_value=values[-1], step=1, **common)
    elif isinstance(values, range):
        st.slider(
            min_value=values.start, max_value=values[-1], step=values.step, on_change=fit, **common
        )
    elif isinstance(values[0], str):
        st.selectbox(options=values, format_func=control.names.get, on_change=fit, **common)
    else:
        names = control.names or {}
        st.select_slider(
            options=values,
            format_func=lambda value: names.get(value, f"{value:g}"),
            on_change=fit,
            **common,
        )


def draw_presets() -> None:
    """A button for each preset; the one that all controls together are is ticked.

    Buttons, as they hold no value: a picker's old value, sent along with the next change of a slider, would set all back.
    """
    shown = current_preset()
    row = st.container(horizontal=True, gap="xsmall")
    for name in PRESETS:
        label, explanation = PRESET_BUTTONS[name]
        row.button(
            label,
            key=f"preset-{name}",
            icon=":material/check:" if name == shown else None,
            help=explanation,
            width="stretch",
            on_click=set_fields,
            kwargs=preset_values(name),
        )


def draw_front() -> None:
    """The settings that are always in sight."""
    for field in FRONT:
        draw(field)


def draw_groups() -> None:
    """Every setting that is not in front, folded away with those of its kind."""
    for label, group in GROUPS.items():
        with st.expander(label, icon=group.icon):
            st.caption(group.note)
            for field in group.controls:
                draw(field)


def set_fields(**values) -> None:
    """Turn controls from code, as a button's callback."""
    st.session_state.update(values)
    fit()


def chosen() -> tuple[ModelConfig, TrainConfig]:
    """The configuration on the page."""
    values = {field: st.session_state[field] for field in CONTROLS}
    model = {
        name: value for name, value in values.items() if name in ModelConfig.__dataclass_fields__
    }
    training = {
        name: value for name, value in values.items() if name in TrainConfig.__dataclass_fields__
    }
    return ModelConfig(**model), TrainConfig(**training)


def address_values() -> dict:
    """What differs from the default preset, to go into the address."""
    preset = current_preset()
    if preset:
        return {} if preset == DEFAULT_PRESET else {"preset": preset}
    defaults = preset_values(DEFAULT_PRESET)
    return {
        field: st.session_state[field]
        for field in CONTROLS
        if st.session_state[field] != defaults[field]
    }


def fit() -> None:
    """Move what no longer fits to the nearest value that does."""
    for field in (
        "num_heads",
        "patch_size",
        "warmup_epochs",
        "cutmix",
        "train_images",
        "validation_images",
    ):
        values = options(field)
        if st.session_state[field] not in values:
            st.session_state[field] = min(
                values, key=lambda value: abs(value - st.session_state[field])
            )
