"""Matrices small enough to read every number, and lines over a changing size."""

import numpy as np
import plotly.graph_objects as go

from .style import MARK, NEUTRAL, SEQUENTIAL, SIGNED, TRAIN, VALIDATION, axis, blank

CELL = 40  # pixels a row


def numbers(
    matrix: np.ndarray,
    row: int | None = None,
    signed: bool = False,
    decimals: int = 2,
    most: float | None = None,
) -> go.Figure:
    """A matrix with its numbers in it (minus infinity as such, without color); one row may be framed.

    Args:
        matrix: (R, C).
        row: to be framed.
        signed: the colors part at 0; else they run from 0 to the largest.
        decimals: of the numbers.
        most: where the colors end; without, at the largest.
    """
    matrix = np.where(np.isneginf(matrix), np.nan, matrix)
    most = most or float(np.nanmax(np.abs(matrix))) or 1.0
    share = np.abs(matrix) / most
    dark_ink = share < 0.6 if signed else share > 0.6
    text = [
        [_ink(value, dark, decimals) for value, dark in zip(*both, strict=True)]
        for both in zip(matrix, dark_ink, strict=True)
    ]
    plain = {"showgrid": False, "fixedrange": True, "side": "top"}
    labels = [np.arange(1, count + 1) for count in matrix.shape]
    down = axis(showgrid=False, fixedrange=True, autorange="reversed", tickvals=labels[0])
    figure = blank(CELL * (len(matrix) + 1), top=24, x=axis(tickvals=labels[1], **plain), y=down)
    figure.add_heatmap(
        z=matrix,
        x0=1,
        y0=1,
        xgap=2,
        ygap=2,
        zmin=-most if signed else 0.0,
        zmax=most,
        colorscale=SIGNED if signed else SEQUENTIAL,
        showscale=False,
        text=text,
        texttemplate="%{text}",
        textfont={"size": 14},
        hovertemplate="row %{y}, column %{x}: %{z:.4f}<extra></extra>",
    )
    if row is not None:
        right = matrix.shape[1] + 0.5
        figure.add_shape(
            type="rect",
            x0=0.5,
            x1=right,
            y0=row + 0.5,
            y1=row + 1.5,
            line={"color": MARK, "width": 3},
        )
    return figure


def _ink(value: float, dark: bool, decimals: int) -> str:
    if np.isnan(value):
        return '<span style="color:gray">−∞</span>'
    return f'<span style="color:{"black" if dark else "white"}">{round(value, decimals) + 0.0:.{decimals}f}</span>'


def shades(matrix: np.ndarray, height: int, cuts: int = 1) -> go.Figure:
    """A matrix too large to read, as signed colors; lines between its columns cut it into so many equal parts."""
    most = float(np.abs(matrix).max()) or 1.0
    plain = {"showgrid": False, "fixedrange": True}
    down = axis(
        autorange="reversed", tickvals=[0, len(matrix) - 1], ticktext=[1, len(matrix)], **plain
    )
    across = axis(tickvals=[0, matrix.shape[1] - 1], ticktext=[1, matrix.shape[1]], **plain)
    hover = "row %{y}, column %{x}: %{z:.3f}<extra></extra>"
    figure = blank(height, top=8, x=across, y=down).add_heatmap(
        z=matrix, zmin=-most, zmax=most, colorscale=SIGNED, showscale=False, hovertemplate=hover
    )
    for part in range(1, cuts):
        figure.add_vline(part * matrix.shape[1] / cuts - 0.5, line={"color": NEUTRAL, "width": 4})
    return figure


def two_lines(
    x: tuple,
    lines: dict[str, np.ndarray],
    x_title: str,
    y_title: str,
    height: int,
    logarithmic: str = "",
    most: float | None = None,
) -> go.Figure:
    """Two lines by name; axes in `logarithmic` ("x" or "xy") are so; the upright one ends at `most`, to compare figures."""
    up = axis(y_title, rangemode="tozero") if most is None else axis(y_title, range=[0, most])
    if "y" in logarithmic:
        up = axis(y_title, type="log", dtick=1)
    ticks = {"tickvals": x, "ticktext": [f"{value:,}" for value in x]} if len(x) <= 12 else {}
    across = axis(x_title, type="log" if "x" in logarithmic else "linear", **ticks, showgrid=False)
    legend = {"orientation": "h", "y": 1.2, "x": 0}
    figure = blank(height, top=8, x=across, y=up, showlegend=True, legend=legend)
    for (name, values), style in zip(lines.items(), (TRAIN, VALIDATION), strict=False):
        figure.add_scatter(
            x=x,
            y=values,
            name=name,
            mode="lines+markers",
            line={"color": style["color"], "dash": style["dash"], "width": 2},
            marker={"symbol": style["symbol"]},
            hovertemplate=f"{name}, %{{x}}: %{{y:.3f}}<extra></extra>",
        )
    return figure
