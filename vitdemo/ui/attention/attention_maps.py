"""Attention: all layers and heads at a glance, one map over the picture, and its matrix."""

from collections.abc import Callable

import numpy as np
import streamlit as st
from torch import Tensor

from ...config import ModelConfig
from ...figures.attention import matrix, overlay, picture_with_patch
from ...figures.color_bar import NO_PATCH, is_uniform, range_text
from ...figures.thumbnails import thumbnail_cell, thumbnails
from ...figures.tokens import patch_at, patch_name
from ..chart import Tokens, chart
from ..picture_picker import Picture
from ..wording import plain, stem_note
from .state import choice_name, token_choices
from .view import View, what_bright_means

THUMBNAILS_HEIGHT = 330
NORMS = (
    "Shown here: each weight times the L2 norm of the vector that it multiplies. Head $h$ adds to "
    "query token $i$ the sum over all key tokens $j$ of $\\alpha_{ij}\\, v_j W_O^h$: $v_j$ is the "
    "value of token $j$, $W_O^h$ the head's part of the output projection. A token with a large "
    "weight contributes little if its transformed value is short. Rows do not sum to 1; the mean "
    "of heads is the mean of these products. G. Kobayashi, T. Kuribayashi, S. Yokoi and K. Inui, "
    "*Attention is Not Only a Weight*, 2020."
)


def show(model: ModelConfig, picture: Picture, attention: list[Tensor], view: View) -> None:
    """Draw the maps of all heads, the chosen one over the picture, the picture, and the matrix."""
    grids, weights = view.grids(attention, model), view.matrix(attention)
    limits = view.limits(grids)
    left, right = st.columns(2)
    with left:
        _every_head(grids, view, limits)
    with right:
        _map(model, picture, view.grid(attention, model), view, limits)
        st.caption(_what_it_sums_to(model, weights, view))
    left, right = st.columns(2)
    with left:
        _picture(model, picture, view)
    with right:
        _matrix(model, weights, view)
    with st.expander("How to read the matrix", icon=":material/help:"):
        _how_to_read(model, view)


