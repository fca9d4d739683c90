"""A visit in a real browser: set the sliders, train, watch, stop, view the attention, reload."""

import io
import re
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.server import Server

POINTS = "element => element.querySelectorAll('.scatterlayer .trace:nth-child(2) .point').length"


def slider(page, label: str):
    """Return a slider by its label."""
    return page.locator(f'input[type=range][aria-label="{label}"]')


def expander(page, label: str):
    """Return the header of an expander by its label."""
    return page.locator("summary").get_by_text(label, exact=True)


def slide(page, label: str, steps: int) -> None:
    """Move a slider by a number of steps with the arrow keys, and wait until it has its value."""
    wanted = int(slider(page, label).input_value()) + steps
    slider(page, label).focus()
    for _ in range(abs(steps)):
        page.keyboard.press("ArrowRight" if steps > 0 else "ArrowLeft")
    expect(slider(page, label)).to_have_value(str(wanted))


def drag(page, chart) -> None:
    """Zoom into the middle of a chart with the mouse."""
    chart.scroll_into_view_if_needed()
    box = chart.locator(".nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.8, steps=5)
    page.mouse.up()
    chart.evaluate("element => new Promise(requestAnimationFrame)")


def shown_array(chart) -> np.ndarray:
    """Return the values of a heatmap as Plotly holds them, scaled from 0 to 1."""
    numbers = np.array(
        chart.evaluate(
            """async element => {
                while (!element._fullData) await new Promise(requestAnimationFrame);
                const heat = element._fullData.find(trace => trace.type == 'heatmap');
                return heat.z.map(row => Array.from(row));
            }"""
        )
    )
    return (numbers - numbers.min()) / np.ptp(numbers)


def test_train_stop_view_attention_and_reload(server, page, chart):
    # Each epoch takes seconds, so that it can be seen.
    page.goto(
        f"{server.url}/?epochs=30&batch_size=32&train_images=5000&validation_images=1000"
        "&patch_drop=0"
    )
    slider(page, "Depth").wait_for(state="attached")
    slide(page, "Depth", -5)
    slide(page, "Heads", -1)
    expander(page, "Training").click()
    slide(page, "Epochs", -27)
    expander(page, "Training").click()
    page.wait_for_url(re.compile("depth=2&num_heads=4&train_images=5000&epochs=3&"))
    assert slider(page, "Training images").input_value() == "5000"

    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_function("url => location.href != url", arg=page.url)
    accuracy = chart(page, "Accuracy by epoch")
    page.wait_for_function(  # the axis of the new run
        """() => document.querySelector('[aria-label^="Accuracy by epoch: no epoch is complete"]')
            ?.layout?.xaxis.range[1] == 3.5"""
    )
    node = accuracy.element_handle()
    node.evaluate("element => { element.seen = []; element.mine = true; }")
    # Record every number of points of the chart in the browser, so that none is missed.
    node.evaluate(
        f"""element => new MutationObserver(() => {{
            const points = ({POINTS})(element);
            if (element.seen.at(-1) != points) element.seen.push(points);
        }}).observe(element, {{ childList: true, subtree: true }})"""
    )
    whole = np.ptp(node.evaluate("element => element._fullLayout.yaxis.range"))
    drag(page, accuracy)
    zoomed = node.evaluate("element => element.layout.yaxis.range")
    assert 0.2 * whole < np.ptp(zoomed) < 0.8 * whole
    page.get_by_text("Finished after 3 of 3 epochs").wait_for()
    page.get_by_text("Most confident errors").wait_for()
    assert node.evaluate("element => element.isConnected && element.mine")
    assert accuracy.evaluate("element => element.mine")
    seen = [points for points in node.evaluate("element => element.seen") if points]
    assert len(seen) > 1
    assert seen == sorted(set(seen))
    assert seen[-1] == 3
    assert node.evaluate("element => element.layout.yaxis.range") == zoomed
    first_run = re.search(r"run=([\w-]+)", page.url)[1]

    # Moving a slider afterwards keeps the run.
    slide(page, "Depth", 1)
    page.wait_for_url(re.compile("depth=3"))
    slide(page, "Depth", -1)
    page.wait_for_url(re.compile("depth=2"))
    assert f"run={first_run}" in page.url

    # Stop a second, longer run: it ends soon and keeps its complete epochs.
    expander(page, "Training").click()
    slide(page, "Epochs", 39)
    expander(page, "Training").click()
    page.wait_for_url(
        re.compile("epochs=42")
    )  # the browser holds a slider's last step back for a moment
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_text(re.compile(r"Epoch ([2-9]|\d\d) of 42 .* images/s .* left")).wait_for()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text(re.compile(r"Stopped after \d+ of 42 epochs")).wait_for(timeout=15_000)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_disabled()

    # View the attention of the first run.
    page.goto(f"{server.url}/attention?run={first_run}")
    overlay = chart(page, "Attention of CLS over the patches, layer 2, mean of heads")
    overlay.wait_for()
    views = [shown_array(overlay)]
    slide(page, "Layer", -1)
    overlay = chart(page, "Attention of CLS over the patches, layer 1, mean of heads")
    overlay.wait_for()
    views.append(shown_array(overlay))
    slide(page, "Head", 2)
    overlay = chart(page, "Attention of CLS over the patches, layer 1, head 2")
    overlay.wait_for()
    views.append(shown_array(overlay))
    box = overlay.locator(".nsewdrag").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 2.5 / 8, box["y"] + box["height"] * 4.5 / 8)
    overlay = chart(
        page, "Attention of the patch in row 5, column 3 over the patches, layer 1, head 2"
    )
    overlay.wait_for()
    views.append(shown_array(overlay))
    page.wait_for_url(re.compile("token=35"))

    # Choose another picture with a click: the second in the second row of six.
    sheet = chart(page, "30 of 1000 validation images to choose from")
    box = sheet.locator(".nsewdrag").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 1.5 / 6, box["y"] + box["height"] * 1.5 / 5)
    page.wait_for_url(re.compile("picture=7"))
    chart(page, "validation image 7").wait_for()
    views.append(shown_array(overlay))
    for one, other in pairwise(views):
        assert one.shape == other.shape == (8, 8)
        assert np.abs(one - other).max() > 0.01

    # Upload a picture.
    page.get_by_text("Upload", exact=True).click()
    file = io.BytesIO()
    Image.new("RGB", (300, 200), "seagreen").save(file, "PNG")
    page.locator("input[type=file]").set_input_files(
        {"name": "green.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    chart(page, "your picture. Token: the framed patch (row 5, column 3)").wait_for()
    assert np.abs(shown_array(overlay) - views[-1]).max() > 0.01
    page.locator("input[type=file]").set_input_files(
        {"name": "no.png", "mimeType": "image/png", "buffer": b"only text"}
    )
    page.get_by_text("The file is not a PNG, JPEG or WebP picture").wait_for()

    # A reload shows the same run and view.
    page.reload()
    overlay = chart(
        page, "Attention of the patch in row 5, column 3 over the patches, layer 1, head 2"
    )
    overlay.wait_for()
    assert f"run={first_run}" in page.url
    np.testing.assert_allclose(shown_array(overlay), views[-1], atol=1e-6)


def test_charts_of_fast_epochs_only_grow_and_end_complete(server, page, chart):
    page.goto(
        f"{server.url}/?depth=2&epochs=60&train_images=600&validation_images=100&warmup_epochs=0"
    )
    page.get_by_role("button", name="Train", exact=True).click()
    chart(page, "Accuracy by epoch: no epoch is complete").wait_for()
    # Record the number of points of each chart in every frame.
    page.evaluate(
        """() => {
            const charts = [...document.querySelectorAll(".charts.many > div")];
            window.seen = charts.map(() => []);
            const look = () => {
                charts.forEach((chart, place) => {
                    const points = chart.data?.[0].x?.length ?? 0;
                    if (window.seen[place].at(-1) != points) window.seen[place].push(points);
                });
                requestAnimationFrame(look);
            };
            look();
        }"""
    )
    page.get_by_text("Finished after 60 of 60 epochs").wait_for(timeout=180_000)
    page.get_by_text("Most confident errors").wait_for()
    page.wait_for_function("() => window.seen.every(points => points.at(-1) == 60)")
    for points in page.evaluate("window.seen"):
        assert len(points) > 2
        assert points == sorted(set(points))


def test_without_cls_a_click_toggles_between_one_query_patch_and_all(server, page, chart):
    page.goto(
        f"{server.url}/?depth=1&num_heads=1&embed_dim=16&pooling=mean&epochs=1&warmup_epochs=0"
        "&train_images=100"
    )
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_text("Finished after 1 of 1 epochs").wait_for()
    run = re.search(r"run=([\w-]+)", page.url)[1]
    page.goto(f"{server.url}/attention?run={run}")
    overlay = chart(page, "Attention of all patches over the patches, layer 1")
    overlay.wait_for()
    mean = shown_array(overlay)
    box = overlay.locator(".nsewdrag").first.bounding_box()
    for begins, token in (
        ("Attention of the patch in row 5, column 3 over", "token=34$"),
        ("Attention of all patches over", f"run={run}$"),
    ):
        page.mouse.click(box["x"] + box["width"] * 2.5 / 8, box["y"] + box["height"] * 4.5 / 8)
        overlay = chart(page, begins)
        overlay.wait_for()
        page.wait_for_url(re.compile(token))
        assert (np.abs(shown_array(overlay) - mean).max() < 1e-6) == ("all" in begins)


def test_run_continues_after_its_tab_is_closed(server, browser, page):
    url = f"{server.url}/?depth=1&num_heads=1&embed_dim=16&epochs=30&train_images=2000"
    closed = browser.new_page()
    closed.goto(url)
    closed.get_by_role("button", name="Train", exact=True).click()
    closed.get_by_text(re.compile(r"Epoch \d+ of 30")).wait_for(timeout=60_000)
    found = closed.url
    closed.close()
    page.goto(found)
    page.get_by_text(re.compile(r"(Epoch \d+|Finished after 30) of 30")).first.wait_for()
    page.reload()
    page.get_by_text("Finished after 30 of 30 epochs").wait_for(timeout=120_000)


def test_killed_run_keeps_its_complete_epochs_and_can_be_resumed(tmp_path, page):
    server = Server(tmp_path)
    server.start()
    try:
        page.goto(f"{server.url}/?depth=1&num_heads=1&embed_dim=16&epochs=30&train_images=600")
        page.get_by_role("button", name="Train", exact=True).click()
        page.get_by_text(re.compile(r"Epoch ([3-9]|\d\d) of 30")).wait_for()
        url = page.url
        server.kill()
        server.start()
        page.goto(url)
        page.get_by_text(re.compile(r"Stopped after \d+ of 30 epochs")).wait_for()
        page.get_by_text("Most confident errors").wait_for()
        page.get_by_role("button", name="Resume", exact=True).click()
        page.get_by_text("Finished after 30 of 30 epochs").wait_for()
        expect(page.get_by_role("button", name="Resume", exact=True)).to_have_count(0)
    finally:
        server.kill()
    assert server.failures() == []


# Streamlit's own list of the scripts in `pages`, which the app's navigation replaces.
SIDEBARS_SEEN = """
    window.sidebars = 0;
    new MutationObserver(() => {
        window.sidebars += document.querySelectorAll("[data-testid=stSidebar]").length;
    }).observe(document, { subtree: true, childList: true });
"""


def test_first_page_of_a_new_server_has_the_navigation(tmp_path, page):
    server = Server(tmp_path)
    server.start()
    try:
        page.add_init_script(SIDEBARS_SEEN)
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{server.url}/attention?layer=3")
        page.get_by_role("heading", name="What does the model attend to?").wait_for()
        assert not any("BidiComponent" in url for url in requests)  # delays the first paint
        page.get_by_role("link", name="Train").wait_for()
        assert page.title() == "Attention" or "annotated" in page.title().lower()
        assert page.evaluate("window.sidebars") == 0
        icon = page.locator("link[rel*=icon][href^='data:image/svg']")  # comes with PyTorch
        icon.wait_for(state="attached")
    finally:
        server.kill()


@pytest.mark.parametrize("path", ["/", "/attention"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_pages_fit_the_width_of_the_screen(server, page, path, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(server.url + path)
    charts = page.locator(".charts > [role=img]")
    charts.first.wait_for()
    for number in range(charts.count()):  # each is drawn when it comes into view
        charts.nth(number).scroll_into_view_if_needed()
        charts.nth(number).locator(".main-svg").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    main = page.get_by_test_id("stMain")
    assert main.evaluate("element => element.scrollWidth - element.clientWidth") <= 0
