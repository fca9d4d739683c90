"""The settings on the Train page: kept in the session and in the URL, always a valid combination.

The key of a control in the session and its URL parameter are the name of the configuration field.
"""

from dataclasses import asdict

import streamlit as st

from ...config import PRESETS, SETTINGS, ModelConfig, TrainConfig, divisors
from ...config.model_config import STEM_PATCH_SIZES
from ...config.settings import settings_of
from ...files import full_set_on_disk
from .. import url_state
from .controls import CONTROLS, FRONT, GROUPS, PRESET_BUTTONS

DEFAULT_PRESET = "recommended"


def preset_values(name: str) -> dict:
    """Return the value of each control in a preset."""
    model, training = PRESETS[name]
    values = asdict(model) | asdict(training)
    return {field: values[field] for field in CONTROLS}


def offered_values(field: str) -> range | tuple:
    """Return every value of a control, whatever the other controls are set to."""
    return CONTROLS[field].values or SETTINGS[field].choices


def options(field: str) -> range | tuple:
    """Return the values that a control offers now: those that fit the other controls."""
    values = offered_values(field)
    if field == "num_heads":
        fitting = divisors(st.session_state.get("embed_dim", 64))
        return tuple(heads for heads in values if heads in fitting)
    if field == "patch_size" and st.session_state.get("stem") == "conv":
        return tuple(size for size in values if size in STEM_PATCH_SIZES)
    if field == "cutmix":
        mixup = st.session_state.get("mixup", 0)
        return tuple(cutmix for cutmix in values if mixup + cutmix <= 1)
    if field in ("train_images", "validation_images") and full_set_on_disk():
        most = SETTINGS[field].limits[1]
        return range(values.start, most + 1, values.step)
    return values


def start() -> None:
    """Give each control its first value: from the URL if it is there, else from the preset."""
    if "embed_dim" in st.session_state:
        return
    preset = url_state.read("preset", tuple(PRESETS), None)
    values = preset_values(preset or DEFAULT_PRESET)
    # These three come first, as they limit the heads, the patch size and CutMix.
    for field in dict.fromkeys(("embed_dim", "stem", "mixup", *CONTROLS)):
        st.session_state[field] = url_state.read(field, options(field), values[field])
    fit()


def current_preset() -> str | None:
    """Return the preset whose values all controls have, or None."""
    values = {field: st.session_state[field] for field in CONTROLS}
    return next((name for name in PRESETS if preset_values(name) == values), None)


def draw(field: str) -> None:
    """Draw one control."""
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
    """Draw a button for each preset, with a check mark on the current one.

    Buttons hold no value. The value of a selectbox would be sent again with the next change of a
    slider and would undo it.
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
    """Draw the settings that are always visible."""
    for field in FRONT:
        draw(field)


def draw_groups() -> None:
    """Draw all other settings, each group in an expander that is empty until it is opened."""
    st.markdown("**More settings**")
    for label, group in GROUPS.items():
        expander = st.expander(label, icon=group.icon, key=group_key(label), on_change="rerun")
        if not expander.open:
            continue
        with expander:
            st.caption(group.note)
            for field in group.controls:
                draw(field)


def group_key(label: str) -> str:
    """Return the key in the session under which a group of settings is open or not."""
    return f"group-{label}"


def set_fields(**values) -> None:
    """Set controls from code, as the callback of a button."""
    st.session_state.update(values)
    fit()


def chosen() -> tuple[ModelConfig, TrainConfig]:
    """Return the configuration on the page."""
    values = {field: st.session_state[field] for field in CONTROLS}
    model = {name: values[name] for name in settings_of(ModelConfig) if name in values}
    training = {name: values[name] for name in settings_of(TrainConfig) if name in values}
    return ModelConfig(**model), TrainConfig(**training)


def write_url(run_id: str) -> None:
    """Set the URL to the settings and a run, if there is one."""
    url_state.write(url_values() | ({"run": run_id} if run_id else {}))


def url_values() -> dict:
    """Return the URL parameters of the settings: a preset, or what differs from the default one."""
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
    """Set each control whose value no longer fits to the nearest value that does."""
    for field in (
        "num_heads",
        "patch_size",
        "cutmix",
        "train_images",
        "validation_images",
    ):
        values = options(field)
        if st.session_state[field] not in values:
            st.session_state[field] = min(
                values, key=lambda value: abs(value - st.session_state[field])
            )
