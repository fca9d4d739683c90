"""Which attention is shown and how it is drawn, with the controls to choose it."""

from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from torch import Tensor

from ...config import ModelConfig
from ...explain.attention import attention_map, attention_maps, attention_matrix
from ...figures.attention import MapStyle
from .state import DIRECTIONS, INTERPOLATIONS, QUANTITIES, SCALES, choice_name, token_choices

# Widths of the controls.
WIDTHS = {"layer": 5, "head": 5, "token": 8, "direction": 7, "quantity": 9, "colors": 7}


@dataclass(frozen=True)
class View:
    """Which attention is shown, and how it is drawn."""

    layer: int  # from 0
    head: int | None = None  # from 0; None is the mean of all heads
    token: int | None = None  # None is the mean of all patches
    attended_by: bool = False  # by which patches the token is attended, not what it attends to
    norms: bool = False  # weights times the norms of the transformed values, not weights alone
    opacity: float = 1.0  # of the colors over the picture, 0 to 1
    shared_scale: bool = False  # one color scale for all layers and heads
    smooth: bool = False

    @property
    def unit(self) -> str:
        """Return what the numbers of the maps are."""
        return "weight × norm" if self.norms else "attention"

    @property
    def where(self) -> str:
        """`layer 3, head 1`."""
        head = "mean of heads" if self.head is None else f"head {self.head + 1}"
        return f"layer {self.layer + 1}, {head}"

    def patch(self, model: ModelConfig) -> int | None:
        """Return the chosen patch, counted from 0; None for CLS or all patches."""
        if self.token is None:
            return None
        if not model.has_cls:
            return self.token
        return self.token - 1 if self.token else None

    def token_name(self, model: ModelConfig) -> str:
        """Return `CLS`, `all patches`, or where the chosen patch lies."""
        return choice_name("all" if self.token is None else self.token, model)

    def token_phrase(self, model: ModelConfig) -> str:
        """Return `CLS`, `all patches`, or `the patch in row 1, column 2`."""
        name = self.token_name(model)
        return name if self.patch(model) is None else f"the patch in {name}"

    def title(self, model: ModelConfig) -> str:
        """Return `Attention of CLS`, or `Attention to the patch in row 1, column 2`."""
        what = "Attention × value norm" if self.norms else "Attention"
        return f"{what} {'to' if self.attended_by else 'of'} {self.token_phrase(model)}"

    def matrix(self, attention: list[Tensor]) -> np.ndarray:
        """Return the attention matrix (T, T) of the chosen layer and head.

        Here and below, `attention` is what `case.seen` returns.
        """
        return attention_matrix(attention, self.layer, self.head)

    def grid(self, attention: list[Tensor], model: ModelConfig) -> np.ndarray:
        """Return the map (n, n) of the chosen layer, head and token."""
        matrix = self.matrix(attention)
        return attention_map(matrix, self.token, model.has_cls, self.attended_by)

    def grids(self, attention: list[Tensor], model: ModelConfig) -> np.ndarray:
        """Return the map of every layer and head (depth, num_heads, n, n)."""
        return attention_maps(attention, self.token, model.has_cls, self.attended_by)

    def limits(self, grids: np.ndarray) -> tuple[float, float] | None:
        """Return the ends of the color scale that these maps share, or None for one each."""
        return (0.0, float(grids.max())) if self.shared_scale else None

    def style(
        self,
        limits: tuple[float, float] | None = None,
        unit: str | None = None,
        signed: bool = False,
    ) -> MapStyle:
        """Return how a map is drawn; `unit` says what its numbers are, if not those of the view."""
        return MapStyle(self.opacity, limits, self.smooth, unit or self.unit, signed)


def what_bright_means(view: View) -> str:
    """Return a sentence on the bright patches of a map."""
    if view.norms:
        direction = "receive the most from it" if view.attended_by else "pass the most on to it"
        return f"Bright patches {direction}: weight times L2 norm of the transformed value."
    bright = "attend to it most" if view.attended_by else "receive the most attention"
    return f"Bright patches {bright}."


