"""From image to tokens: section 1.4.1 of the annotation, on a real picture and a trained model."""

import streamlit as st

from vitdemo.ui.lessons.lesson import Lesson

lesson = Lesson(
    "pages/image_to_tokens.py",
    "A Transformer takes a sequence of vectors. Here a picture becomes one: cut into patches, each projected to a token, each "
    "told where it lies.",
)
with st.spinner("Loading PyTorch, once after each start …"):
    from vitdemo.ui.lessons import image_to_tokens

image = image_to_tokens.cut(lesson)
image_to_tokens.project(lesson, image)
image_to_tokens.cls_token(lesson, image)
image_to_tokens.positions(lesson, image)
lesson.end()
