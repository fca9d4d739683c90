"""Matrices with their numbers, matrices in colors, and lines."""

import re

import numpy as np
import pytest

from vitdemo.figures.numbers import numbers, shades, two_lines

from .read_figure import frame_of

RNG = np.random.default_rng(0)


def texts_of(heatmap):
    return [[re.sub("<.*?>", "", text) for text in row] for row in heatmap.text]


def colors_of(heatmap):
    return [[re.search("color:([a-z]+)", text)[1] for text in row] for row in heatmap.text]


def test_numbers_writes_each_number_on_its_cell():
    heat = numbers(np.array([[0.126, 1.0, 0.5], [0.0, -0.001, 0.25]])).data[0]
    assert texts_of(heat) == [["0.13", "1.00", "0.50"], ["0.00", "0.00", "0.25"]]
    assert (heat.zmin, heat.zmax, heat.x0, heat.y0) == (0, 1, 1, 1)
    assert texts_of(numbers(np.array([[7.0, 3.0]]), decimals=0).data[0]) == [["7", "3"]]


def test_numbers_are_dark_on_bright_cells_and_light_on_dark_cells():
    matrix = np.array([[0.0, 0.59, 0.61, 1.0]])
    assert colors_of(numbers(matrix).data[0]) == [["white", "white", "black", "black"]]
    matrix = np.array([[-1.0, -0.59, 0.0, 0.59, 1.0]])  # signed: bright in the middle
    shown = colors_of(numbers(matrix, signed=True).data[0])
    assert shown == [["white", "black", "black", "black", "white"]]


def test_numbers_shows_minus_infinity_without_a_color():
    heat = numbers(np.array([[0.5, -np.inf]])).data[0]
    assert texts_of(heat) == [["0.50", "−∞"]]
    assert heat.z[0][0] == 0.5
    assert np.isnan(heat.z[0][1])
    assert heat.zmax == 0.5


@pytest.mark.parametrize(("signed", "low"), [(False, 0), (True, -2)])
def test_color_scale_of_numbers_ends_at_the_largest_or_where_told(signed, low):
    matrix = np.array([[1.0, -2.0]])
    heat = numbers(matrix, signed=signed).data[0]
    assert (heat.zmin, heat.zmax) == (low, 2)
    heat = numbers(matrix, signed=signed, most=5.0).data[0]
    assert (heat.zmin, heat.zmax) == (low / 2 * 5, 5)


def test_numbers_of_zeros_has_a_color_scale():
    heat = numbers(np.zeros((2, 2))).data[0]
    assert (heat.zmin, heat.zmax) == (0, 1)


def test_numbers_frames_the_chosen_row():
    assert frame_of(numbers(RNG.random((3, 4)), row=1)) == [0.5, 1.5, 4.5, 2.5]
    assert numbers(RNG.random((3, 4))).layout.shapes == ()


def test_shades_are_symmetric_about_0():
    matrix = np.array([[0.1, -0.4, 0.2], [0.0, 0.3, 0.1]])
    figure = shades(matrix, 200)
    heat = figure.data[0]
    np.testing.assert_array_equal(np.array(heat.z), matrix)
    assert (heat.zmin, heat.zmax) == (-0.4, 0.4)
    assert (figure.layout.xaxis.tickvals, figure.layout.xaxis.ticktext) == ((0, 2), (1, 3))
    assert (figure.layout.yaxis.tickvals, figure.layout.yaxis.ticktext) == ((0, 1), (1, 2))
    assert figure.layout.shapes == ()


def test_shades_divide_the_columns_into_equal_parts():
    figure = shades(RNG.random((2, 12)), 200, cuts=3)
    assert [shape.x0 for shape in figure.layout.shapes] == [3.5, 7.5]


def test_two_lines_hold_their_values_and_differ_without_color():
    first, second = np.array([1.0, 2.0]), np.array([3.0, 1.0])
    figure = two_lines((1, 2000), {"a": first, "b": second}, "d_k", "nats", 200)
    a, b = figure.data
    assert (a.name, list(a.x), list(a.y)) == ("a", [1, 2000], [1, 2])
    assert (b.name, list(b.x), list(b.y)) == ("b", [1, 2000], [3, 1])
    assert a.line.color != b.line.color
    assert a.line.dash != b.line.dash
    assert a.marker.symbol != b.marker.symbol
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("d_k", "nats")
    assert figure.layout.xaxis.ticktext == ("1", "2,000")


@pytest.mark.parametrize("log_axes", ["", "x", "y", "xy"])
def test_two_lines_has_logarithmic_axes_where_told(log_axes):
    layout = two_lines((1, 2), {"a": np.ones(2)}, "x", "y", 200, log_axes).layout
    assert layout.xaxis.type == ("log" if "x" in log_axes else "linear")
    assert (layout.yaxis.type == "log") == ("y" in log_axes)


def test_upper_end_of_the_y_axis_of_two_lines():
    lines = {"a": np.ones(2)}
    assert two_lines((1, 2), lines, "x", "y", 200, most=3.0).layout.yaxis.range == (0, 3)
    axis = two_lines((1, 2), lines, "x", "y", 200).layout.yaxis
    assert (axis.range, axis.rangemode) == (None, "tozero")


def test_two_lines_leaves_the_ticks_to_plotly_if_there_are_many():
    x = tuple(range(20))
    assert two_lines(x, {"a": np.ones(20)}, "x", "y", 200).layout.xaxis.tickvals is None
