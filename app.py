"""The annotated Vision Transformer: `streamlit run app.py`."""

import streamlit as st

from vitdemo.ui.frame import run_page
from vitdemo.ui.lessons.order import ORDER

st.set_page_config(
    page_title="The annotated Vision Transformer",
    page_icon="vitdemo/ui/icon.svg",
    layout="wide",
)
page = st.navigation(
    {
        "": [
            st.Page(
                "pages/train.py", title="Train", icon=":material/model_training:", default=True
            ),
            st.Page("pages/attention.py", title="Attention", icon=":material/center_focus_strong:"),
        ],
        "The paper": [st.Page(place.script, title=place.title) for place in ORDER],
    },
    position="top",
)
run_page(page)
