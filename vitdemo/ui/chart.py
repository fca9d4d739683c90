"""Plotly charts that keep their node, zoom and hover over all updates, and report clicks.

`st.plotly_chart` replaces its node whenever the figure changes, which a run does after each epoch.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import plotly
import plotly.graph_objects as go
import streamlit as st

from ..figures.style import MARK
from .presentation import scale


def _served(name: str, folder: Path) -> str:
    """Register a component only to serve the files of a folder; return the URL of the folder."""
    return f"component/{st.components.v1.declare_component(name, path=str(folder)).name}"


_SCRIPTS = _served("chart_files", Path(__file__).parent / "chart_files")
_URLS = {
    "plotly": _served("plotly_files", Path(plotly.__file__).parent / "package_data")
    + "/plotly.min.js",
    "module": f"{_SCRIPTS}/chart.js",
}
LARGEST = 1e6  # coordinate of a click where the axis has no range of its own
WANTED = "states-wanted"  # in the session: key of a control -> its `of`, as the browser asked
DRAWN = "drawn"  # in the session: key -> alternative text and figure
# .nsewdrag is private to Plotly, checked by tests/e2e: the area between the axes.
_charts = st.components.v2.component(
    "plotly_charts",
    html='<div class="chart-title"></div><div class="charts"></div>',
    css="""
        .charts { display: grid; grid-template-columns: 100%; gap: 1rem; }
        .charts.many { display: flex; flex-wrap: wrap; gap: 0.5rem; scroll-margin-top: 13rem; }
        .charts.many > * { flex: 1 1 30%; min-width: 9.5rem; }
        .charts.many > .large { flex-basis: 45%; min-width: 15rem; }
        .charts > * { min-width: 0; }
        .charts.pages > * { grid-area: 1 / 1; }
        .charts > .ahead { visibility: hidden; }
        .chart-title:not(:empty) { font-weight: 600; line-height: 1.6; margin-bottom: 1rem; }
        .chart-title { white-space: pre-line; }
        .charts.clickable .nsewdrag { cursor: pointer; }
        .charts.clickable { position: relative; }
        .charts > .keyboard { position: absolute; inset: 0; pointer-events: none; }
        .charts > .keyboard:focus-visible {
            outline: 3px solid var(--st-primary-color);
            outline-offset: -3px;  /* outside, the container would cut it */
        }
        .keyboard > .frame { position: absolute; visibility: hidden; }
        .keyboard:focus-visible > .frame {
            visibility: visible;
            outline: 3px solid white;
            box-shadow: inset 0 0 0 3px black;
        }
        .keyboard > .said { position: absolute; overflow: hidden; width: 1px; height: 1px; }
        @media (pointer: coarse) { .charts .nsewdrag { touch-action: pan-y !important; } }
    """,
    js="""  // goes with every message, so the rest is a file that the browser loads once
        export default function (component) {
            let leave = () => {};
            let gone = false;
            import(new URL(component.data.module, document.baseURI)).then(({ show }) => {
                if (!gone) leave = show(component);
            });
            return () => {
                gone = true;
                leave();
            };
        }
    """,
    isolate_styles=False,
)
_states = st.components.v2.component(
    "chart_states",
    js="""
        export default function ({ data, setTriggerValue }) {
            const ask = () => setTriggerValue("wanted", data.of);
            import(new URL(data.module, document.baseURI)).then(({ keep }) => keep(data, ask));
        }
    """,
)


@dataclass(frozen=True)
class Control:
    """A slider or a framed chart that charts follow in the browser, before the server answers."""

    key: str  # of the widget or the chart
    at: int  # its value; of a slider, counted from its lower end
    of: str  # changes with all else that the charts depend on
    ahead: bool  # whether the browser draws the charts ahead for all values, while it is idle


@dataclass(frozen=True)
class Cells:
    """What the cells of a framed chart stand for; a click frames a cell and chooses its value."""

    values: list[list[int]]  # row by row
    chosen: int  # value that is chosen, which need not be among them


@dataclass(frozen=True)
class Tokens:
    """Layout of the tokens in a chart, so that charts highlight the same token together."""

    cls: bool  # whether token 0 is CLS
    side: int = 0  # patches per side of a picture; 0 for a matrix of tokens by tokens
    patch_size: int = 1  # pixels of a picture


def chart(
    figure: go.Figure,
    key: str,
    alt: str,
    on_click: Callable[[dict], None] | None = None,
    tokens: Tokens | None = None,
    cells: Cells | None = None,
    download: bool = True,
    title: str = "",
    follows: Control | None = None,
) -> None:
    """Show a figure.

    Args:
        figure: figure with a height in pixels; its width is that of the container.
        key: unique key of the chart on the page; the same key keeps the same node.
        alt: alternative text, for those who cannot see the chart.
        on_click: callback that gets the clicked point, a mapping with `x` and `y` in the units of
            the figure, before the page runs.
        tokens: mapping from positions to tokens, to highlight them together with other charts.
        cells: for a framed chart, which can be followed; its shape is the frame.
        download: whether `drawn` returns it.
        title: heading above it, which may have several lines.
        follows: control to follow, for which `send_states` sends what the chart shows.
    """
    if download:
        st.session_state.setdefault(DRAWN, {})[key] = (alt, figure)

    def clicked():
        point = _clicked_point(st.session_state[key].clicked, figure)
        if point:
            on_click(point)

    # A tuple: in a list or a mapping, Streamlit would look for a dataframe and load pandas.
    charts = ({"figure": figure.to_json(), "alt": alt, "title": title},)
    data = {
        **_URLS,
        "charts": charts,
        "clickable": on_click is not None,
        "scale": scale(),
    }
    if cells:
        data["cells"] = (asdict(cells) | {"key": key},)
    if tokens:
        data["tokens"] = (asdict(tokens) | {"color": MARK},)
    if follows:
        data["follows"] = (asdict(follows) | {"chart": key},)
    height = round(figure.layout.height * scale())
    _charts(
        key=key,
        data=data,
        height="content" if title else height,  # that of a title depends on the width
        on_clicked_change=clicked if on_click else lambda: None,
    )


def states_wanted(control: Control) -> bool:
    """Whether the browser has drawn the charts that follow a control, and asks for their states."""
    return st.session_state.setdefault(WANTED, {}).get(control.key) == control.of


def send_states(control: Control, states: str) -> None:
    """Send what the charts that follow a control show at its values.

    Args:
        control: as given to the charts.
        states: JSON with a mapping for each chart, by key, from values to what it shows: its `alt`
            and `title`, and what differs from its figure, `traces` and `layout`. Without a chart,
            the browser asks for them when the page is drawn, and the fragment runs again.
    """
    data = {"control": control.key, "of": control.of, "charts": states}
    _states(
        key=f"{control.key}-states",
        data=data | {"module": f"{_SCRIPTS}/ahead.js"},
        on_wanted_change=lambda: st.session_state[WANTED].update({control.key: control.of}),
    )


def _clicked_point(sent, figure: go.Figure) -> dict[str, float] | None:
    """Return `x` and `y` of a click, or None if no click on this figure can have sent it.

    Whatever speaks to the server can send any JSON here.
    """
    point = {}
    for name in ("x", "y"):
        value = sent.get(name) if isinstance(sent, dict) else None
        ends = figure.layout[f"{name}axis"].range or (-LARGEST, LARGEST)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not min(ends) <= value <= max(ends):  # a comparison with NaN is False
            return None
        point[name] = value
    return point


def forget_drawn() -> None:
    """Empty what `drawn` returns, before the charts of a page are drawn."""
    st.session_state[DRAWN] = {}


def drawn() -> dict[str, tuple[str, go.Figure]]:
    """Return the alternative text and the figure of every chart on the visitor's page, by key.

    The mapping is live: fragments that redraw a chart update it, until the page runs again.
    """
    return st.session_state[DRAWN]


def chart_grid(charts: list[dict], key: str, live: bool, reveal: str) -> None:
    """Show charts in a grid; to hover over one shows the values at the same x in all of them.

    Args:
        charts: mappings with the `figure` as JSON, the `traces` with its values, `alt`, and whether
            it is `large`: two large ones fill a row, or three others, on a phone one or two.
        key: unique key of the grid on the page.
        live: whether they keep changing, so that the browser draws them every few seconds only.
        reveal: if not empty and new, the browser scrolls to the grid where it is out of sight.
    """
    data = {"charts": tuple(charts), "live": live, "reveal": reveal, "scale": scale()} | _URLS
    _charts(key=key, data=data, on_clicked_change=lambda: None)
