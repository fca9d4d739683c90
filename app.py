"""The app: `streamlit run app.py`."""

import streamlit as st

from vitdemo.ui.frame import run_page
from vitdemo.ui.lessons.order import ORDER

st.set_page_config(
    page_title="The annotated Vision Transformer",
    page_icon="vitdemo/ui/icon.svg",
    layout="wide",
)
train = st.Page("pages/train.py", title="Train", icon=":material/model_training:", default=True)
attention = st.Page("pages/attention.py", title="Attention", icon=":material/center_focus_strong:")
lessons = [st.Page(place.script, title=place.title) for place in ORDER]
run_page(st.navigation({"": [train, attention], "The paper": lessons}, position="top"))
