"""Numbers at the ends of a color scale, and the sentences where there is no scale."""

import numpy as np
import pytest

from vitdemo.figures.color_bar import NO_HEAD, color_bar, end_labels, range_text


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.0, 2.5, ("0", "2.5")),
        (-0.0, 1.0, ("0", "1")),
        (0.0153846, 0.0153901, ("0.01538", "0.01539")),
        (-1.2e-7, 3e-8, ("-1.2e-07", "3e-08")),
        (0.333333343, 0.333333373, ("0.3333333", "0.3333334")),
        (0.25, 0.25, ("0.25", "0.25")),
    ],
)
def test_the_ends_can_be_told_apart(low, high, labels):
    assert end_labels(low, high) == labels


def test_any_two_numbers_in_32_bits_read_differently():
    generator = np.random.default_rng(0)
    for low in generator.normal(size=200).astype(np.float32):
        high = np.nextafter(low, np.float32(np.inf))
        first, second = end_labels(float(low), float(high))
        assert first != second


def test_a_color_bar_has_one_mark_where_there_is_one_value():
    assert color_bar(0.5, 0.5, "attention")["ticktext"] == ("0.5",)
    bar = color_bar(0.1, 0.5, "attention")
    assert (bar["tickvals"], bar["ticktext"]) == ([0.1, 0.5], ("0.1", "0.5"))


def test_range_text_names_both_ends_or_says_that_nothing_stands_out():
    assert range_text(np.array([0.5, 0.25])) == "from 0.25 to 0.5"
    assert range_text(np.array([0.25, 0.25])) == "No patch stands out (0.25)"
    assert range_text(np.zeros(2), NO_HEAD) == "No head stands out (0)"
