"""The Attention page in a real browser, with the model that ships."""

import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.charts import at, drawn, shapes
from tests.e2e.server import stopped
from vitdemo.ui.attention.state import CLICKS, STATISTICS, TABS


def test_clicking_a_thumbnail_enlarges_it_and_clicking_again_shows_the_mean(server, page, chart):
    page.goto(f"{server.url}/attention?run=vit")
    thumbnails = chart(
        page, "Attention maps of 6 layers by 4 heads; layer 6, mean of heads is framed"
    )
    drawn(thumbnails)
    place = at(thumbnails, 2 * 9 + 4.5, 9 + 4.5)  # eight patches and a gap to the next
    page.mouse.click(**place)
    chart(page, "Attention of CLS over the patches, layer 2, head 3").wait_for()
    page.wait_for_url(re.compile("layer=2&head=3"))
    chart(page, "Attention maps of 6 layers by 4 heads; layer 2, head 3 is framed").wait_for()
    page.mouse.click(**place)
    chart(page, "Attention of CLS over the patches, layer 2, mean of heads").wait_for()


def test_hovering_highlights_tokens_in_picture_map_and_matrix(server, page, chart):
    page.goto(f"{server.url}/attention?run=vit")
    picture, matrix = (
        chart(page, "validation image 0: cat. Token"),
        chart(page, "Attention matrix of 65 by 65"),
    )
    overlay = chart(page, "Attention of CLS")
    for one in (picture, matrix, overlay):
        drawn(one)
    before = [shapes(one) for one in (picture, matrix, overlay)]
    picture.scroll_into_view_if_needed()

    page.mouse.move(**at(picture, 10, 18))  # the patch in row 5, column 3: token 1 + 4 * 8 + 2
    lines = [[0, 1, 34.5, 35.5], [34.5, 35.5, 0, 1]]
    assert shapes(matrix, lines) == before[1] + lines
    assert shapes(overlay, [[8, 12, 16, 20]] * 2) == before[2] + [[8, 12, 16, 20]] * 2

    page.mouse.move(**at(matrix, 10, 20))  # query token 20, key token 10
    frames = [[4, 8, 4, 8], [12, 16, 8, 12]]
    assert shapes(picture, frames) == before[0] + frames

    page.mouse.move(5, 5)
    assert [
        shapes(one, drawn) for one, drawn in zip((picture, matrix, overlay), before, strict=True)
    ] == before


def test_on_a_phone_every_tab_and_choice_is_in_sight(server, page):
    page.set_viewport_size({"width": 390, "height": 844})
    for view, choices in {
        "heads": [*TABS.values(), *STATISTICS.values()],
        "ablation": [*TABS.values(), *CLICKS.values()],
    }.items():
        page.goto(f"{server.url}/attention?run=vit&view={view}")
        for name in choices:
            button = page.get_by_role("radio", name=name, exact=True)
            button.wait_for()
            box = button.bounding_box()
            assert box["x"] >= 0, name
            assert box["x"] + box["width"] <= 390, name


def test_the_checks_of_a_new_picture_fill_in(server, page, chart):
    page.goto(f"{server.url}/attention?run=vit&view=faithfulness&picture=3")
    page.get_by_text("Mean of 5 shuffles").wait_for()
    sheet = chart(page, "30 of 1000 validation images")
    drawn(sheet)
    page.mouse.click(**at(sheet, 34 + 17, 34 + 17))  # the second of the second row: image 7
    page.wait_for_url(re.compile("picture=7"))
    chart(page, "Most probable classes: frog").wait_for()
    chart(
        page, "Probability of frog by fraction of patches, deletion; AUC: attention 0."
    ).wait_for()
    page.get_by_text("Better than random, of 10").wait_for()
    page.get_by_text(re.compile("maps of shuffled models$")).first.wait_for(state="detached")
    page.wait_for_function(
        """() => [...document.querySelectorAll("[role=img]")].some((element) =>
            /^Probability of frog.*deletion/.test(element.getAttribute("aria-label"))
            && element.data?.length === 3 + 4)"""
    )


