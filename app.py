"""The app: `streamlit run app.py`."""

import streamlit as st

from vitdemo.ui.frame import icon, run_page
from vitdemo.ui.lessons.order import ORDER
from vitdemo.ui.visitor import read_teachers_secret, visitor

st.set_page_config(
    page_title="The annotated Vision Transformer",
    page_icon=icon(),
    layout="wide",
)
train = st.Page("pages/train.py", title="Train", icon=":material/model_training:", default=True)
attention = st.Page("pages/attention.py", title="Attention", icon=":material/center_focus_strong:")
teacher = st.Page("pages/teacher.py", title="Class", icon=":material/school:")
lessons = [st.Page(place.script, title=place.title) for place in ORDER]
read_teachers_secret()
first = [train, attention, teacher] if visitor().is_teacher else [train, attention]
run_page(st.navigation({"": first, "The paper": lessons}, position="top"))
