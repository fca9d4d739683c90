"""See: every layer and head at a glance, one of them large over the picture, and the matrix behind it."""

from dataclasses import dataclass

import streamlit as st

from ...config import ModelConfig
from ...explain.attention import attention_map, attention_maps, attention_matrix, token_name
from ...figures.attention import matrix, overlay, picture_with_patch, thumbnail_cell, thumbnails
from ...model import Trace
from ..chart import Tokens, chart
from ..picture_picker import Picture
from ..wording import stem_note
from .state import DIRECTIONS, PIXELS, SCALES, asker_name, askers

THUMBNAILS_HEIGHT = 330


@dataclass(frozen=True)
class View:
    """Which attention is shown, and how it is drawn."""

    layer: int  # from 0
    head: int | None  # from 0; None is the mean of heads
    token: int | None  # None is the mean of all patches
    given: bool  # what the token gives, not what it takes
    strength: float  # of the colors over the picture, 0 to 1
    one_scale: bool  # for all layers and heads
    smooth: bool

    @property
    def where(self) -> str:
        """`layer 3, head 1`."""
        return f"layer {self.layer + 1}, {'mean of heads' if self.head is None else f'head {self.head + 1}'}"

    def patch(self, model: ModelConfig) -> int | None:
        """The asking patch, counted from 0; None where CLS or all patches ask."""
        return (
            None if self.token is None or self.token < model.has_cls else self.token - model.has_cls
        )

    def asking(self, model: ModelConfig) -> str:
        """`CLS`, `all patches`, or where the asking patch lies."""
        return asker_name("all" if self.token is None else self.token, model)


WIDTHS = {
    "layer": 6,
    "head": 6,
    "token": 8,
    "direction": 7,
    "colors": 7,
}  # of the controls, beside each other


def choose_view(model: ModelConfig, wanted: tuple[str, ...]) -> View:
    """The controls above the pictures: those of WIDTHS that are wanted. What has none keeps its value or its default."""
    room = sum(WIDTHS.values()) - sum(WIDTHS[name] for name in wanted)
    widths = [*map(WIDTHS.get, wanted), *[room] * bool(room)]
    place = dict(zip(wanted, st.columns(widths, vertical_alignment="bottom"), strict=False))
    with place["layer"]:
        layer = _slide(
            "Layer",
            "layer",
            range(1, model.depth + 1),
            "The encoder block whose attention is shown. Early ones see the patches nearly raw, the last one decides.",
        )
    head = st.session_state["head"]
    if "head" in wanted:
        with place["head"]:
            head = _slide(
                "Head",
                "head",
                ("mean", *range(1, model.num_heads + 1)),
                "One head of that layer, or the mean of all its heads.",
            )
    token = _choose_token(model, place["token"]) if "token" in wanted else askers(model)[0]
    given = "direction" in wanted and _choose_direction(place["direction"], token)
    strength, one_scale, smooth = 1.0, False, False
    if "colors" in wanted:
        with place["colors"].popover("Colors", icon=":material/palette:", width="stretch"):
            strength, one_scale, smooth = _colors()
    return View(
        layer - 1,
        None if head == "mean" else head - 1,
        None if token == "all" else token,
        given,
        strength,
        one_scale,
        smooth,
    )


def _choose_token(model: ModelConfig, place) -> int | str:
    reader = "CLS, from which" if model.has_cls else "all patches (their mean), from which"
    return place.selectbox(
        "Token",
        askers(model),
        key="token",
        persist_state="session",
        format_func=lambda asker: asker_name(asker, model),
        help=f"Whose attention it is about: {reader} the class is read, or one patch. A click on a picture chooses.",
    )


def _choose_direction(place, token: int | str) -> bool:
    direction = place.selectbox(
        "It",
        tuple(DIRECTIONS),
        key="direction",
        persist_state="session",
        format_func=DIRECTIONS.get,
        disabled=token == "all",
        help="*Takes from*: which patches the token looks at (its row of the matrix). *Gives to*: which patches look at "
        "the token (its column).",
    )
    return direction == "to" and token != "all"


def _colors() -> tuple[float, bool, bool]:
    strength = st.select_slider(
        "Strength",
        range(0, 101, 5),
        key="strength",
        persist_state="session",
        help="How much the colors cover the picture, in percent.",
    )
    scale = st.radio(
        "Scale",
        tuple(SCALES),
        key="scale",
        persist_state="session",
        format_func=SCALES.get,
        horizontal=True,
        help="*Its own*: the brightest patch of each map is yellow, so patterns show. *One for all*: the same color is the "
        "same attention in all layers and heads, so strengths compare.",
    )
    pixels = st.radio(
        "Between patches",
        tuple(PIXELS),
        key="pixels",
        persist_state="session",
        format_func=PIXELS.get,
        horizontal=True,
        help="*Patches*: as computed, one number a patch. *Smooth*: blended, easier on the eye but finer than the truth.",
    )
    return strength / 100, scale == "all", pixels == "smooth"


def _slide(label: str, key: str, options, explanation: str):
    if len(options) == 1:
        st.selectbox(
            label, options, key=key, persist_state="session", help=explanation, disabled=True
        )
        return options[0]
    return st.select_slider(label, options, key=key, persist_state="session", help=explanation)


