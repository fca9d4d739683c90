"""The pages of the annotation without a browser, under Streamlit's AppTest."""

import re

import pytest
from open_app import by_label, captions_of, open_app

from vitdemo.ui.lessons.order import ORDER

each_page = pytest.mark.parametrize("place", ORDER, ids=lambda place: place.name)


def words_of(app) -> str:
    return "\n".join(text.value for text in (*app.markdown, *app.caption))


def controls_of(app) -> list:
    return [*app.text_area, *app.get("button_group"), *app.select_slider]


@each_page
def test_it_opens_says_where_one_is_and_leaves_the_address_bare(place):
    app = open_app(place.script)
    assert not app.warning
    assert not app.error
    assert app.title[0].value == place.title
    assert f"Section {place.section} of the annotation · page {ORDER.index(place) + 1} of {len(ORDER)}" in captions_of(
        app
    )
    assert dict(app.query_params) == {}


@each_page
def test_it_asks_before_it_tells(place):
    app = open_app(place.script)
    assert 2 <= len(app.radio) <= 4
    assert "Not quite" not in words_of(app)
    assert "**Right.**" not in words_of(app)
    for number in range(len(app.radio)):
        app.radio[number].set_value(app.radio[number].options[0]).run()
        assert not app.exception
    assert len(re.findall(r"\*\*(Right\.|Not quite\.)\*\*", words_of(app))) == len(app.radio)


@each_page
def test_what_is_said_of_the_code_is_in_the_code(place):
    app = open_app(place.script)
    shown = [expander for expander in app.expander if expander.label.startswith("The code that runs")]
    assert shown
    for expander in shown:
        (code,) = expander.code
        for name in re.findall("`([^`]+)`", expander.label + expander.markdown[0].value):
            assert name.rpartition(".")[2] in code.value


@each_page
def test_controls_can_be_hidden_by_the_address(place):
    app = open_app(place.script)
    hidden = ",".join(control.key.removeprefix(f"{place.name}-") for control in controls_of(app))
    assert hidden
    app = open_app(place.script, hide=hidden)
    assert not app.warning
    assert not controls_of(app)
    assert dict(app.query_params) == {"hide": hidden}


def test_numbers_that_one_edits_are_worked_out():
    app = open_app("pages/by_hand.py")
    assert "Row 1: 0.23, 0.13, 0.23, 0.41, together 1.00." in captions_of(app)
    by_label(app.text_area, "K").set_value("1 1 1\n1 1 1\n1 1 1\n1 1 1").run()
    assert "Row 1: 0.25, 0.25, 0.25, 0.25, together 1.00." in captions_of(app)
    assert dict(app.query_params) == {"k": "1 1 1;1 1 1;1 1 1;1 1 1"}
    by_label(app.text_area, "K").set_value("1 1\n1").run()
    assert app.error[0].value == "Write 4 lines of 3 numbers each, with spaces between, such as 1 0 -0.5."
    app = open_app("pages/by_hand.py", k="1 1 1;1 1 1;1 1 1;1 1 1", row=2, divisor="none")
    assert "Row 2: 0.25, 0.25, 0.25, 0.25, together 1.00." in captions_of(app)
    assert dict(app.query_params) == {"k": "1 1 1;1 1 1;1 1 1;1 1 1", "row": "2", "divisor": "none"}


def test_an_address_that_asks_for_what_is_not_there():
    app = open_app("pages/by_hand.py", heads=5, colour="red")
    assert "heads=5, which is not offered: use 1, 2, 3, 4, 6" in app.warning[0].value
    assert "'colour', which this page does not know" in app.warning[0].value