def choose_view(model: ModelConfig, wanted: tuple[str, ...]) -> View:
    """Draw the controls that are wanted, of WIDTHS; the others keep their value or default."""
    widths = [WIDTHS[name] for name in wanted]
    room = sum(WIDTHS.values()) - sum(widths)
    if room:
        widths.append(room)
    columns = st.columns(widths, vertical_alignment="bottom")
    places = dict(zip(wanted, columns, strict=False))
    layer = _choose_layer(model, places["layer"])
    head = st.session_state["head"]
    if "head" in wanted:
        head = _choose_head(model, places["head"])
    token = token_choices(model)[0]
    if "token" in wanted:
        token = _choose_token(model, places["token"])
    attended_by = False
    if "direction" in wanted:
        attended_by = _choose_direction(places["direction"], token)
    norms = "quantity" in wanted and _choose_quantity(places["quantity"]) == "norm"
    view = View(
        layer - 1,
        None if head == "mean" else head - 1,
        None if token == "all" else token,
        attended_by,
        norms,
    )
    return _choose_colors(view, places["colors"]) if "colors" in wanted else view


def _choose_layer(model: ModelConfig, place) -> int:
    return _slide(
        place,
        "Layer",
        "layer",
        range(1, model.depth + 1),
        "The encoder block whose attention is shown. In the first block, a token represents little "
        "more than its own patch. No single block decides: the class is predicted from the sum of "
        "what all blocks added.",
    )


def _choose_head(model: ModelConfig, place) -> int | str:
    return _slide(
        place,
        "Head",
        "head",
        ("mean", *range(1, model.num_heads + 1)),
        "Each layer computes attention several times in parallel, once per head. Shows one head of "
        "the chosen layer, or the mean of all its heads.",
    )


def _choose_token(model: ModelConfig, place) -> int | str:
    reader = "CLS" if model.has_cls else "all patches (their mean)"
    return place.selectbox(
        "Token",
        token_choices(model),
        key="token",
        persist_state="session",
        format_func=lambda token: choice_name(token, model),
        help=f"The token whose attention is shown: {reader}, from which the class is predicted, or "
        "one patch. You can also click a patch in the picture.",
    )


def _choose_direction(place, token: int | str) -> bool:
    direction = place.selectbox(
        "Direction",
        tuple(DIRECTIONS),
        key="direction",
        persist_state="session",
        format_func=DIRECTIONS.get,
        disabled=token == "all",
        help="*Attends to*: what the token attends to, as the query (a row of the attention "
        "matrix). *Attended by*: what attends to the token, as the key (a column).",
    )
    return direction == "attended_by" and token != "all"


def _choose_quantity(place) -> str:
    return place.selectbox(
        "Show",
        tuple(QUANTITIES),
        key="quantity",
        persist_state="session",
        format_func=QUANTITIES.get,
        help="*Weight*: the attention weights alone. *Weight × norm*: each weight times the L2 "
        "norm of the vector that it multiplies (the value after the head's part of the output "
        "projection). A large weight on a short vector passes little on (Kobayashi et al. 2020).",
    )


def _choose_colors(view: View, place) -> View:
    with place.popover("Colors", icon=":material/palette:", width="stretch"):
        opacity = st.select_slider(
            "Opacity",
            range(0, 101, 5),
            key="opacity",
            persist_state="session",
            help="Opacity of the map over the picture, in percent.",
        )
        scale = st.radio(
            "Color scale",
            tuple(SCALES),
            key="scale",
            persist_state="session",
            format_func=SCALES.get,
            horizontal=True,
            help="*Per map*: from the map's own lowest to its own highest value (min-max), which "
            "shows patterns best. *Shared*: one scale for all layers and heads, so that values can "
            "be compared.",
        )
        interpolation = st.radio(
            "Draw as",
            tuple(INTERPOLATIONS),
            key="interpolation",
            persist_state="session",
            format_func=INTERPOLATIONS.get,
            horizontal=True,
            help="*Patches*: one value for each patch, as computed. *Smooth*: interpolated, which "
            "suggests more detail than there is.",
        )
    return replace(
        view,
        opacity=opacity / 100,
        shared_scale=scale == "shared",
        smooth=interpolation == "smooth",
    )


def _slide(place, label: str, key: str, options, help: str):
    """Draw a slider, or a disabled box where there is only one value."""
    if len(options) == 1:
        common = {"key": key, "persist_state": "session", "help": help}
        place.selectbox(label, options, disabled=True, **common)
        return options[0]
    return place.select_slider(label, options, key=key, persist_state="session", help=help)