def show(model: ModelConfig, picture: Picture, trace: Trace, view: View) -> None:
    """Every head, the chosen one over the picture, the picture to ask from, and the matrix."""
    grids = attention_maps(trace, view.token, view.given)
    attention = attention_matrix(trace, view.layer, view.head)
    scale = (0.0, float(grids.max())) if view.one_scale else None
    left, right = st.columns(2)
    with left:
        _every_head(grids, view, scale)
    with right:
        _map(model, picture, attention_map(attention, view.token, view.given), view, scale)
    left, right = st.columns(2)
    with left:
        _picture(model, picture, view)
    with right:
        _matrix(model, attention, view)
    with st.expander("How to read the matrix", icon=":material/help:"):
        _how_to_read(model, view.token)


def _every_head(grids, view: View, scale) -> None:
    depth, heads, side, _ = grids.shape
    cell = thumbnail_cell(side)

    def head_clicked(point: dict) -> None:
        layer, head = int(point["y"] // cell), int(point["x"] // cell)
        again = (layer, head) == (view.layer, view.head)
        st.session_state["layer"] = layer + 1
        st.session_state["head"] = "mean" if again else head + 1

    st.markdown("**Every layer, every head**")
    chart(
        thumbnails(grids, view.layer, view.head, scale, THUMBNAILS_HEIGHT),
        key="thumbnails",
        alt=f"Small maps of {depth} layers by {heads} heads; {view.where} is framed.",
        on_click=head_clicked,
    )
    st.caption(
        "Each small map lies over the whole picture: bright patches get most of that head's attention. Click one to see it "
        "large; click it again for the mean of the layer's heads, which all get a frame."
    )


def _tokens(model: ModelConfig) -> Tokens:
    return Tokens(model.has_cls, model.grid_size, model.patch_size)


def _patch_clicked(model: ModelConfig, view: View):
    side = model.grid_size

    def clicked(point: dict) -> None:
        token = (
            model.has_cls
            + int(point["y"] // model.patch_size) * side
            + int(point["x"] // model.patch_size)
        )
        st.session_state["token"] = askers(model)[0] if token == view.token else token

    return clicked


def _map(model: ModelConfig, picture: Picture, grid, view: View, scale) -> None:
    asking, patch = view.asking(model), view.patch(model)
    asking = asking if patch is None else f"the patch in {asking}"
    brightest = token_name(int(grid.argmax()), len(grid), cls=False)
    what = (
        f"Attention to {asking} from each patch"
        if view.given
        else f"Attention of {asking} over the patches"
    )
    st.markdown(f"**Attention {'to' if view.given else 'of'} {asking}**")
    chart(
        overlay(picture.pixels, grid, model.patch_size, patch, view.strength, scale, view.smooth),
        key="overlay",
        alt=f"{what}, {view.where}: from {grid.min():.3f} to {grid.max():.3f}, most {'' if view.given else 'on '}the "
        f"patch in {brightest}.",
        on_click=_patch_clicked(model, view),
        tokens=_tokens(model),
    )
    told = "look at it most" if view.given else "are taken from most"
    compared = (
        "One scale for all layers and heads, from 0 to the most of any."
        if view.one_scale
        else "The colors run from the least to the most of this one map (min-max), so compare patterns between layers, not "
        "brightness."
    )
    shares = f"All patches together get {grid.sum():.0%}, CLS {1 - grid.sum():.0%}."
    even = f"Spread evenly, each patch would get {1 / grid.size:.3f}."
    st.caption(
        f"Bright patches {told}. {compared} {'' if view.given else shares if model.has_cls else even}"
    )


def _picture(model: ModelConfig, picture: Picture, view: View) -> None:
    asking, default = view.asking(model), asker_name(askers(model)[0], model)
    is_ = f": {picture.shows}" if picture.shows else ""
    framed = "all patches ask." if view.token is None else f"the asking token, {asking}, is framed."
    st.markdown(f"**Picture**{is_}")
    chart(
        picture_with_patch(picture.pixels, model.patch_size, view.patch(model)),
        key="picture_chart",
        alt=f"{picture.name}{is_}; {framed}",
        on_click=_patch_clicked(model, view),
        tokens=_tokens(model),
    )
    st.caption(
        (
            "All patches ask: the mean is shown."
            if view.token is None
            else f"Framed: the asking token ({asking})."
        )
        + f" Click a patch to let it ask; click it again for {default}. Under the mouse, a patch lights up its row and column "
        f"in the matrix.{stem_note(model)}"
    )


def _matrix(model: ModelConfig, attention, view: View) -> None:
    def row_clicked(point: dict) -> None:
        st.session_state["token"] = int(point["y"])

    st.markdown("**Every token to every token**")
    chart(
        matrix(attention, view.token),
        key="matrix",
        alt=f"Attention matrix of {len(attention)} by {len(attention)} tokens, {view.where}; each row sums to 1.",
        on_click=row_clicked,
        tokens=Tokens(model.has_cls),
    )


def _how_to_read(model: ModelConfig, token: int | None) -> None:
    above = "the mean of all rows is" if token is None else "the row marked ◀ is"
    order = (
        "Row and column 0 are CLS, then come the patches"
        if model.has_cls
        else "They are the patches"
    )
    side = model.grid_size
    st.markdown(
        f"Each row is one asking token, each column one token that it takes from, so {above} the heatmap above as a line. "
        f"{order} row by row from the top left.\n\n"
        "- Each row sums to 1: it is a softmax.\n"
        "- A bright diagonal: tokens look at themselves.\n"
        f"- Stripes beside it, {side} apart: they look at the patches above and below.\n"
        "- Bright columns: everybody looks at the same patch.\n\n"
        "This is the very matrix that the model multiplied its values with. It shows where information was taken from in "
        "this one layer and head, not by itself why the model decided as it did. Click a row to let that token ask."
    )
