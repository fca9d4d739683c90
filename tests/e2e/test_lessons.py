"""The lesson pages in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from vitdemo.ui.lessons.order import ORDER

NOT_WIDER = (
    "(main => main.scrollWidth <= main.clientWidth)(document.querySelector('[data-testid=stMain]'))"
)
# Words in cells of tables, and shapes such as 4 × 65 × 64, that span more than one line.
BROKEN_WORDS = r"""[...document.querySelectorAll("td, th")].flatMap(cell => {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), broken = [];
    while (texts.nextNode()) {
        for (const word of texts.currentNode.data.matchAll(/\d+(?:\s×\s\d+)+|\S+/g)) {
            const range = document.createRange();
            range.setStart(texts.currentNode, word.index);
            range.setEnd(texts.currentNode, word.index + word[0].length);
            const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
            if (lines.size > 1) broken.push(word[0]);
        }
    }
    return broken;
})"""
FONT_SIZE = "getComputedStyle(document.documentElement).fontSize"


def test_pages_are_linked_in_order(server, page):
    page.goto(server.url)
    page.get_by_text("per epoch").wait_for()  # a rerun would close the menu
    page.get_by_text("The paper", exact=True).click()
    page.get_by_test_id("stTopNavDropdownLink").filter(has_text=ORDER[0].title).click()
    for number, lesson in enumerate(ORDER, start=1):
        page.get_by_role("heading", name=lesson.title, exact=True).wait_for()
        page.get_by_text(
            f"Section {lesson.section} of the paper · page {number} of {len(ORDER)}"
        ).wait_for()
        if number < len(ORDER):
            page.get_by_test_id("stMain").get_by_role("link", name=ORDER[number].title).click()
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_matrices_are_edited_and_a_question_is_answered(server, page, chart):
    page.goto(f"{server.url}/by_hand")
    chart(page, "3. Softmax: row 1 is 0.23, 0.13, 0.23, 0.41").wait_for()
    keys = page.get_by_label("K", exact=True)
    keys.fill("1 0 0\n1 0 0\n1 0 0\n1 0 0")
    keys.press("Control+Enter")
    chart(page, "3. Softmax: row 1 is 0.25, 0.25, 0.25, 0.25").wait_for()
    page.wait_for_url(re.compile(r"k=1(\+|%20)0(\+|%20)0"))
    page.get_by_test_id("stRadio").first.get_by_text("1", exact=True).click()
    page.get_by_text("every row is 0.25, 0.25, 0.25, 0.25").wait_for()
    page.reload()
    chart(page, "3. Softmax: row 1 is 0.25, 0.25, 0.25, 0.25").wait_for()


def test_url_hides_controls(server, page, chart):
    page.goto(f"{server.url}/by_hand?divisor=none&hide=divisor,heads")
    chart(page, "2. Scaled scores: row 1 is 1.00, 0.00, 1.00, 2.00").wait_for()
    page.get_by_text("Query token", exact=True).wait_for()
    assert page.get_by_text("Divisor", exact=True).count() == 0


def test_start_page_steps_through_the_forward_pass(server, page, chart):
    page.goto(f"{server.url}/start")
    chart(page, "The image split into 64 patches").first.locator(".nsewdrag").click()
    page.get_by_role("heading", name="2. Patches").wait_for()
    page.wait_for_url(re.compile("step=Patches"))
    page.get_by_role("button", name="Next: tokens").click()
    page.get_by_role("heading", name="3. Tokens").wait_for()
    page.get_by_role("link", name="Explore this step").click()
    page.get_by_role("heading", name="From image to tokens", exact=True).wait_for()


def test_presentation_mode_enlarges_the_page(server, page, chart):
    page.goto(f"{server.url}/by_hand?presentation=yes")
    chart(page, "1. Scores").first.wait_for()
    page.get_by_test_id("stMain").get_by_role("link", name="From image to tokens").click()
    split = chart(page, "Test image 0 (cat) split into 64 patches")
    split.wait_for()
    page.wait_for_url(re.compile("presentation=yes"))
    assert page.evaluate(FONT_SIZE) == "22.4px"
    enlarged = split.bounding_box()["height"]
    page.get_by_text("Presentation mode", exact=True).click()
    page.wait_for_url(lambda url: "presentation" not in url)
    page.wait_for_function(f"{FONT_SIZE} == '16px'")
    page.wait_for_timeout(500)
    assert split.bounding_box()["height"] * 1.4 == pytest.approx(enlarged, abs=2)


def test_the_papers_code_runs_beside_its_results(server, page, chart):
    page.goto(f"{server.url}/training")
    page.get_by_role("button", name="Run the paper's code").click()
    chart(page, "Loss by epoch, after epoch 6").wait_for()
    page.get_by_role("columnheader", name="Paper").last.wait_for()
    page.get_by_text("After epoch 6.").wait_for()


def test_tables_keep_words_and_shapes_whole_on_a_phone(server, page):
    page.set_viewport_size({"width": 390, "height": 844})
    for address in ("block?patch=2&width=192", "parameters", "training", "by_hand?reveal=yes"):
        page.goto(f"{server.url}/{address}")
        page.get_by_test_id("stMain").get_by_test_id("stPageLink").last.wait_for()
        assert page.locator("td").count() > 3
        assert page.evaluate(BROKEN_WORDS) == []


def test_pages_fit_a_phone(server, page):
    page.set_viewport_size({"width": 390, "height": 844})
    for lesson in ORDER:
        page.goto(f"{server.url}/{lesson.name}")
        last = ORDER[-2] if lesson == ORDER[-1] else ORDER[ORDER.index(lesson) + 1]
        page.get_by_test_id("stMain").get_by_role(
            "link", name=last.title
        ).last.scroll_into_view_if_needed()
        page.wait_for_function(NOT_WIDER)
