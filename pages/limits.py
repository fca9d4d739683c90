"""Limits: section 1.6 of the annotation, each of them measured."""

import streamlit as st

from vitdemo.ui.lessons.lesson import Lesson

lesson = Lesson(
    "pages/limits.py",
    "What a Vision Transformer costs, what it needs, and how it learns by heart: measured on this machine.",
)
with st.spinner("Loading PyTorch, once after each start …"):
    from vitdemo.ui.lessons import limits

limits.quadratic(lesson)
limits.data_hunger(lesson)
limits.learning_by_heart(lesson)
lesson.end()
