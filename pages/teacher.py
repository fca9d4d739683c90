"""The teacher's page: what the class trains, and what the teacher can do about it."""

import streamlit as st

from vitdemo.ui import url_state
from vitdemo.ui.frame import frame
from vitdemo.ui.loading import heavy_imports
from vitdemo.ui.presentation import title

frame()
title("The class")
url_state.check_names({"run"})
url_state.show_problems()
st.write(
    "Everyone who uses this server, and what it trains for them. *All runs* lists all saved runs, "
    "which you can show, publish, rename and delete."
)
with heavy_imports():
    from vitdemo.ui.all_runs import all_runs_button
    from vitdemo.ui.teacher.collect import show_collect
    from vitdemo.ui.teacher.controls import show_controls
    from vitdemo.ui.teacher.overview import show_overview
show_controls()
show_overview()
st.header("Saved runs")
all_runs_button()
show_collect()
