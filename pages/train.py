"""Train a Vision Transformer on real photographs and watch every metric by epoch."""

import streamlit as st

from vitdemo.ui import url_state
from vitdemo.ui.frame import frame
from vitdemo.ui.loading import heavy_imports
from vitdemo.ui.presentation import title
from vitdemo.ui.train import actions, settings
from vitdemo.ui.train.estimates import show_costs, show_time

frame()
title("Train a Vision Transformer")
st.write(
    "Set its shape, press Train, and see on real photographs (CIFAR-10: 32 × 32 pixels, ten classes) how it learns: "
    "every metric, epoch by epoch. It follows the paper *Annotation of Vision Transformer*, called the annotation here."
)
url_state.check_names({"run", "preset", *settings.CONTROLS})
settings.start()
left, right = st.columns([1, 2], gap="medium")
with left:
    settings.draw_presets()
    settings.draw_front()
    model, training = settings.chosen()
    stoppable = actions.buttons(model, training)
    show_costs(model)
    estimate = st.container()
    groups = st.container()
    fetch = st.container()
    example = st.container()
with right.container():
    actions.why_at_chance(model, training)

with right, heavy_imports():  # what is drawn above does not need them
    from vitdemo.ui.run_picker import pick_run
    from vitdemo.ui.train.live import show_run
with groups:
    st.markdown("**More settings**")
    settings.draw_groups()
with right:
    snapshot = pick_run("Run")
if snapshot and stoppable != snapshot.run.active:
    st.rerun()  # it ended since the buttons were drawn
with right.container():
    url_state.show_problems()
with right:
    if snapshot:
        show_run(snapshot)
url_state.write(settings.address_values() | ({"run": snapshot.run.id} if snapshot else {}))
with estimate:
    show_time(model, training)
with example:
    actions.patch_picture(model)
with fetch:
    actions.full_set()
if snapshot and not snapshot.run.active:
    from vitdemo.ui.train.results import show_results

    with right:
        show_results(snapshot.run)