def _every_head(grids: np.ndarray, view: View, limits: tuple[float, float] | None) -> None:
    depth, heads, side, _ = grids.shape
    cell = thumbnail_cell(side)

    def head_clicked(point: dict) -> None:
        layer, head = int(point["y"] // cell), int(point["x"] // cell)
        again = (layer, head) == (view.layer, view.head)
        st.session_state.update(layer=layer + 1, head="mean" if again else head + 1)

    st.markdown("**All layers and heads**")
    chart(
        thumbnails(grids, THUMBNAILS_HEIGHT, (view.layer, view.head), limits),
        key="thumbnails",
        alt=f"Attention maps of {depth} layers by {heads} heads; {view.where} is framed.",
        on_click=head_clicked,
    )
    uniform = sum(is_uniform(grid) for layer in grids for grid in layer)
    st.caption(
        "Each thumbnail is the attention map of one head over the whole picture. Click one to "
        "enlarge it; click it again for the mean of all heads in its layer. The frame marks the "
        "head or layer that is enlarged."
        + (f" {uniform} of {depth * heads} maps are uniform up to rounding." if uniform else "")
    )


def _tokens(model: ModelConfig) -> Tokens:
    return Tokens(model.has_cls, model.grid_size, model.patch_size)


def _patch_clicked(model: ModelConfig, view: View) -> Callable[[dict], None]:
    """Return what a click on a picture does: choose the patch, or the default token again."""

    def clicked(point: dict) -> None:
        patch = patch_at(point["x"], point["y"], model.patch_size, model.grid_size)
        token = patch + 1 if model.has_cls else patch
        st.session_state["token"] = token_choices(model)[0] if token == view.token else token

    return clicked


def _map(
    model: ModelConfig,
    picture: Picture,
    grid: np.ndarray,
    view: View,
    limits: tuple[float, float] | None,
) -> None:
    title, ends = view.title(model), range_text(grid)
    if not is_uniform(grid):
        ends += f", highest for the patch in {patch_name(int(grid.argmax()), len(grid))}"
    st.markdown(f"**{title}**")
    chart(
        overlay(picture.pixels, grid, model.patch_size, view.style(limits), view.patch(model)),
        key="overlay",
        alt=f"{title} over the patches, {view.where}: {ends}.",
        on_click=_patch_clicked(model, view),
        tokens=_tokens(model),
    )
    st.caption(_how_to_read_map(grid, view))


def _how_to_read_map(grid: np.ndarray, view: View) -> str:
    if is_uniform(grid):
        return f"{NO_PATCH}: up to rounding errors, all patches are the same."
    if view.shared_scale:
        scale = "All layers and heads share one color scale, which starts at 0."
    else:
        scale = (
            "The color scale runs from this map's lowest to its highest value (min-max): compare "
            "patterns between maps, not brightness."
        )
    return f"{what_bright_means(view)} {scale}"


def _what_it_sums_to(model: ModelConfig, weights: np.ndarray, view: View) -> str:
    """Compare what comes from the patches with what comes from CLS, or with equal shares."""
    if view.attended_by:
        return ""
    row = weights.mean(axis=0) if view.token is None else weights[view.token]
    what = "the sum of weight × norm" if view.norms else "the attention"
    if model.has_cls:
        cls = row[0] / row.sum() if row.any() else 0.0
        return f"The patches receive {1 - cls:.0%} of {what}, CLS {cls:.0%}."
    return f"Equal shares of {what} would give each patch {row.sum() / row.size:.3g}."


def _picture(model: ModelConfig, picture: Picture, view: View) -> None:
    default = choice_name(token_choices(model)[0], model)
    shows = f": {picture.shows}" if picture.shows else ""
    if view.token is None:
        framed = "Token: all patches (their mean)."
    elif view.patch(model) is None:
        framed = "Token: CLS (frame around the whole picture)."
    else:
        framed = f"Token: the framed patch ({view.token_name(model)})."
    st.markdown(f"**Picture**{plain(shows)}")
    chart(
        picture_with_patch(picture.pixels, model.patch_size, view.patch(model)),
        key="picture_chart",
        alt=f"{picture.name}{shows}. {framed}",
        on_click=_patch_clicked(model, view),
        tokens=_tokens(model),
    )
    st.caption(
        f"{framed} Click a patch to choose it; click it again for {default}. Hover over a patch to "
        f"highlight its row and column in the matrix.{stem_note(model)}"
    )


def _matrix(model: ModelConfig, attention: np.ndarray, view: View) -> None:
    def row_clicked(point: dict) -> None:
        st.session_state["token"] = int(point["y"])

    sums = "" if view.norms else "; each row sums to 1"
    title = "Attention matrix × value norms" if view.norms else "Attention matrix"
    st.markdown(f"**{title}**")
    chart(
        matrix(attention, view.token, model.has_cls, view.unit),
        key="matrix",
        alt=f"{title} of {len(attention)} by {len(attention)} tokens, {view.where}{sums}.",
        on_click=row_clicked,
        tokens=Tokens(model.has_cls),
    )
    st.caption(
        "Row: query token (attends). Column: key token (is attended to). Click a row to choose "
        "its token."
    )


def _how_to_read(model: ModelConfig, view: View) -> None:
    if view.token is None:
        shown = "the mean of all rows"
    elif view.attended_by:
        shown = f"column {view.token}"
    else:
        shown = "the row marked ◀"
    order = "Token 0 is CLS; the others" if model.has_cls else "The tokens"
    lines = [
        "Each row is one query token, each column one key token. A row holds the attention weights "
        f"of its query; {shown} is the attention map above, flattened. {order} are the patches, "
        "row by row from the top left.\n",
        "- Each row sums to 1: it is the result of a softmax.",
        "- A bright diagonal: tokens attend to themselves.",
        f"- Stripes parallel to it, {model.grid_size} apart: tokens attend to the patches above "
        "and below.",
        "- Bright columns: all tokens attend to the same patch.\n",
        "In each head, the model multiplies this matrix by the values (V). It shows where "
        "information came from in one layer, but not, by itself, why the model made its "
        "prediction.",
    ]
    st.markdown("\n".join(lines))
    if view.norms:
        st.latex(r"\alpha_{ij}\, \lVert v_j W_O^h \rVert")
        st.markdown(NORMS)
