"""ViT and the original Transformer, and the parameters: sections 1.4.2 and 1.4.3 of the annotation."""

import streamlit as st

from vitdemo.ui.lessons.lesson import Lesson

lesson = Lesson(
    "pages/parameters.py",
    "What the ViT changed, what each setting costs, and which printed settings cannot work.",
)
with st.spinner("Loading PyTorch, once after each start …"):
    from vitdemo.ui.lessons import parameters, table_1

table_1.table_1(lesson)
parameters.calculator(lesson)
parameters.as_printed(lesson)
lesson.end()
