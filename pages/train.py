"""Train a Vision Transformer on real photos and watch every metric, epoch by epoch."""

import streamlit as st

from vitdemo.ui import url_state
from vitdemo.ui.frame import frame
from vitdemo.ui.loading import heavy_imports
from vitdemo.ui.presentation import title
from vitdemo.ui.train import explanations, settings, settings_column

frame()
title("Train a Vision Transformer")
st.write(
    "Choose the settings of a small Vision Transformer (ViT), click Train, and watch it learn to "
    "classify photos (CIFAR-10: 32 × 32 pixels, ten classes)."
)
url_state.check_names({"run", "preset", *settings.CONTROLS})
settings.start()

left, right = st.columns([1, 2], gap="medium")
with left:
    settings_column.draw()
with heavy_imports(spinner_in=right):  # everything above is drawn before torch is loaded
    from vitdemo.ui.run_picker import pick_run
    from vitdemo.ui.train.live import show_run
    from vitdemo.ui.train.results import show_results
with right:
    explanations.chance_level()
    status = pick_run("Run")
    settings.write_url(status.run.id if status else "")
    url_state.show_problems()
    if status:
        show_run(status)
        show_results(status.run)
settings_column.rest_is_drawn()
