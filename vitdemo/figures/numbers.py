"""Small matrices with their numbers, larger ones in colors, and one or two lines."""

import numpy as np
import plotly.graph_objects as go

from .style import MARK, NEUTRAL, SEQUENTIAL, SIGNED, TRAIN, VALIDATION, axis, blank

CELL = 40  # pixels per row


def numbers(
    matrix: np.ndarray,
    row: int | None = None,
    signed: bool = False,
    decimals: int = 2,
    most: float | None = None,
) -> go.Figure:
    """Draw a matrix with its numbers in it; minus infinity is shown without a color.

    Args:
        matrix: (R, C).
        row: index of the row to frame.
        signed: whether the color scale diverges from 0 in the middle; if not, it runs from 0 up.
        decimals: number of decimals.
        most: upper end of the color scale; without it, the largest absolute value.
    """
    matrix = np.where(np.isneginf(matrix), np.nan, matrix)
    most = most or float(np.nanmax(np.abs(matrix))) or 1.0
    strength = np.abs(matrix) / most
    dark_text = strength < 0.6 if signed else strength > 0.6
    text = [
        [_text(value, dark, decimals) for value, dark in zip(values, darks, strict=True)]
        for values, darks in zip(matrix, dark_text, strict=True)
    ]
    rows, columns = matrix.shape
    across = axis(tickvals=np.arange(1, columns + 1), showgrid=False, fixedrange=True, side="top")
    down = axis(
        tickvals=np.arange(1, rows + 1), showgrid=False, fixedrange=True, autorange="reversed"
    )
    box = {"x0": 0.5, "x1": columns + 0.5, "line": {"color": MARK, "width": 3}}
    frame = [] if row is None else [box | {"type": "rect", "y0": row + 0.5, "y1": row + 1.5}]
    figure = blank(CELL * (rows + 1), top=24, x=across, y=down, shapes=frame)
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
    return figure


def _text(value: float, dark: bool, decimals: int) -> str:
    """Write a number in a color that can be read on its cell."""
    if np.isnan(value):
        return '<span style="color:gray">−∞</span>'
    shown = round(value, decimals) + 0.0  # no "-0.00"
    return f'<span style="color:{"black" if dark else "white"}">{shown:.{decimals}f}</span>'


def shades(matrix: np.ndarray, height: int, cuts: int = 1) -> go.Figure:
    """Draw a matrix too large to read in diverging colors.

    Args:
        matrix: (R, C).
        height: height of the figure in pixels.
        cuts: number of equal parts that lines divide its columns into.
    """
    rows, columns = matrix.shape
    most = float(np.abs(matrix).max()) or 1.0
    plain = {"showgrid": False, "fixedrange": True}
    down = axis(autorange="reversed", tickvals=[0, rows - 1], ticktext=[1, rows], **plain)
    across = axis(tickvals=[0, columns - 1], ticktext=[1, columns], **plain)
    line = {"type": "line", "yref": "y domain", "y0": 0, "y1": 1}
    line |= {"line": {"color": NEUTRAL, "width": 4}}
    places = [part * columns / cuts - 0.5 for part in range(1, cuts)]
    lines = [line | {"x0": place, "x1": place} for place in places]
    figure = blank(height, top=8, x=across, y=down, shapes=lines)
    figure.add_heatmap(
        z=matrix,
        zmin=-most,
        zmax=most,
        colorscale=SIGNED,
        showscale=False,
        hovertemplate="row %{y}, column %{x}: %{z:.3f}<extra></extra>",
    )
    return figure


def two_lines(
    x: tuple,
    lines: dict[str, np.ndarray],
    x_title: str,
    y_title: str,
    height: int,
    log_axes: str = "",
    most: float | None = None,
) -> go.Figure:
    """Draw one or two lines by name.

    Args:
        x: positions of the points.
        lines: values at these positions, by name.
        x_title: title of the x axis, with its unit.
        y_title: title of the y axis, with its unit.
        height: height of the figure in pixels.
        log_axes: letters of the logarithmic axes: "", "x", "y" or "xy".
        most: upper end of the y axis, to compare figures; without it, the largest value.
    """
    if "y" in log_axes:
        up = axis(y_title, type="log", dtick=1)
    elif most is not None:
        up = axis(y_title, range=[0, most])
    else:
        up = axis(y_title, rangemode="tozero")
    across = axis(x_title, type="log" if "x" in log_axes else "linear", showgrid=False)
    if len(x) <= 12:
        across |= {"tickvals": x, "ticktext": [f"{value:,}" for value in x]}
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
