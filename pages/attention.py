"""See where a trained Vision Transformer looks, for any layer, head and token."""

import streamlit as st

from vitdemo.ui import address
from vitdemo.ui.frame import frame
from vitdemo.ui.large import title

frame()
title("Where does it look?")
st.write(
    "In each layer every token gathers information from all others; attention says from which, and how much. Choose a "
    "picture, a layer and a head, and see it. At first: last layer, mean of heads, CLS to patches, as in Figure 3 of "
    "*Annotation of Vision Transformer* (in a model without CLS, all patches to patches)."
)
with st.spinner("Loading PyTorch, once after each start …"):
    from vitdemo.config import ConfigError
    from vitdemo.ui.attention import beside, follow, growth, heads, intervene, judge, keep, pretrained, see, state
    from vitdemo.ui.attention.answer import show_answer
    from vitdemo.ui.chart import forget_drawn
    from vitdemo.ui.picture_picker import ask, choose_picture
    from vitdemo.ui.run_picker import model_of, pick_run

left, right = st.columns([3, 7], gap="large")
with left:
    snapshot = pick_run("Model", to_ask=True)
if snapshot is None:
    st.info("No model is saved yet: train one first.")
    st.page_link("pages/train.py", label="Go to Train", icon=":material/model_training:")
    st.stop()
run = snapshot.run
address.check_names(state.names(run))
if run.pretrained and not run.weights.is_file():
    with right:
        pretrained.offer_weights(run)
    address.write({"run": run.id})
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
    view = see.choose_view(run.model, state.CONTROLS[chosen])
    if chosen == "see":
        see.show(run.model, picture, trace, view)
        beside.show(run, model, picture, view)
    if chosen in ("follow", "judge"):
        class_, asked = follow.choose(probabilities, run.classes, view)
        case = follow.case_of(run, model, picture, class_)
    if chosen == "follow":
        follow.show(case, picture, view, asked)
    if chosen == "judge":
        judge.show(run, case, asked)
    if chosen == "intervene":
        intervene.show(run, model, picture, probabilities, view)
    if chosen == "growth":
        growth.show(run, picture, view)
    if chosen == "heads":
        heads.show(run, model, view)
    answer = follow.case_of(run, model, picture, int(probabilities.argmax()))
    keep.show(run, answer, picture, trace, chosen, view)
with problems:
    address.show_problems()
address.write(state.address_values(run))
