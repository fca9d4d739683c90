"""The Train page in a real browser: what is in sight, hover over the charts, and a first visit."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.e2e.server import Server
from vitdemo.training.metrics import METRICS

CHARTS = ".charts.many > div"
TINY = "depth=1&num_heads=1&embed_dim=16&warmup_epochs=0&train_images=100&validation_images=100"
LABELS = "charts => charts.map(chart => chart.querySelectorAll('.hovertext').length)"
TEXTS = """charts => charts.map(chart =>
    [...chart.querySelectorAll('.hovertext')].map(label => label.textContent))"""


def train_button(page):
    """Return the button Train."""
    return page.get_by_role("button", name="Train", exact=True)


@pytest.fixture
def phone(browser):
    """Return a page on a phone."""
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("preset", ["annotation", "recommended", "hybrid"])
def test_everything_is_in_sight_on_a_laptop(server, page, preset):
    page.goto(f"{server.url}/?preset={preset}")
    page.locator(f"{CHARTS} .main-svg").nth(3 * len(METRICS) - 1).wait_for()
    page.get_by_text(re.compile("per epoch|would start")).wait_for()

    def bottoms():
        shown = [train_button(page), page.get_by_text(re.compile("per epoch|would start"))]
        shown += page.locator("input[type=range]").all()[:4] + page.locator(CHARTS).all()
        assert len(shown) == 2 + 4 + len(METRICS)
        return [box["y"] + box["height"] for box in (one.bounding_box() for one in shown)]

    assert max(bottoms()) <= 800
    train_button(page).click()
    page.get_by_text(re.compile("Epoch [1-9] of")).wait_for()
    assert max(bottoms()) <= 800
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text(re.compile("Stopped|Finished")).first.wait_for()


def test_loss_and_accuracy_are_the_large_charts(server, page, chart):
    page.goto(server.url)
    areas = {}
    for key, (name, _) in METRICS.items():
        box = chart(page, f"{name} by epoch").bounding_box()
        areas[key] = box["width"] * box["height"]
    assert sorted(areas, key=areas.get)[-2:] in (["loss", "accuracy"], ["accuracy", "loss"])
    assert min(areas["loss"], areas["accuracy"]) > 2 * areas["auroc"]


def test_accuracy_fits_its_values_and_shows_chance(server, page, chart):
    page.goto(f"{server.url}/?{TINY}&epochs=3")
    train_button(page).click()
    page.get_by_text("Finished after 3 of 3 epochs").wait_for()
    accuracy = chart(page, "Accuracy by epoch, after epoch 3")
    accuracy.wait_for()
    page.wait_for_function("chart => chart.data?.[0].x.length == 3", arg=accuracy.element_handle())
    values = accuracy.evaluate("chart => chart.data.flatMap(trace => Array.from(trace.y))")
    low, high = accuracy.evaluate("chart => chart._fullLayout.yaxis.range")
    assert low == 0
    assert max(*values, 0.2) <= high <= 1.2 * max(*values, 0.2)


def test_hover_shows_one_epoch_in_all_charts(server, page, chart):
    page.goto(server.url)
    charts = page.locator(CHARTS)
    charts.locator(".main-svg").nth(3 * len(METRICS) - 1).wait_for()
    box = chart(page, "Loss by epoch").locator(".nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.5 * box["height"])
    page.wait_for_function(f"() => ({LABELS})([...document.querySelectorAll('{CHARTS}')])[7] == 2")
    found = charts.evaluate_all(TEXTS)
    epoch, history = charts.first.evaluate(
        "chart => [chart._hoverdata[0].x, [...chart.parentNode.children].map(one => "
        "one.data.slice(0, 2).map(trace => trace.y[trace.x.indexOf(chart._hoverdata[0].x)]))]"
    )
    assert epoch == pytest.approx(0.4 * 200, abs=2)
    for texts, values in zip(found, history, strict=True):
        shown = sorted(float(re.search(r"[\d.]+", text)[0]) for text in texts)
        percent = 100 if texts[0].endswith("%") else 1
        np.testing.assert_allclose(shown, percent * np.sort(values), atol=0.0051)
    page.mouse.move(5, 5)
    page.wait_for_function(
        f"() => ({LABELS})([...document.querySelectorAll('{CHARTS}')]).every(n => n == 0)"
    )


def test_phone_shows_the_run_right_after_train_is_pressed(server, phone):
    phone.goto(f"{server.url}/?{TINY}&epochs=100")
    train_button(phone).scroll_into_view_if_needed()
    train_button(phone).click()
    status = phone.get_by_text(re.compile("Preparing data and model|Epoch .* of 100|Finished"))
    status.first.wait_for()
    expect(status.first).to_be_in_viewport(ratio=1)
    expect(phone.get_by_role("button", name="Stop", exact=True)).to_be_in_viewport(ratio=1)
    expect(phone.locator(CHARTS).first).to_be_in_viewport(ratio=0.9)
    # Only once: who scrolls back to the settings stays there.
    train_button(phone).scroll_into_view_if_needed()
    phone.get_by_text("Finished after 100 of 100 epochs").wait_for()
    expect(train_button(phone)).to_be_in_viewport()


@pytest.mark.parametrize("path", ["/", "/attention", "/image_to_tokens"])
def test_switch_beside_the_title_has_no_indent(server, page, phone, path):
    for visitor, side in ((page, "right"), (phone, "left")):
        visitor.goto(server.url + path)
        switch = visitor.get_by_test_id("stCheckbox").filter(has_text="Presentation mode")
        gap = switch.evaluate(
            """(element, side) => {
                const block = element.closest("[data-testid=stMainBlockContainer]");
                const style = getComputedStyle(block);
                const padding = parseFloat(style.getPropertyValue(`padding-${side}`));
                const edges = [block, element].map((one) => one.getBoundingClientRect()[side]);
                return Math.abs(edges[0] - edges[1]) - padding;
            }""",
            side,
        )
        assert gap == pytest.approx(0, abs=1)


def test_first_visit_from_train_to_the_attention_of_the_same_run(tmp_path, page, chart):
    server = Server(tmp_path)
    server.start()
    try:
        page.goto(server.url)
        expect(train_button(page)).to_be_in_viewport(ratio=1)
        train_button(page).click()
        page.wait_for_function(  # a chart of this run, of 80 epochs, has its first point
            f"""() => [...document.querySelectorAll("{CHARTS}")].some(
                ({{ layout, data }}) => layout?.xaxis.range[1] == 80.5 && data[0].x.length
            )"""
        )
        run = re.search(r"run=([\w-]+)", page.url)[1]
        expect(page.get_by_text(re.compile(r"Epoch \d+ of 80")).first).to_be_in_viewport()
        link = page.get_by_role("link", name="View attention")
        expect(link).to_be_in_viewport(ratio=1)
        link.click()
        chart(page, "Attention of CLS over the patches, layer 7, mean of heads").wait_for()
        assert f"run={run}" in page.url
        # The run trains on, and Train shows it again.
        page.get_by_role("link", name="Train", exact=True).click()
        page.get_by_text(re.compile(r"Epoch \d+ of 80|Finished after 80")).first.wait_for()
        assert f"run={run}" in page.url
    finally:
        server.kill()
    assert server.failures() == []
