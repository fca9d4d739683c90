"""Matrices on the lesson pages, drawn with their numbers or, if large, as colors."""

from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ...figures.numbers import numbers, shades
from ..chart import chart

DRAWN = {"numbers": numbers, "shades": shades}


def matrix_chart(kind: str, matrix: np.ndarray, key: str, alt: str, **style) -> None:
    """Show a matrix as `figures.numbers` draws it.

    Args:
        kind: "numbers" or "shades".
        matrix: (R, C).
        key: unique key of the chart on the page.
        alt: alternative text.
        style: further arguments of that function.
    """
    content = np.ascontiguousarray(matrix, dtype=np.float64).tobytes()
    chart(_figure(kind, content, matrix.shape, tuple(sorted(style.items()))), key=key, alt=alt)


@lru_cache(maxsize=256)
def _figure(kind: str, content: bytes, shape: tuple[int, int], style: tuple) -> go.Figure:
    """Return a figure that nobody may change, cached: a page has 16, and each takes Plotly 3 ms."""
    return DRAWN[kind](np.frombuffer(content).reshape(shape), **dict(style))


def draw_matrix(title: str, matrix: np.ndarray, cuts: int = 1) -> None:
    """Draw a matrix too large to read as colors, its columns cut into equal parts."""
    st.markdown(f"**{title}**")
    alt = f"{title}: numbers from {matrix.min():.1f} to {matrix.max():.1f}."
    matrix_chart("shades", matrix, f"matrix-{title}", alt, height=110, cuts=cuts)


def listed(values: np.ndarray) -> str:
    """Write numbers as a list: `0.50, -1.00`."""
    return ", ".join(f"{value:.2f}" for value in values)
