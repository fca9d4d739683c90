"""What the Attention page shows, in the session and in the address, always of values that fit the model."""

import streamlit as st

from ...config import ModelConfig
from ...data.cifar10 import CLASSES
from ...explain.attention import token_name
from ...explain.rollout import FUSIONS
from ...runs.run import Run
from ...runs.snapshots import list_snapshots
from .. import url_state
from ..cached import images_shown
from ..picture_picker import ANSWERS

DISCARDS = (0.0, 0.5, 0.8, 0.9, 0.95)
WINDOWS = (1, 3)
VIEWS = {
    "see": "See",
    "follow": "Follow",
    "judge": "Judge",
    "intervene": "Intervene",
    "growth": "Over time",
    "heads": "Heads",
}
CONTROLS = {  # of layer, head and so on, that each view has
    "see": ("layer", "head", "token", "direction", "colors"),
    "follow": ("layer", "head", "colors"),
    "judge": ("layer", "head"),
    "intervene": ("layer", "token"),
    "growth": ("layer", "head", "token", "direction", "colors"),
    "heads": ("layer", "head"),
}
BESIDE = {
    "other_run": "same",
    "other_snapshot": "last",
    "other_picture": "same",
}  # what stands beside a view, at first
CHARACTERS = {
    "distance": "distance",
    "entropy": "entropy",
    "on_cls": "on CLS",
    "on_itself": "on itself",
}
CLICKS = {"cover": "covers a patch", "cut": "cuts a look at it"}
WHERE = {"all": "every layer", "one": "the chosen layer"}
DIRECTIONS = {"from": "takes from", "to": "gives to"}
SCALES = {"each": "its own", "all": "one for all"}
PIXELS = {"patches": "patches", "smooth": "smooth"}


def offered(run: Run) -> dict[str, tuple]:
    """Of each name: the values that fit the run's model, and the one at first, as in the paper's Figure 3."""
    model, kept = run.model, list_snapshots(run)
    return {
        "layer": (range(1, model.depth + 1), model.depth),
        "head": (("mean", *range(1, model.num_heads + 1)), "mean"),
        "token": (askers(model), askers(model)[0]),
        "view": (tuple(VIEWS), "see"),
        "direction": (tuple(DIRECTIONS), "from"),
        "strength": (range(0, 101, 5), 60),
        "scale": (tuple(SCALES), "each"),
        "pixels": (tuple(PIXELS), "patches"),
        "beside": ((False, True), False),
        "explained": (("answer", *run.classes), "answer"),
        "fusion": (FUSIONS, "mean"),
        "discard": (DISCARDS, 0.0),
        "window": (WINDOWS, 1),
        "character": (
            tuple(name for name in CHARACTERS if model.has_cls or name != "on_cls"),
            "distance",
        ),
        "click": (tuple(CLICKS), "cover"),
        "where": (tuple(WHERE), "all"),
        "snapshot": (range(len(kept)), len(kept) - 1),
        "class": (("any", *CLASSES), "any"),
        "answers": (ANSWERS, "all"),
        "picture": (range(images_shown(run)), 0),
    }


def several(run: Run) -> dict[str, tuple | range]:
    """Of each name that holds several values, none at first: those that fit the run's model."""
    model = run.model
    heads = tuple(
        f"{layer}.{head}"
        for layer in range(1, model.depth + 1)
        for head in range(1, model.num_heads + 1)
    )
    return {"off": heads, "covered": range(model.num_patches), "cut": range(model.num_patches)}


def names(run: Run) -> set[str]:
    """Every parameter that the address may have."""
    return {"run", *offered(run), *several(run), *BESIDE}


def start(run: Run) -> None:
    """Give each control its first value: from the address where it has one, else the default."""
    model, state = run.model, st.session_state
    renumbered = (
        state.setdefault("with_cls", model.has_cls) != model.has_cls
    )  # a token's number now means another
    state["with_cls"] = model.has_cls
    if renumbered:
        state["token"] = askers(model)[0]
    for name, (options, default) in offered(run).items():
        settle(name, options, default)
    for name, options in several(run).items():
        if name not in state:
            state[name] = url_state.read_several(name, options)
        state[name] = tuple(value for value in state[name] if value in options)


def settle(name: str, options, default) -> None:
    """Give a control its first value, from the address where it has one; or the default, if its own no longer fits."""
    state = st.session_state
    if name not in state:
        state[name] = url_state.read(name, options, default)
    elif state[name] not in options:
        state[name] = default  # the model was changed for one of another shape


def toggle(name: str, value) -> None:
    """Put a value among several, or take it away."""
    values = st.session_state[name]
    st.session_state[name] = (
        tuple(v for v in values if v != value) if value in values else (*values, value)
    )


def choose() -> str:
    """Which of the page's views is wanted: a key of VIEWS."""
    return st.segmented_control(
        "View",
        tuple(VIEWS),
        key="view",
        persist_state="session",
        required=True,
        format_func=VIEWS.get,
        label_visibility="collapsed",
    )


def address_values(run: Run) -> dict:
    """The view, to go into the address: the model, and what differs from the default."""
    values = {
        name: (st.session_state[name], default) for name, (_, default) in offered(run).items()
    }
    chosen = {name: st.session_state[name] for name in several(run) if st.session_state[name]}
    if st.session_state["beside"]:
        values |= {
            name: (st.session_state.get(name, default), default) for name, default in BESIDE.items()
        }
    return (
        {"run": run.id}
        | {name: value for name, (value, default) in values.items() if value != default}
        | chosen
    )


def askers(model: ModelConfig) -> range | tuple:
    """Whose attention can be shown, the default first: CLS or a patch; without CLS, all patches or one."""
    return range(model.num_tokens) if model.has_cls else ("all", *range(model.num_tokens))


def asker_name(asker: int | str, model: ModelConfig) -> str:
    """`CLS`, `all patches`, or where the patch lies."""
    side = model.grid_size
    return "all patches" if asker == "all" else token_name(asker, side, model.has_cls)
