"""Keep: the view as a picture and as a page, and every map as numbers."""

from dataclasses import asdict
from functools import partial

import streamlit as st

from ...explain.attention import attention_map, attention_maps, attention_matrix
from ...explain.export import maps_file
from ...explain.methods import METHODS
from ...figures.export import view_page, view_png
from ...model import Trace
from ...runs.run import Run
from ..chart import drawn
from ..picture_picker import Picture
from ..run_picker import run_name
from .attention_maps import View
from .attribution import Case, map_of
from .state import VIEWS


def show(run: Run, case: Case, picture: Picture, trace: Trace, chosen: str, view: View) -> None:
    """A button for each file that there is of the chosen view; it is made when it is asked for."""
    shape, name = run.model, f"attention-{run.id}"
    what = f"attention {'to' if view.given else 'of'} {view.asking(shape)}, {view.where}"
    title = f"{picture.name}: {what if chosen == 'see' else VIEWS[chosen]}"
    note = f"{run_name(run)}. It says {case.class_name}."
    charts = drawn()  # now: when a file is made, the session is out of reach

    def png() -> bytes:
        grid = attention_map(attention_matrix(trace, view.layer, view.head), view.token, view.given)
        return view_png(
            picture.pixels,
            grid,
            attention_maps(trace, view.token, view.given),
            view.strength,
            title,
            note,
        )

    def maps() -> bytes:
        about = {
            "run": run.id,
            "model": asdict(shape),
            "picture": picture.name,
            "classes": run.classes,
        }
        occluded = map_of(case, "occlusion", partial(METHODS["occlusion"], window=1))
        return maps_file(case.model, picture.pixels, case.images[0], case.class_, occluded, about)

    st.subheader("Keep it")
    row = st.container(horizontal=True)
    if chosen == "see":
        row.download_button("View, PNG", png, f"{name}.png", "image/png", on_click="ignore")
    row.download_button(
        "View, HTML",
        lambda: view_page(dict(charts.values()), title, note),
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
    st.caption(
        "The address in the browser's bar holds this view as well: whoever opens it sees the same."
    )
