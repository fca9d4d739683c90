"""Train a Vision Transformer on real photographs and watch every metric by epoch."""

import streamlit as st

from vitdemo.ui import address, settings, train_page
from vitdemo.ui.costs import show_costs, show_time
from vitdemo.ui.frame import frame
from vitdemo.ui.large import title
from vitdemo.ui.loading import load_torch

frame()
title("Train a Vision Transformer")
st.write(
    "Set its shape, press Train, and see on real photographs (CIFAR-10: 32 × 32 pixels, ten classes) how it learns: "
    "every metric, epoch by epoch. It follows the paper *Annotation of Vision Transformer*, called the annotation here."
)
address.check_names({"run", "preset", *settings.CONTROLS})
settings.start()
left, right = st.columns([1, 2], gap="medium")
with left:
    settings.draw_presets()
    settings.draw_front()
    model, training = settings.chosen()
    stoppable = train_page.buttons(model, training)
    show_costs(model)
    estimate = st.container()
    groups = st.container()
    fetch = st.container()
    example = st.container()
with right.container():
    train_page.why_at_chance(model, training)

with right:
    load_torch()  # what is drawn above does not need it
with groups:
    st.markdown("**More settings**")
    settings.draw_groups()
with right:
    from vitdemo.ui.live import show_run
    from vitdemo.ui.run_picker import ACTIVE, pick_run

    snapshot = pick_run("Run")
if snapshot and stoppable != (snapshot.run.state in ACTIVE):
    st.rerun()  # it ended since the buttons were drawn
with right.container():
    address.show_problems()
with right:
    if snapshot:
        show_run(snapshot)
address.write(settings.address_values() | ({"run": snapshot.run.id} if snapshot else {}))
with estimate:
    show_time(model, training)
with example:
    train_page.patch_picture(model)
with fetch:
    train_page.full_set()
if snapshot and snapshot.run.state not in ACTIVE:
    from vitdemo.ui.results import show_results

    with right:
        show_results(snapshot.run)
