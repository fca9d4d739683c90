"""The Transformer it came from: section 1.3 of the annotation, with a small one that has learned to turn digits round."""

import streamlit as st

from vitdemo.ui.lessons.lesson import Lesson

lesson = Lesson(
    "pages/transformer.py",
    "The Vision Transformer is half of a machine that was built to translate. Here is the whole of it, small and at work.",
)
with st.spinner("Loading PyTorch, once after each start …"):
    from vitdemo.ui.lessons import transformer

shown = transformer.digits(lesson)
if shown:
    transformer.encoder(lesson, *shown)
    transformer.decoder(lesson, *shown)
    transformer.cross(lesson, *shown)
    transformer.why_no_decoder(lesson)
lesson.end()
