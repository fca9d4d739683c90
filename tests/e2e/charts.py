"""What a chart in the browser has drawn, and where."""

WAIT_FOR_SHAPES = """async (element, last) => {
    const corners = ({ x0, x1, y0, y1 }) => [x0, x1, y0, y1];
    const isShown = ({ visible }) => visible !== false;
    const shapes = () => (element.layout.shapes ?? []).filter(isShown).map(corners);
    const tail = () => JSON.stringify(shapes().slice(-last.length || shapes().length));
    const end = performance.now() + 10000;
    while (performance.now() < end && tail() !== JSON.stringify(last))
        await new Promise(requestAnimationFrame);
    return shapes();
}"""


def shapes(chart, last: list | None = None) -> list:
    """Return the shapes that are shown over a chart as (x0, x1, y0, y1).

    Wait up to ten seconds until the last of them are those wanted.
    """
    return chart.evaluate(WAIT_FOR_SHAPES, last or [])


def drawn(chart) -> None:
    """Wait until a chart has its axes."""
    chart.evaluate(
        """async element => {
            while (!element._fullLayout?.yaxis?.d2p) await new Promise(requestAnimationFrame);
        }"""
    )


def at(chart, x: float, y: float) -> dict:
    """Return where on the page a point lies that is given in the chart's own units."""
    return chart.evaluate(
        """(element, [x, y]) => {
            const { xaxis, yaxis } = element._fullLayout;
            const { left, top } = element.getBoundingClientRect();
            const across = xaxis._offset + xaxis.d2p(x), down = yaxis._offset + yaxis.d2p(y);
            return { x: left + across, y: top + down };
        }""",
        [x, y],
    )
