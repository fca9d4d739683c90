"""Table 1 of the paper, row by row: the trained ViT beside the small original Transformer."""

import streamlit as st

from ...lessons.encoder_decoder import LENGTH
from ..chart import chart
from . import table_1_transformer, table_1_vit
from .lesson import Lesson

ROWS = {  # row of the table -> what to show for each of the two models
    "Input": (table_1_vit.patches, table_1_transformer.embedding_table),
    "Length": (table_1_vit.length, table_1_transformer.length),
    "Positions": (table_1_vit.positions, table_1_transformer.positions),
    "CLS": (table_1_vit.cls_token, table_1_transformer.cross_attention),
    "Inductive bias": (table_1_vit.inductive_bias, table_1_transformer.inductive_bias),
    "Data": (table_1_vit.data, table_1_transformer.data),
    "Scope": (table_1_vit.scope, table_1_transformer.scope),
}


def table_1(lesson: Lesson) -> None:
    """Show the chosen row of Table 1 for both models, each with a figure."""
    st.header("ViT and original Transformer, side by side")
    st.markdown(
        "The ViT is the trained one that ships with this app. The original Transformer is the "
        "small one from page 2, which reverses digits."
    )
    row = lesson.choose(
        "row",
        "Row of the paper's Table 1",
        tuple(ROWS),
        "Input",
        "The property to compare.",
    )
    of_vit, of_transformer = ROWS[row]
    left, right = st.columns(2)
    with left:
        st.subheader("Vision Transformer")
        figure, alt, text = of_vit(table_1_vit.example())
        chart(figure, key=f"row-{row}-vit", alt=alt)
        st.markdown(text)
    with right:
        st.subheader("Original Transformer")
        figure, alt, text = of_transformer(table_1_transformer.example())
        chart(figure, key=f"row-{row}-transformer", alt=alt)
        st.markdown(text)
    hidden = LENGTH * (LENGTH - 1) // 2
    lesson.predict(
        "scope",
        f"In a decoder with {LENGTH} tokens, no token attends to later ones. What fraction of all "
        "pairs of query and key tokens is left?",
        {"42%": 0.42, "58%": 0.58, "100%": 1.0},
        lambda: (LENGTH**2 - hidden) / LENGTH**2,
        "{:.0%}: the diagonal and half of the other pairs.",
    )
