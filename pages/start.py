"""Start: what a Vision Transformer is, in one live picture."""

import streamlit as st

from vitdemo.ui.lessons.lesson import Lesson

lesson = Lesson(
    "pages/start.py",
    "A Vision Transformer names what a photograph shows. Here is one at work, step by step. These eight "
    "pages follow the "
    "paper *Annotation of Vision Transformer*, here called the annotation or the paper; its printed code is the listing.",
)
with st.spinner("Loading PyTorch, once after each start …"):
    from vitdemo.ui.lessons import start

start.live_picture(lesson)
lesson.end()
