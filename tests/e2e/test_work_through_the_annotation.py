"""The pages of the annotation in a real browser."""

import re

from playwright.sync_api import expect

from vitdemo.ui.lessons.order import ORDER


def test_one_goes_through_the_pages_in_their_order(server, page):
    page.goto(server.url)
    page.get_by_text("per epoch").wait_for()  # a rerun would close the menu
    page.get_by_text("The annotation", exact=True).click()
    page.get_by_test_id("stTopNavDropdownLink").filter(has_text=ORDER[0].title).click()
    for number, place in enumerate(ORDER, start=1):
        page.get_by_role("heading", name=place.title, exact=True).wait_for()
        page.get_by_text(f"Section {place.section} of the annotation · page {number} of {len(ORDER)}").wait_for()
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
