"""The encoder block and the whole model: sections 1.3.1 and 1.4.1 of the annotation."""

import streamlit as st

from vitdemo.ui.lessons.lesson import Lesson

lesson = Lesson(
    "pages/block.py",
    "The code that runs, part by part, with the shape of every tensor that flows through it.",
)
with st.spinner("Loading PyTorch, once after each start …"):
    from vitdemo.ui.lessons import block

config = block.shapes(lesson)
if config:
    block.whole_model(lesson, config)
block.residual_stream(lesson)
block.layer_norm(lesson)
lesson.end()
