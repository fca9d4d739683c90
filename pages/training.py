"""Training and evaluation: section 1.5 of the annotation."""

import streamlit as st

from vitdemo.ui.lessons.lesson import Lesson

lesson = Lesson(
    "pages/training.py",
    "How a model learns, how one measures it, and what the paper's results can and cannot be.",
)
with st.spinner("Loading PyTorch, once after each start …"):
    from vitdemo.ui.lessons import training

training.loop(lesson)
training.metrics(lesson)
training.comparisons(lesson)
training.papers_results(lesson)
lesson.end()
