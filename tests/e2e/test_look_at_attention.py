"""The Attention page in a real browser, with the model that ships."""

import re

WAIT_FOR_SHAPES = """async (element, last) => {
    const shapes = () => (element.layout.shapes ?? []).map(({ x0, x1, y0, y1 }) => [x0, x1, y0, y1]);
    const end = performance.now() + 10000;
    while (performance.now() < end && JSON.stringify(shapes().slice(-last.length || shapes().length)) !== JSON.stringify(last))
        await new Promise(requestAnimationFrame);
    return shapes();
}"""


def shapes(chart, last: list | None = None) -> list:
    """The shapes over a chart (x0, x1, y0, y1), as soon as the last of them are those wanted, or after ten seconds."""
    return chart.evaluate(WAIT_FOR_SHAPES, last or [])


def drawn(chart) -> None:
    """Wait until a chart has its axes."""
    chart.evaluate(
        """async element => {
            while (!element._fullLayout?.yaxis?.d2p) await new Promise(requestAnimationFrame);
        }"""
    )


def at(chart, x: float, y: float) -> dict:
    """Where on the page a point of a chart lies, given in its own units."""
    return chart.evaluate(
        """(element, [x, y]) => {
            const { xaxis, yaxis } = element._fullLayout;
            const { left, top } = element.getBoundingClientRect();
            return { x: left + xaxis._offset + xaxis.d2p(x), y: top + yaxis._offset + yaxis.d2p(y) };
        }""",
        [x, y],
    )


def test_a_click_on_a_thumbnail_shows_it_large_and_another_the_mean(server, page, chart):
    page.goto(f"{server.url}/attention?run=vit")
    thumbnails = chart(page, "Small maps of 6 layers by 4 heads; layer 6, mean of heads is framed")
    drawn(thumbnails)
    place = at(thumbnails, 2 * 9 + 4.5, 9 + 4.5)  # eight patches and a gap to the next
    page.mouse.click(**place)
    chart(page, "Attention of CLS over the patches, layer 2, head 3").wait_for()
    page.wait_for_url(re.compile("layer=2&head=3"))
    chart(page, "Small maps of 6 layers by 4 heads; layer 2, head 3 is framed").wait_for()
    page.mouse.click(**place)
    chart(page, "Attention of CLS over the patches, layer 2, mean of heads").wait_for()


def test_picture_map_and_matrix_light_up_together(server, page, chart):
    page.goto(f"{server.url}/attention?run=vit")
    picture, matrix = chart(page, "validation image 0"), chart(page, "Attention matrix of 65 by 65")
    overlay = chart(page, "Attention of CLS")
    for one in (picture, matrix, overlay):
        drawn(one)
    before = [shapes(one) for one in (picture, matrix, overlay)]
    picture.scroll_into_view_if_needed()

    page.mouse.move(**at(picture, 10, 18))  # the patch in row 5, column 3: token 1 + 4 * 8 + 2
    lines = [[0, 1, 34.5, 35.5], [34.5, 35.5, 0, 1]]
    assert shapes(matrix, lines) == before[1] + lines
    assert shapes(overlay, [[8, 12, 16, 20]] * 2) == before[2] + [[8, 12, 16, 20]] * 2

    page.mouse.move(**at(matrix, 10, 20))  # token 20 asks, token 10 is attended
    frames = [[4, 8, 4, 8], [12, 16, 8, 12]]
    assert shapes(picture, frames) == before[0] + frames

    page.mouse.move(5, 5)
    assert [shapes(one, drawn) for one, drawn in zip((picture, matrix, overlay), before, strict=True)] == before
