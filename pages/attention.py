"""See what a trained Vision Transformer attends to, for any layer, head and token."""

import streamlit as st

from vitdemo.ui import url_state
from vitdemo.ui.frame import frame
from vitdemo.ui.loading import heavy_imports
from vitdemo.ui.presentation import title

frame()
title("What does the model attend to?")
st.write(
    "The model splits a picture into patches, and each patch becomes a token. In each layer, every "
    "token takes in information from all tokens; the attention weights say how much from each. "
    "Choose a picture, a layer and a head. The first view is that of Figure 3 in *Annotation of "
    "Vision Transformer*: last layer, mean of all heads, attention of the CLS token, from which "
    "the class is predicted (without CLS: the mean over all patches)."
)
with heavy_imports():
    from vitdemo.ui.attention import export, state, tabs
    from vitdemo.ui.attention.case import predict_picture
    from vitdemo.ui.attention.model_choice import choose_model
    from vitdemo.ui.attention.prediction import send_predictions, show_prediction
    from vitdemo.ui.chart import forget_drawn
    from vitdemo.ui.picture_picker import choose_picture, choose_validation_image

left, right = st.columns([3, 7], gap="large")
with left:
    run = choose_model(tabs_place=right)
    state.start(run)
    chooser = st.container()
    with chooser:
        picture = choose_picture(run)
    forget_drawn()
    probabilities, _ = predict_picture(run, picture)
    show_prediction(probabilities, run, picture)
    with chooser:
        numbers = choose_validation_image(run)
with right:
    problems = st.container()
    shown = tabs.Shown(run, picture, probabilities)
    tab, view = tabs.show(shown)
    export.show(shown.prediction, tab, view)
    url_state.check_names(state.names(run))
    url_state.write(state.url_values(run))
    with problems:
        url_state.show_problems()
with left:  # last, as only the next picture needs it
    send_predictions(run, numbers)