def test_a_click_shows_picture_and_prediction_before_the_server_answers(server, page, chart):
    received = []

    def listen(socket):
        socket.on("framereceived", lambda frame: received.append(frame))

    page.on("websocket", listen)
    page.goto(f"{server.url}/attention?run=vit&class=bird&predictions=incorrect")
    sheet = chart(page, "14 of 14 validation images")
    drawn(sheet)
    assert shapes(sheet) == []  # image 0 is no bird
    page.get_by_text("Prediction: cat\nCorrect").wait_for()
    while not any(b"Wrong; true class: bird" in frame for frame in received):
        page.wait_for_timeout(50)  # the browser asks for the predictions of the others
    first, second = [0, 34, 0, 34], [34, 68, 34, 68]
    with stopped(server):
        page.mouse.click(**at(sheet, 17, 17))  # image 118
        assert shapes(sheet, [first]) == [first]
        page.get_by_text("Prediction: cat\nWrong; true class: bird").wait_for()
        page.wait_for_timeout(100)  # Plotly looks where the pointer is at most every 50 ms
        page.mouse.click(**at(sheet, 51, 51))  # image 692
        assert shapes(sheet, [second]) == [second]
        page.get_by_text("Prediction: airplane\nWrong; true class: bird").wait_for()
        bars = chart(page, "Most probable classes: airplane 85%")
        highest = bars.evaluate("({ calcdata: [bars] }) => bars.at(-1).s")
        assert highest == pytest.approx(0.847, abs=1e-3)
    page.get_by_text("The chosen image is framed.").wait_for()
    page.mouse.click(**at(sheet, 187, 85))  # where the 18th of 14 would be
    assert shapes(sheet) == [second]


def test_the_prediction_is_that_of_the_picture_that_was_chosen_last(server, page, chart):
    page.goto(f"{server.url}/attention?run=vit")
    sheet, number = chart(page, "30 of 1000"), page.get_by_role("spinbutton", name="Image number")
    drawn(sheet)
    page.get_by_text("Prediction: cat\nCorrect").wait_for()
    page.mouse.click(**at(sheet, 34 + 17, 34 + 17))  # image 7
    page.get_by_text("Prediction: frog\nCorrect").wait_for()
    for chosen, prediction in ((3, "airplane"), (7, "frog"), (0, "cat"), (118, "cat")):
        number.fill(str(chosen))
        number.press("Enter")
        page.wait_for_url(re.compile(f"picture={chosen}" if chosen else "run=vit$"))
        verdict = "Wrong; true class: bird" if chosen == 118 else "Correct"
        page.get_by_text(f"Prediction: {prediction}\n{verdict}").wait_for()
        assert shapes(sheet) == [] or chosen != 118
    for cell in (2, 3, 4, 3, 4):  # of the first row: ship, airplane, frog
        page.wait_for_timeout(100)
        page.mouse.click(**at(sheet, 34 * cell + 17, 17))
    page.wait_for_url(re.compile("picture=4"))
    page.get_by_text("Prediction: frog\nCorrect").wait_for()
    assert shapes(sheet, [[136, 170, 0, 34]]) == [[136, 170, 0, 34]]


def test_a_stopped_check_keeps_its_results(server, page):
    page.goto(f"{server.url}/attention?run=vit&view=faithfulness")
    begin = page.get_by_role("button", name="Check 100 pictures")
    begin.click()
    page.get_by_text(re.compile(r"^([3-9]|\d\d) of 100 pictures$")).wait_for()
    page.locator(".st-key-stop-faithfulness").get_by_role("button").click()
    page.get_by_text(
        re.compile(r"^Over \d+ pictures, for the class that the model predicts")
    ).wait_for()
    expect(begin).to_be_enabled()
    verdicts = page.get_by_text(re.compile(r"chance with \d+ pictures: score"))
    assert verdicts.count() == 4


def test_occluding_a_patch_and_ablating_a_head_change_the_prediction(server, page, chart):
    page.goto(f"{server.url}/attention?run=vit&view=ablation")
    picture = chart(page, "The picture with 0 patches occluded")
    drawn(picture)
    before = chart(page, "cat 90.3% before; cat 90.3% after")
    before.wait_for()
    page.mouse.click(**at(picture, 14, 14))  # the patch in row 4, column 4
    page.wait_for_url(re.compile("occluded=27"))
    chart(page, "The picture with 1 patch occluded").wait_for()
    before.wait_for(state="detached")

    importance = chart(page, "Importance of each head")
    importance.scroll_into_view_if_needed()
    drawn(importance)
    page.mouse.click(**at(importance, 2, 5))
    page.wait_for_url(re.compile("ablated=5.2"))
    page.get_by_text(
        re.compile(r"Accuracy on 200 validation images: \d\d\.\d% \(before: 88\.0%\)")
    ).wait_for()
    chart(page, "Change in accuracy without each head").wait_for()

    page.get_by_role("button", name="Reset").click()
    before.wait_for()
    page.wait_for_url(lambda url: "occluded" not in url and "ablated" not in url)


