"""Train a Vision Transformer on real photos and watch every metric, epoch by epoch."""

import streamlit as st

from vitdemo.ui import url_state
from vitdemo.ui.frame import frame
from vitdemo.ui.loading import heavy_imports
from vitdemo.ui.presentation import title
from vitdemo.ui.train import actions, explanations, settings
from vitdemo.ui.train.estimates import show_costs, show_time

frame()
title("Train a Vision Transformer")
st.write(
    "Choose the settings of a small Vision Transformer (ViT), click Train, and watch it learn to "
    "classify photos (CIFAR-10: 32 × 32 pixels, ten classes)."
)
url_state.check_names({"run", "preset", *settings.CONTROLS})
settings.start()
model, training = settings.chosen()

left, right = st.columns([1, 2], gap="medium")
with left:
    settings.draw_presets()
    settings.draw_front()
    actions.train_button(model, training)
    show_costs(model)
    with heavy_imports(spinner_in=right):  # everything above is drawn before torch is loaded
        from vitdemo.ui.run_picker import pick_run
        from vitdemo.ui.train.live import show_run
        from vitdemo.ui.train.results import show_results
    show_time(model, training)
    settings.draw_groups()
    actions.full_data_set()
    explanations.patch_picture(model)
with right:
    explanations.chance_level(model, training)
    status = pick_run("Run")
    url_state.write(settings.url_values() | ({"run": status.run.id} if status else {}))
    url_state.show_problems()
    if status:
        show_run(status)
        show_results(status.run)
