"""Values that no browser would send, for every widget of the pages.

Values of the right kind, with any content, must do no harm. Streamlit itself stumbles over those of
another kind; it then shows an error without any details, and only to whoever sent it.
"""

import pytest
from websockets.exceptions import ConnectionClosedError

from tests.attack.aftermath import assert_nothing_leaked, assert_unharmed, is_healthy
from tests.attack.bad_values import (
    OTHER_KINDS,
    ROUNDS,
    clicks_of_nothing,
    states_of_round,
    widgets_of,
)
from tests.protocol import widget_state

PAGES = ["", "attention", "by_hand", "start", "image_to_tokens"]
PAGES += [f"attention?view={view}" for view in ("ablation", "heads")]
FEWEST = 40  # bad values of one page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page or "train")
def test_bad_contents_do_no_harm(visit, page):
    path, _, query = page.partition("?")
    visitor = visit(path, query)
    sent = set()
    for number in range(ROUNDS):
        states = states_of_round(visitor, number)
        sent |= {state.SerializeToString() for state in states}
        visitor.run(*states)
        assert_unharmed(visitor)
    assert len(sent) >= FEWEST
    visitor.close()


@pytest.mark.parametrize("sent", clicks_of_nothing())
def test_component_that_reports_no_click(visit, sent):
    visitor = visit("attention")
    components = [name for name, field in widgets_of(visitor) if field == "json_trigger_value"]
    visitor.run(*(widget_state(name, "json_trigger_value", sent) for name in components))
    assert_unharmed(visitor)
    visitor.close()


@pytest.mark.parametrize(("field", "value"), OTHER_KINDS, ids=lambda part: repr(part)[:20])
@pytest.mark.parametrize("page", ["", "attention", "by_hand"], ids=lambda page: page or "train")
def test_values_of_another_kind_tell_nothing(visit, page, field, value):
    visitor = visit(page)
    visitor.run(*(widget_state(name, field, value) for name, _ in widgets_of(visitor)))
    visitor.catch_up()
    assert_nothing_leaked(visitor.received, str(visitor.home))
    assert is_healthy(visitor.url)
    visitor.close()


@pytest.mark.parametrize("field", ["string_value", "trigger_value", "json_value", "bytes_value"])
def test_widgets_that_do_not_exist(visit, field):
    value = {"trigger_value": True, "bytes_value": b"x"}.get(field, "x")
    names = ["$$ID-0-run", "$$ID-", "$$ID-\0", "$$ID-<b>", "$$ID-" + "x" * 10_000]
    visitor = visit("attention")
    visitor.run(*(widget_state(name, field, value) for name in names))
    assert_unharmed(visitor)
    assert visitor.page.has("Model")
    visitor.close()


@pytest.mark.parametrize("name", ["", "x", "__class__", "\0", "<b>", "own_upload", "has_cls"])
def test_names_that_are_no_id_tell_nothing(visit, name):
    visitor = visit("attention")
    visitor.run(widget_state(name, "string_value", "/etc/passwd"))
    visitor.catch_up()
    assert_nothing_leaked(visitor.received, str(visitor.home))
    assert is_healthy(visitor.url)
    visitor.close()


def test_disabled_button_does_nothing(visit):
    visitor = visit("", "run=vit")
    assert visitor.page.widget("Stop")[1].disabled
    visitor.click("Stop")
    assert_unharmed(visitor)
    visitor.close()


def test_too_much_is_refused(visit):
    visitor = visit()
    with pytest.raises(ConnectionClosedError, match="1009"):
        visitor.run(widget_state("$$ID-x", "string_value", "x" * 26 * 2**20))
    assert is_healthy(visitor.url)
