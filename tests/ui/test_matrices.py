"""Matrices of the lesson pages: figures are built once for each content and style."""

import numpy as np

from vitdemo.figures.numbers import numbers, shades
from vitdemo.ui.lessons import matrices

MATRIX = np.array([[1.0, -0.5, 0.0], [2.0, 0.25, -3.0]])


def shown(monkeypatch, *arguments, **style):
    """Return the figure that `matrix_chart` shows."""
    charts = []
    monkeypatch.setattr(matrices, "chart", lambda figure, key, alt: charts.append(figure))
    matrices.matrix_chart(*arguments, "key", "alt", **style)
    return charts[0]


def test_matrix_is_drawn_as_told_whatever_was_drawn_before(monkeypatch):
    for matrix in (MATRIX, MATRIX.T, MATRIX.astype(np.float32), MATRIX[:, ::2]):
        for style in ({}, {"row": 1}, {"signed": True, "decimals": 1}, {"most": 4.0}):
            found = shown(monkeypatch, "numbers", matrix, **style)
            assert found.to_json() == numbers(matrix.astype(float), **style).to_json()
        found = shown(monkeypatch, "shades", matrix, height=90, cuts=2)
        assert found.to_json() == shades(matrix.astype(float), 90, 2).to_json()


def test_figure_is_built_once(monkeypatch):
    first = shown(monkeypatch, "numbers", MATRIX, row=0)
    assert shown(monkeypatch, "numbers", MATRIX.copy(), row=0) is first
    assert shown(monkeypatch, "numbers", MATRIX, row=1) is not first
