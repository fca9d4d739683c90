"""The ends of a color scale in numbers, and what is said where there is no scale to draw."""

import numpy as np
import plotly.graph_objects as go

NO_PATCH = "No patch stands out"
NO_HEAD = "No head stands out"
DIGITS = 3  # significant ones, or more where the ends of a scale would read the same
MOST_DIGITS = 9  # that tell any two numbers in 32 bits apart


def is_uniform(values: np.ndarray) -> bool:
    """Return whether all numbers are the same."""
    return float(np.ptp(values)) == 0


def end_labels(low: float, high: float) -> tuple[str, str]:
    """Write two numbers with as many significant digits as tell them apart, three at least."""
    for digits in range(DIGITS, MOST_DIGITS + 1):
        labels = f"{low + 0.0:.{digits}g}", f"{high + 0.0:.{digits}g}"  # + 0.0: no "-0"
        if labels[0] != labels[1]:
            break
    return labels if low != high else (f"{low + 0.0:.{DIGITS}g}",) * 2


def range_text(values: np.ndarray, uniform: str = NO_PATCH) -> str:
    """Return `from 0.0125 to 0.0312`, or for equal numbers the sentence and their value."""
    low, high = end_labels(float(values.min()), float(values.max()))
    return f"{uniform} ({low})" if is_uniform(values) else f"from {low} to {high}"


def color_bar(low: float, high: float, unit: str) -> dict:
    """Return a color bar whose ends can be told apart.

    Args:
        low: number at the lower end of the scale.
        high: number at the upper end; the same as `low` where all numbers are equal.
        unit: what the numbers are.
    """
    values = [low] if low == high else [low, high]
    return {
        "tickvals": values,
        "ticktext": end_labels(low, high)[: len(values)],
        "thickness": 10,
        "len": 0.9,
        "title": {"text": unit, "side": "right"},
    }


def sentence(text: str) -> dict:
    """Return an annotation over the middle of a figure, readable on any color."""
    return {
        "text": text,
        "showarrow": False,
        "font": {"color": "white"},
        "bgcolor": "rgba(0,0,0,0.7)",
        "borderpad": 4,
        "x": 0.5,
        "y": 0.5,
        "xref": "x domain",
        "yref": "y domain",
    }


def say(figure: go.Figure, text: str) -> None:
    """Write a sentence over the middle of a figure."""
    figure.add_annotation(sentence(text))
