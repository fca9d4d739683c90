"""Keep: the view as a picture and as a page, and every map as numbers."""

from dataclasses import asdict
from functools import partial

import numpy as np
import streamlit as st

from ...data import normalise
from ...explain.attention import all_grids, attention_grid, attention_matrix
from ...explain.maps import maps_file
from ...explain.methods import METHODS
from ...figures.attention import matrix, overlay, picture_with_patch, thumbnails
from ...figures.keep import view_page, view_png
from ...figures.predictions import top_classes
from ...model import Trace, VisionTransformer
from ...runs import Run
from ..picture_picker import Picture
from ..run_picker import run_name
from .follow import case_of, map_of
from .see import THUMBNAILS_HEIGHT, View


def show(
    run: Run, model: VisionTransformer, picture: Picture, trace: Trace, probabilities: np.ndarray, view: View
) -> None:
    """A button for each; the file is made when it is asked for."""
    shape, name = model.config, f"attention-{run.id}"
    best = int(probabilities.argmax())
    title = f"{picture.name}: attention {'to' if view.given else 'of'} {view.asking(shape)}, {view.where}"
    note = f"{run_name(run)}. It says {run.classes[best]}, {probabilities[best]:.0%}."
    grid = attention_grid(attention_matrix(trace, view.layer, view.head), view.token, view.given)
    grids = all_grids(trace, view.token, view.given)

    def page() -> str:
        patch = view.patch(shape)
        figures = {
            "Picture": picture_with_patch(picture.pixels, shape.patch_size, patch),
            "Attention over the picture": overlay(
                picture.pixels, grid, shape.patch_size, patch, view.strength, smooth=view.smooth
            ),
            "Every layer, every head": thumbnails(grids, view.layer, view.head, None, THUMBNAILS_HEIGHT),
            "Every token to every token": matrix(attention_matrix(trace, view.layer, view.head), view.token),
            "What the model says": top_classes(probabilities, run.classes, picture.label),
        }
        return view_page(figures, title, note)

    def maps() -> bytes:
        about = {"run": run.id, "model": asdict(shape), "picture": picture.name, "classes": run.classes}
        occluded = map_of(case_of(run, model, picture, best), "occlusion", partial(METHODS["occlusion"], window=1))
        return maps_file(model, picture.pixels, normalise(picture.image), best, occluded, about)

    st.subheader("Keep it")
    row = st.container(horizontal=True)
    row.download_button(
        "View, PNG",
        lambda: view_png(picture.pixels, grid, grids, view.strength, title, note),
        f"{name}.png",
        "image/png",
        on_click="ignore",
    )
    row.download_button(
        "View, HTML",
        page,
        f"{name}.html",
        "text/html",
        on_click="ignore",
        help="One file with all charts; it opens in any browser, without a network.",
    )
    row.download_button(
        "Maps, NPZ",
        maps,
        f"{name}.npz",
        on_click="ignore",
        help="Attention of every layer and head, rollout, relevance and occlusion (of a large model once Follow has worked it "
        "out) for NumPy, with about.json, which says what they are.",
    )
    st.caption("The address in the browser's bar holds this view as well: whoever opens it sees the same.")
