"""State of the Attention page in the session and the URL: always values that fit the model."""

import streamlit as st

from ...config import ModelConfig
from ...data.cifar10 import CLASSES
from ...explain.rollout import FUSIONS
from ...figures.tokens import token_name
from ...runs.run import Run
from ...runs.snapshots import list_snapshots
from .. import url_state
from ..cached import images_shown
from ..picture_picker import PREDICTIONS

DISCARDS = (0.0, 0.5, 0.8, 0.9, 0.95)
WINDOWS = (1, 3)
TABS = {
    "attention": "Attention",
    "attribution": "Attribution",
    "faithfulness": "Faithfulness",
    "ablation": "Ablation",
    "training": "Training",
    "heads": "Heads",
}
CONTROLS = {  # the controls of `view.choose_view` that each tab has
    "attention": ("layer", "head", "token", "direction", "quantity", "colors"),
    "attribution": ("layer", "head", "colors"),
    "faithfulness": ("layer", "head"),
    "ablation": ("layer", "token"),
    "training": ("layer", "head", "token", "direction", "colors"),
    "heads": ("layer", "head"),
}
COMPARED = {"other_run": "same", "other_snapshot": "last", "other_picture": "same"}  # at first
STATISTICS = {
    "distance": "Distance",
    "entropy": "Entropy",
    "to_cls": "Attention to CLS",
    "to_self": "Attention to self",
}
CLICKS = {"occlude": "occlude a patch", "block": "block attention to a patch"}
BLOCKED_IN = {"all": "all layers", "one": "the chosen layer"}
DIRECTIONS = {"attends_to": "attends to", "attended_by": "attended by"}
QUANTITIES = {"weight": "weight", "norm": "weight × norm"}
SCALES = {"each": "per map", "shared": "shared"}
INTERPOLATIONS = {"patches": "patches", "smooth": "smooth"}


def offered(run: Run) -> dict[str, tuple]:
    """Return for each name the values that fit the run's model, and the default.

    The defaults show what the paper's Figure 3 shows.
    """
    model, last = run.model, len(list_snapshots(run)) - 1
    statistics = [name for name in STATISTICS if model.has_cls or name != "to_cls"]
    return {
        "layer": (range(1, model.depth + 1), model.depth),
        "head": (("mean", *range(1, model.num_heads + 1)), "mean"),
        "token": (token_choices(model), token_choices(model)[0]),
        "view": (tuple(TABS), "attention"),
        "direction": (tuple(DIRECTIONS), "attends_to"),
        "quantity": (tuple(QUANTITIES), "weight"),
        "opacity": (range(0, 101, 5), 60),
        "scale": (tuple(SCALES), "each"),
        "interpolation": (tuple(INTERPOLATIONS), "patches"),
        "compare": ((False, True), False),
        "target": (("predicted", *run.classes), "predicted"),
        "fusion": (FUSIONS, "mean"),
        "discard": (DISCARDS, 0.0),
        "window": (WINDOWS, 1),
        "statistic": (tuple(statistics), "distance"),
        "click": (tuple(CLICKS), "occlude"),
        "blocked_in": (tuple(BLOCKED_IN), "all"),
        "snapshot": (range(last + 1), last),
        "class": (("any", *CLASSES), "any"),
        "predictions": (PREDICTIONS, "all"),
        "picture": (range(images_shown(run)), 0),
    }


def several(run: Run) -> dict[str, tuple | range]:
    """Return the names that hold several values (none at first), with those that fit the model."""
    model = run.model
    layers, heads = range(1, model.depth + 1), range(1, model.num_heads + 1)
    return {
        "ablated": tuple(f"{layer}.{head}" for layer in layers for head in heads),
        "occluded": range(model.num_patches),
        "blocked": range(model.num_patches),
    }


def names(run: Run) -> set[str]:
    """Return every parameter that the URL may have."""
    return {"run", *offered(run), *several(run), *COMPARED}


def start(run: Run) -> None:
    """Give each control its first value: from the URL where it has one, else the default."""
    model, state = run.model, st.session_state
    if state.get("has_cls", model.has_cls) != model.has_cls:  # the numbers of the tokens shifted
        state["token"] = token_choices(model)[0]
    state["has_cls"] = model.has_cls
    for name, (options, default) in offered(run).items():
        settle(name, options, default)
    for name, options in several(run).items():
        if name not in state:
            state[name] = url_state.read_several(name, options)
        state[name] = tuple(value for value in state[name] if value in options)


def settle(name: str, options, default) -> None:
    """Give a control its first value, or the default if its own no longer fits the model."""
    state = st.session_state
    if name not in state:
        state[name] = url_state.read(name, options, default)
    elif state[name] not in options:
        state[name] = default


def toggle(name: str, value) -> None:
    """Add a value to those that a name holds, or remove it."""
    values = st.session_state[name]
    if value in values:
        st.session_state[name] = tuple(other for other in values if other != value)
    else:
        st.session_state[name] = (*values, value)


def choose_tab() -> str:
    """Return the chosen tab: a key of TABS."""
    return st.segmented_control(
        "View",
        tuple(TABS),
        key="view",
        persist_state="session",
        required=True,
        format_func=TABS.get,
        label_visibility="collapsed",
        wrap=True,  # on a phone, a row that scrolls hides that there are more
    )


def url_values(run: Run) -> dict:
    """Return what goes into the URL: the run, and what differs from the defaults."""
    state = st.session_state
    values = {name: (state[name], default) for name, (_, default) in offered(run).items()}
    if state["compare"]:
        values |= {name: (state.get(name, default), default) for name, default in COMPARED.items()}
    changed = {name: value for name, (value, default) in values.items() if value != default}
    chosen = {name: state[name] for name in several(run) if state[name]}
    return {"run": run.id} | changed | chosen


def token_choices(model: ModelConfig) -> range | tuple:
    """Return the tokens whose attention can be shown, the default first.

    With CLS that is CLS or a patch; without it, the mean of all patches or one patch.
    """
    return range(model.num_tokens) if model.has_cls else ("all", *range(model.num_tokens))


def choice_name(token: int | str, model: ModelConfig) -> str:
    """Return `CLS`, `all patches`, or where the patch lies."""
    return "all patches" if token == "all" else token_name(token, model.grid_size, model.has_cls)
