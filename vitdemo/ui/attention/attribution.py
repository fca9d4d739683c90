"""Attribution: which patches is the prediction based on? Four methods side by side."""

import numpy as np
import streamlit as st

from ...background import tasks
from ...explain.methods import Method
from ...explain.occlusion import map_of_parts, occlusion_in_parts
from ...explain.rollout import FUSIONS
from ...figures.attention import overlay
from ...figures.color_bar import range_text
from ..chart import chart
from ..task_panel import task_panel
from ..wording import plain
from .case import Case, map_of
from .methods import DESCRIPTIONS, FORMULAS, TITLES, UNITS
from .sample import is_slow
from .state import DISCARDS, WINDOWS
from .view import View

AT_A_TIME = 7  # patches of a large model between two steps of the progress bar


def choose(
    probabilities: np.ndarray, classes: tuple[str, ...], view: View
) -> tuple[int, dict[str, Method]]:
    """Draw the controls; return the class to explain, and every method with its options."""
    first, *others = st.columns(4, vertical_alignment="bottom")
    target = _choose_class(first, classes)
    class_ = int(probabilities.argmax()) if target == "predicted" else classes.index(target)
    return class_, {method.name: method for method in _choose_options(others, view)}


def _choose_class(place, classes: tuple[str, ...]) -> str:
    return place.selectbox(
        "Class to explain",
        ("predicted", *classes),  # without its name, which would stay there for the next picture
        key="target",
        persist_state="session",
        help="Relevance and occlusion show the evidence for this class: the predicted one, or any "
        "other.",
    )


def _choose_options(places, view: View) -> list[Method]:
    first, second, third = places
    fusion = first.selectbox(
        "Heads in rollout",
        FUSIONS,
        key="fusion",
        persist_state="session",
        help="How rollout combines the heads of a layer: by their mean, as in the original method, "
        "or by their maximum or minimum for each pair of tokens.",
    )
    discard = second.selectbox(
        "Discarded in rollout",
        DISCARDS,
        key="discard",
        persist_state="session",
        format_func="{:.0%}".format,
        help="Fraction of the entries in each layer's attention matrix that rollout sets to 0, the "
        "smallest first. This makes the map clearer, not more faithful.",
    )
    window = third.selectbox(
        "Occlusion window",
        WINDOWS,
        key="window",
        persist_state="session",
        format_func=lambda side: "1 patch" if side == 1 else f"{side} × {side} patches",
        help="Size of the square that is occluded at a time. A single patch often matters little, "
        "because its neighbors look much the same.",
    )
    return [
        Method("attention", (("layer", view.layer), ("head", view.head))),
        Method("rollout", (("fusion", fusion), ("discard", discard))),
        Method("relevance"),
        Method("occlusion", (("window", window),)),
    ]


def known_map(case: Case, method: Method) -> np.ndarray | None:
    """Return the map (n, n); None for a large model's occlusion map that is not computed yet."""
    if method.name != "occlusion" or not is_slow(case.run.model):
        return map_of(case, method)
    parts = tasks.results(_occlusion_key(case, method))
    return None if parts is None else map_of_parts(parts).numpy()


def _occlusion_key(case: Case, method: Method) -> tuple:
    return "occlusion", *case.key, method


def show(case: Case, view: View, methods: dict[str, Method]) -> None:
    """Draw each method's map over the picture, two in a row."""
    columns = []
    for method in methods.values():
        if not columns:
            columns = st.columns(2)
        with columns.pop(0):
            _one(case, view, method)


def _one(case: Case, view: View, method: Method) -> None:
    name = method.name
    title = TITLES[name]
    if name == "attention":
        title += f" ({view.where})"
    if name in ("relevance", "occlusion"):
        title += f" for {case.class_name}"
    st.markdown(f"**{plain(title)}**")
    grid = known_map(case, method)
    if grid is None:
        _occlude(case, method)
    else:
        style = view.style(unit=UNITS[name], signed=name == "occlusion")
        chart(
            overlay(case.picture.pixels, grid, case.run.model.patch_size, style),
            key=f"map-{name}",
            alt=f"{title} over the patches: {range_text(grid)}.",
        )
    st.caption(DESCRIPTIONS[name])
    with st.expander("Formula and source", icon=":material/function:"):
        formula, source = FORMULAS[name]
        st.latex(formula)
        st.markdown(source)


def _occlude(case: Case, method: Method) -> None:
    """Show a button for a large model, then the progress; `known_map` has the finished map."""
    patches = case.run.model.num_patches
    window = dict(method.options)["window"]

    def steps():
        return occlusion_in_parts(case.model, case.images[0], case.class_, window, AT_A_TIME)

    task_panel(
        _occlusion_key(case, method),
        -(-patches // AT_A_TIME),
        steps,
        f"Occlude each of the {patches} patches",
        f"batches of {AT_A_TIME} patches",
        lambda parts: None,
        "The model is large: on two CPU cores this takes up to half a second per patch. You can "
        "keep using the app.",
    )
