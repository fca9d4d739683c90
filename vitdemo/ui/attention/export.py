"""Download: the view as an image and as a page, and all maps as arrays."""

from dataclasses import asdict

import streamlit as st

from ...explain.export import maps_file
from ...explain.methods import Method
from ...figures.export import view_page, view_png
from ..chart import drawn
from ..run_name import run_name
from .attribution import known_map
from .case import Case, seen
from .state import TABS
from .view import View


def show(case: Case, tab: str, view: View) -> None:
    """Draw a button for each file of the tab; a file is made when it is asked for."""
    run, picture = case.run, case.picture
    model, name = run.model, f"attention-{run.id}"
    what = f"{view.title(model)}, {view.where}" if tab == "attention" else TABS[tab]
    title = f"{picture.name}: {what}"
    note = f"{run_name(run)}. Prediction: {case.class_name}."
    attention = seen(run, picture, view.norms)
    charts = drawn()  # now: when a file is made, the session is out of reach

    def png() -> bytes:
        grid, grids = view.grid(attention, model), view.grids(attention, model)
        return view_png(picture.pixels, grid, grids, view.opacity, view.unit, title, note)

    def maps() -> bytes:
        about = {"run": run.id, "model": asdict(model), "picture": picture.name}
        about["classes"] = run.classes
        occlusion = known_map(case, Method("occlusion", (("window", 1),)))
        image = case.images[0]
        return maps_file(case.model, picture.pixels, image, case.class_, occlusion, about)

    st.header("Download")
    row = st.container(horizontal=True)
    if tab == "attention":
        row.download_button("View (PNG)", png, f"{name}.png", "image/png", on_click="ignore")
    row.download_button(
        "View (HTML)",
        lambda: view_page(dict(charts.values()), title, note),
        f"{name}.html",
        "text/html",
        on_click="ignore",
        help="One file with all charts of this tab. It opens in any browser, offline.",
    )
    row.download_button(
        "Maps (NPZ)",
        maps,
        f"{name}.npz",
        on_click="ignore",
        help="NumPy arrays: attention of every layer and head, rollout, relevance and occlusion, "
        "with an about.json that describes them. For a large model, occlusion is included only "
        "after you compute it under Attribution.",
    )
    st.caption("To share this view, copy the URL.")
