"""The pages of the annotation in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from vitdemo.ui.lessons.order import ORDER

NOT_WIDER = (
    "(main => main.scrollWidth <= main.clientWidth)(document.querySelector('[data-testid=stMain]'))"
)
LETTERS = "getComputedStyle(document.documentElement).fontSize"


def test_one_goes_through_the_pages_in_their_order(server, page):
    page.goto(server.url)
    page.get_by_text("per epoch").wait_for()  # a rerun would close the menu
    page.get_by_text("The paper", exact=True).click()
    page.get_by_test_id("stTopNavDropdownLink").filter(has_text=ORDER[0].title).click()
    for number, place in enumerate(ORDER, start=1):
        page.get_by_role("heading", name=place.title, exact=True).wait_for()
        page.get_by_text(
            f"Section {place.section} of the paper · page {number} of {len(ORDER)}"
        ).wait_for()
        if number < len(ORDER):
            page.get_by_test_id("stMain").get_by_role("link", name=ORDER[number].title).click()
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_numbers_are_edited_and_a_question_is_answered(server, page, chart):
    page.goto(f"{server.url}/by_hand")
    chart(page, "3. Softmax: row 1 is 0.23, 0.13, 0.23, 0.41").wait_for()
    keys = page.get_by_label("K", exact=True)
    keys.fill("1 0 0\n1 0 0\n1 0 0\n1 0 0")
    keys.press("Control+Enter")
    chart(page, "3. Softmax: row 1 is 0.25, 0.25, 0.25, 0.25").wait_for()
    page.wait_for_url(re.compile(r"k=1(\+|%20)0(\+|%20)0"))
    page.get_by_text("1/4", exact=True).click()
    page.get_by_text("the first weight is 0.25").wait_for()
    page.reload()
    chart(page, "3. Softmax: row 1 is 0.25, 0.25, 0.25, 0.25").wait_for()


def test_a_teachers_address_hides_controls(server, page, chart):
    page.goto(f"{server.url}/by_hand?divisor=none&hide=divisor,heads")
    chart(page, "2. Divided: row 1 is 1.00, 0.00, 1.00, 2.00").wait_for()
    page.get_by_text("Asking token", exact=True).wait_for()
    assert page.get_by_text("Divide by", exact=True).count() == 0


def test_the_live_picture_is_stepped_through(server, page, chart):
    page.goto(f"{server.url}/start")
    chart(page, "The picture cut into 64 patches").first.locator(".nsewdrag").click()
    page.get_by_role("heading", name="2. Patches").wait_for()
    page.wait_for_url(re.compile("step=Patches"))
    page.get_by_role("button", name="Next: tokens").click()
    page.get_by_role("heading", name="3. Tokens").wait_for()
    page.get_by_role("link", name="Take this step apart").click()
    page.get_by_role("heading", name="From image to tokens", exact=True).wait_for()


def test_a_page_is_shown_large(server, page, chart):
    page.goto(f"{server.url}/by_hand?large=yes")
    chart(page, "1. Scores").first.wait_for()
    page.get_by_test_id("stMain").get_by_role("link", name="From image to tokens").click()
    cut = chart(page, "A cat cut into 64 patches")
    cut.wait_for()
    page.wait_for_url(re.compile("large=yes"))
    assert page.evaluate(LETTERS) == "22.4px"
    large = cut.bounding_box()["height"]
    page.get_by_text("Large", exact=True).click()
    page.wait_for_url(lambda address: "large" not in address)
    page.wait_for_function(f"{LETTERS} == '16px'")
    page.wait_for_timeout(500)
    assert cut.bounding_box()["height"] * 1.4 == pytest.approx(large, abs=2)


def test_the_papers_listing_runs_beside_its_results(server, page, chart):
    page.goto(f"{server.url}/training")
    page.get_by_role("button", name="Run the paper's listing").click()
    chart(page, "Loss by epoch, after epoch 6").wait_for()
    page.get_by_role("columnheader", name="Paper").last.wait_for()
    page.get_by_text("After epoch 6.").wait_for()


def test_no_page_is_wider_than_a_phone(server, page):
    page.set_viewport_size({"width": 390, "height": 844})
    for place in ORDER:
        page.goto(f"{server.url}/{place.name}")
        last = ORDER[-2] if place == ORDER[-1] else ORDER[ORDER.index(place) + 1]
        page.get_by_test_id("stMain").get_by_role(
            "link", name=last.title
        ).last.scroll_into_view_if_needed()
        page.wait_for_function(NOT_WIDER)
