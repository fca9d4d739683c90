"""Attention by hand: section 1.3.3 of the annotation, every number of it."""

import streamlit as st

from vitdemo.ui.lessons.lesson import Lesson

lesson = Lesson(
    "pages/by_hand.py",
    "Attention lets each token gather from all tokens, itself included. Here it is worked out number by number.",
)
with st.spinner("Loading PyTorch, once after each start …"):
    from vitdemo.ui.lessons import by_hand

by_hand.small_enough_to_read(lesson)
by_hand.papers_shapes(lesson)
by_hand.without_scaling(lesson)
by_hand.heads(lesson)
by_hand.two_divisors(lesson)
lesson.end()
