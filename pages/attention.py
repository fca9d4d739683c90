"""See where a trained Vision Transformer looks, for any layer, head and token."""

import streamlit as st

from vitdemo.ui import url_state
from vitdemo.ui.frame import frame
from vitdemo.ui.loading import heavy_imports
from vitdemo.ui.presentation import title

frame()
title("Where does it look?")
st.write(
    "In each layer every token gathers information from all others; attention says from which, and how much. Choose a "
    "picture, a layer and a head, and see it. At first: last layer, mean of heads, CLS to patches, as in Figure 3 of "
    "*Annotation of Vision Transformer* (in a model without CLS, all patches to patches)."
)
with heavy_imports():
    from vitdemo.config import ConfigError
    from vitdemo.ui.attention import (
        ablation,
        attention_maps,
        attribution,
        export,
        faithfulness,
        heads,
        missing_weights,
        side_by_side,
        snapshots,
        state,
    )
    from vitdemo.ui.attention.prediction import show_answer
    from vitdemo.ui.cached import model_of
    from vitdemo.ui.chart import forget_drawn
    from vitdemo.ui.picture_picker import ask, choose_picture
    from vitdemo.ui.run_picker import pick_run

left, right = st.columns([3, 7], gap="large")
with left:
    snapshot = pick_run("Model", to_ask=True)
if snapshot is None:
    st.info("No model is saved yet: train one first.")
    st.page_link("pages/train.py", label="Go to Train", icon=":material/model_training:")
    st.stop()
run = snapshot.run
url_state.check_names(state.names(run))
if run.origin == "imagenet" and not run.has_weights:
    with right:
        missing_weights.offer_weights(run)
    url_state.write({"run": run.id})
    st.stop()
try:
    model = model_of(run)
except ConfigError as error:
    st.error(str(error))
    st.stop()
state.start(run)
with left:
    picture = choose_picture(run)
    forget_drawn()
    probabilities, trace = ask(model, run.version, picture)
    show_answer(probabilities, run.classes, picture)
with right:
    problems = st.container()
    chosen = state.choose()
    view = attention_maps.choose_view(run.model, state.CONTROLS[chosen])
    if chosen == "see":
        attention_maps.show(run.model, picture, trace, view)
        side_by_side.show(run, model, picture, view)
    if chosen in ("follow", "judge"):
        class_, asked = attribution.choose(probabilities, run.classes, view)
        case = attribution.case_of(run, model, picture, class_)
    if chosen == "follow":
        attribution.show(case, picture, view, asked)
    if chosen == "judge":
        faithfulness.show(run, case, asked)
    if chosen == "intervene":
        ablation.show(run, model, picture, probabilities, view)
    if chosen == "growth":
        snapshots.show(run, picture, view)
    if chosen == "heads":
        heads.show(run, model, view)
    answer = attribution.case_of(run, model, picture, int(probabilities.argmax()))
    export.show(run, answer, picture, trace, chosen, view)
with problems:
    url_state.show_problems()
url_state.write(state.address_values(run))
