"""Plotly charts that stay the same nodes over all updates, keep zoom and hover, and report clicks.

`st.plotly_chart` throws its node away whenever its figure changes; a training changes it once an epoch.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import plotly
import plotly.graph_objects as go
import streamlit as st

from ..figures.style import MARK
from .presentation import scale

# Registered for its files only: the browser fetches plotly.min.js, out of the plotly package, once and keeps it.
_FILES = st.components.v1.declare_component(
    "plotly_files", path=str(Path(plotly.__file__).parent / "package_data")
)
DRAWN = "drawn"  # in the session: key -> alternative text and figure
_SCRIPT = f"component/{_FILES.name}/plotly.min.js"
_charts = st.components.v2.component(
    "plotly_charts",
    html='<div class="charts"></div>',
    css="""
        .charts { display: grid; grid-template-columns: 100%; gap: 1rem; }
        .charts.small { grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); }
        .charts > * { min-width: 0; }
        .charts.clickable .nsewdrag { cursor: pointer; }
        @media (pointer: coarse) { .charts .nsewdrag { touch-action: pan-y !important; } }
    """,
    js=(Path(__file__).parent / "chart.js").read_text(),
    isolate_styles=False,
)


@dataclass(frozen=True)
class Tokens:
    """That a chart's places are tokens: charts that know so light up together under the mouse."""

    cls: bool  # whether token 0 is CLS
    side: int = 0  # patches a side, of a picture; 0 for a matrix of tokens by tokens
    patch_size: int = 1  # pixels, of a picture


def chart(
    figure: go.Figure,
    key: str,
    alt: str,
    on_click: Callable[[dict], None] | None = None,
    tokens: Tokens | None = None,
) -> None:
    """Show a figure.

    Args:
        figure: with its height in pixels set; it is as wide as its place.
        key: one per chart on a page; the same key keeps the same node.
        alt: what the chart shows, for those who cannot see it.
        on_click: called with the clicked point, a mapping with `x` and `y` in the figure's units, before the page runs.
        tokens: what its places stand for, to light up with others.
    """

    st.session_state.setdefault(DRAWN, {})[key] = (alt, figure)

    def clicked():
        point = st.session_state[key].clicked
        if point:
            on_click(point)

    # In a list or a mapping, Streamlit would look for a dataframe, and load pandas for it.
    charts = ({"figure": figure.to_json(), "alt": alt},)
    data = {
        "charts": charts,
        "script": _SCRIPT,
        "clickable": on_click is not None,
        "scale": scale(),
    }
    if tokens:
        data["tokens"] = (asdict(tokens) | {"color": MARK},)
    height = round(figure.layout.height * scale())
    _charts(
        key=key, data=data, height=height, on_clicked_change=clicked if on_click else lambda: None
    )


def forget_drawn() -> None:
    """From here on, `drawn` has what comes."""
    st.session_state[DRAWN] = {}


def drawn() -> dict[str, tuple[str, go.Figure]]:
    """What this visitor has before him, by key: alternative text and figure. It is kept up to date until the next run."""
    return st.session_state[DRAWN]


def small_charts(charts: list[dict], key: str, live: bool) -> None:
    """Show charts side by side, as many in a row as there is room for.

    Args:
        charts: each with its `figure` as JSON, the `traces` whose values go into it, and `alt`.
        key: as above.
        live: they change again and again, so the browser is to draw them every few seconds only.
    """
    data = {"charts": tuple(charts), "script": _SCRIPT, "live": live, "scale": scale()}
    _charts(key=key, data=data, on_clicked_change=lambda: None)