def test_clicking_a_point_opens_the_head(server, page, chart):
    page.goto(f"{server.url}/attention?run=vit&view=heads&layer=1")
    points = chart(page, "Mean attention distance")
    drawn(points)
    place = points.evaluate("({ calcdata }) => [calcdata.at(-1)[0].x, calcdata.at(-1)[0].y]")
    page.mouse.click(**at(points, *place))
    page.wait_for_url(re.compile(r"head=\d"))
    chart(page, "Attention of CLS over the patches, layer").wait_for()


def test_the_view_can_be_downloaded(server, page, tmp_path):
    page.goto(f"{server.url}/attention?run=vit&layer=3&head=2&token=20")
    files = {}
    for name in ("PNG", "HTML", "NPZ"):  # each is made when it is clicked
        button = page.get_by_role("button", name=re.compile(rf" \({name}\)$"))
        button.wait_for()
        with page.expect_download() as download:
            button.click()
        files[name] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[name])
    assert {file.name for file in files.values()} == {
        f"attention-vit.{end}" for end in ("png", "html", "npz")
    }
    with Image.open(files["PNG"]) as picture:
        assert picture.size[0] > 3 * 300
    with np.load(files["NPZ"]) as maps:
        assert maps["attention"].shape == (6, 4, 65, 65)
        assert maps["occlusion"].shape == (8, 8)
    page.goto(f"file://{files['HTML']}")
    page.get_by_role(
        "heading",
        name="validation image 0: Attention of the patch in row 3, column 4, layer 3, head 2",
    ).wait_for()
    assert page.locator(".js-plotly-plot .main-svg").count() >= 5


def test_an_uploaded_picture_keeps_the_view(server, page, chart, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)).save(
        tmp_path / "noise.png"
    )
    page.goto(f"{server.url}/attention?run=vit&layer=2")
    page.get_by_text("Upload", exact=True).click()
    page.locator("input[type=file]").set_input_files(tmp_path / "noise.png")
    chart(page, "your picture. Token: CLS").wait_for()
    assert "layer=2" in page.url


def test_an_upload_outlives_a_page_change_and_clears_earlier_errors(server, page, chart, tmp_path):
    (tmp_path / "notes.gif").write_text("only text")
    Image.new("RGB", (120, 90), "teal").save(tmp_path / "teal.png")
    page.goto(f"{server.url}/attention?run=vit")
    page.get_by_text("Upload", exact=True).click()
    uploader = page.get_by_test_id("stFileUploader")
    uploader.locator("input[type=file]").set_input_files(tmp_path / "notes.gif")
    error = page.get_by_text(re.compile("not allowed"))
    error.wait_for()
    uploader.locator("input[type=file]").set_input_files(tmp_path / "teal.png")
    chart(page, "your picture. Token: CLS").wait_for()
    expect(error).to_have_count(0)
    page.get_by_text("The model sees the central square: 75% of the width.").wait_for()
    page.get_by_role("link", name="Train", exact=True).click()
    page.get_by_role("heading", name="Train a Vision Transformer").wait_for()
    page.get_by_role("link", name="Attention", exact=True).click()
    chart(page, "your picture. Token: CLS").wait_for()
    page.get_by_role("button", name="Remove this picture").click()
    chart(page, "validation image 0: cat. Token").wait_for()


def test_a_downloaded_page_has_the_charts_of_its_tab(server, page, tmp_path):
    page.goto(f"{server.url}/attention?run=vit&view=training&snapshot=2")
    page.get_by_role("button", name="View (HTML)").wait_for()
    page.get_by_role("button", name="Play").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="View (HTML)").click()
    download.value.save_as(tmp_path / "view.html")
    page.goto(f"file://{tmp_path / 'view.html'}")
    page.get_by_role("heading", name="validation image 0: Training").wait_for()
    page.get_by_role("heading", name=re.compile(r"^Rollout after 0\.24 epochs")).wait_for()
