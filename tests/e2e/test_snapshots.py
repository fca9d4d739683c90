"""The tab Training of the Attention page, in a real browser, with the model that ships."""

import re

import numpy as np
import torch

from tests.e2e.charts import at, drawn, shapes
from tests.e2e.server import stopped
from vitdemo.data.cifar10 import load_cifar10, normalize
from vitdemo.files import SHIPPED
from vitdemo.runs.checkpoint import load_checkpoint


def attention_of_cls(snapshot: int, picture: int) -> np.ndarray:
    """Return the last layer's attention of CLS (8, 8), the mean of its heads, at a snapshot."""
    model, _ = load_checkpoint(SHIPPED / "vit" / f"{snapshot + 1}.safetensors")
    images = load_cifar10(1, picture + 1).validation.images[picture:]
    with torch.inference_mode():
        _, trace = model.trace(normalize(images))
    return trace.attention[-1][0].mean(dim=0)[0, 1:].reshape(8, 8).numpy()


def wait_for_map(chart, expected: np.ndarray) -> None:
    """Wait up to ten seconds until a chart has these numbers, within a thousandth."""
    chart.evaluate(
        """async (element, expected) => {
            const near = (z) => z?.every((row, i) =>
                row.every((value, j) => Math.abs(value / expected[i][j] - 1) < 1e-3));
            const end = performance.now() + 10000;
            while (!near(element.calcdata?.at(-1)[0].z)) {
                if (performance.now() > end) throw new Error("the map shows other numbers");
                await new Promise(requestAnimationFrame);
            }
        }""",
        expected.tolist(),
    )


def wait_for_pages(page, expected: list[int]) -> None:
    """Wait up to ten seconds until each chart that follows a slider has this number of pages drawn.

    A page counts if it has the width of the chart and the color of text of the one shown.
    """
    page.wait_for_function(
        """expected => {
            const drawn = [...document.querySelectorAll(".charts.pages")].map((root) => {
                const isSeen = (page) => page.checkVisibility({ visibilityProperty: true });
                const shown = [...root.children].find(isSeen);
                const isAsShown = ({ figure, look, _fullLayout: layout }) => figure
                    && look === shown?.look && layout.width === shown._fullLayout.width;
                return [...root.children].filter(isAsShown).length;
            });
            return JSON.stringify(drawn) === JSON.stringify(expected);
        }""",
        arg=expected,
        timeout=10_000,
    )


def test_charts_follow_the_slider_before_the_server_answers(server, page, chart):
    page.goto(f"{server.url}/attention?run=vit&view=training&snapshot=3")
    slider = page.get_by_role("slider", name="Epochs trained")
    development = chart(page, "Accuracy at each snapshot")
    drawn(development)
    slider.press("ArrowRight")
    page.wait_for_url(re.compile("snapshot=4"))
    line = shapes(development)
    with stopped(server):
        slider.press("ArrowLeft")
        slider.press("ArrowLeft")
        page.get_by_text("Prediction: automobile", exact=True).wait_for()
        chart(page, "Prediction after 0.24 epochs: automobile, 18%.").wait_for()
        chart(page, "Rollout after 0.24 epochs").wait_for()
        grid = chart(page, "Attention of CLS, layer 6, mean of heads, after 0.24 epochs")
        epochs = development.evaluate("({ layout }) => layout.xaxis.tickvals[2]")
        assert shapes(development, [[epochs, epochs, 0, 1]]) != line
        wait_for_map(grid, attention_of_cls(2, 0))
        assert "snapshot=4" in page.url
    page.wait_for_url(re.compile("snapshot=2"))
    wait_for_map(grid, attention_of_cls(2, 0))


def test_snapshots_are_drawn_ahead(server, page, chart):
    page.goto(f"{server.url}/attention?run=vit&view=training&snapshot=3")
    count = len(list((SHIPPED / "vit").glob("*.safetensors"))) + 1  # and the final model
    wait_for_pages(page, [count, count, count, 1])
    page.evaluate(
        """() => {
            const react = Plotly.react;
            window.drawn = [];
            Plotly.react = (element, ...more) => {
                window.drawn.push(element.getAttribute("aria-label"));
                return react(element, ...more);
            };
        }"""
    )
    with stopped(server):
        page.get_by_role("slider", name="Epochs trained").press("ArrowLeft")
        grid = chart(page, "Attention of CLS, layer 6, mean of heads, after 0.24 epochs")
        wait_for_map(grid, attention_of_cls(2, 0))
        page.get_by_text("Prediction: automobile", exact=True).wait_for()
        page.wait_for_timeout(500)
        assert {text[:11] for text in page.evaluate("drawn")} <= {"Accuracy at"}

        before = page.evaluate("drawn.length")
        page.set_viewport_size({"width": 900, "height": 800})
        page.emulate_media(color_scheme="dark")
        page.wait_for_function("all => drawn.length >= all", arg=before + 3 * count + 1)
        wait_for_pages(page, [count, count, count, 1])


def test_charts_follow_the_slider_with_another_picture(server, page, chart):
    page.goto(f"{server.url}/attention?run=vit&view=training&snapshot=3")
    slider = page.get_by_role("slider", name="Epochs trained")
    slider.press("ArrowLeft")
    page.wait_for_url(re.compile("snapshot=2"))
    sheet = chart(page, "30 of 1000 validation images")
    drawn(sheet)
    page.mouse.click(**at(sheet, 34 + 17, 34 + 17))  # the second of the second row: image 7
    chart(page, "Most probable classes: frog").wait_for()
    page.wait_for_url(re.compile("picture=7"))
    grid = chart(page, "Attention of CLS, layer 6, mean of heads, after 0.24 epochs")
    wait_for_map(grid, attention_of_cls(2, 7))
    development = chart(page, "Accuracy at each snapshot")
    page.wait_for_function(
        "({ data: [{ y }] }) => y.every((value) => value !== null)",  # the rest is filled in
        arg=development.element_handle(),
    )
    slider.press("ArrowLeft")
    grid = chart(page, "Attention of CLS, layer 6, mean of heads, after 0.079 epochs")
    wait_for_map(grid, attention_of_cls(1, 7))


def test_snapshots_play_to_the_end(server, page, chart):
    page.goto(f"{server.url}/attention?run=vit&view=training&snapshot=3")
    chart(page, "Rollout after 0.74 epochs").wait_for()
    page.evaluate(
        """() => {
            window.seen = [];  // each state is shown for 0.8 s only
            const look = () => {
                for (const page of document.querySelectorAll(".charts.pages > *")) {
                    const name = page.getAttribute("aria-label");
                    const isSeen = page.checkVisibility({ visibilityProperty: true });
                    if (isSeen && name?.startsWith("Prediction after")
                        && window.seen.at(-1) !== name) window.seen.push(name);
                }
            };
            new MutationObserver(look).observe(document.body, { subtree: true, attributes: true });
        }"""
    )
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Stop").wait_for()
    page.get_by_role("button", name="Play").wait_for()
    chart(page, "Prediction after 200 epochs: cat, 90%").wait_for()
    epochs = [text.split()[2] for text in page.evaluate("seen")]
    assert epochs[:2] == ["0.74", "0.026"]
    assert epochs[-1] == "200"
    assert len(epochs) > 5  # a slow browser leaves out some
    assert sorted(epochs[1:], key=float) == epochs[1:]
