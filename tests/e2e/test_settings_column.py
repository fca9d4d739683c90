"""A change of a setting on the Train page runs the settings again, and the run beside them only
where it depends on them."""

import pytest
from playwright.sync_api import expect

from tests.protocol import Visitor

SETTINGS = "train_images=100&validation_images=100&epochs=1&depth=1"


@pytest.fixture
def visitor(server):
    with Visitor(server.url, "", SETTINGS) as visitor:
        visitor.run()
        visitor.until(lambda: visitor.page.has("Run"))
        yield visitor


def drawn(visitor: Visitor) -> set[str]:
    """Return the labels of the widgets that the server has sent since this was last asked."""
    elements = [message.delta.new_element for message in visitor.received]
    visitor.received.clear()
    kinds = [(element, element.WhichOneof("type")) for element in elements]
    return {getattr(getattr(element, kind), "label", "") for element, kind in kinds if kind}


def parameters(visitor: Visitor) -> str:
    return visitor.page.find("metric", "Parameters").body


def headings(visitor: Visitor) -> list[str]:
    return [heading.body for _, heading in visitor.page.all("heading")]


def test_setting_changes_costs_and_url_and_draws_no_run(visitor):
    drawn(visitor)
    before = parameters(visitor)
    visitor.set("Depth", [2.0])
    sent = drawn(visitor)
    assert "Depth" in sent
    assert "Run" not in sent
    assert parameters(visitor) != before
    assert "depth=2" in visitor.query
    assert "run=vit" in visitor.query


def test_papers_code_is_explained_beside_its_settings(visitor):
    visitor.click("Paper's code")
    assert visitor.page.has("Use AdamW instead")
    assert "preset=annotation" in visitor.query
    visitor.set("Depth", [2.0])
    assert not visitor.page.has("Use AdamW instead")


def test_new_run_is_shown_at_once(visitor):
    shown = visitor.query
    visitor.click("Train")
    assert visitor.page.has("Stop")
    assert "run=vit" in shown
    assert "run=vit" not in visitor.query
    visitor.until(lambda: "Metrics after the last epoch" in headings(visitor))


def test_group_of_settings_is_filled_when_it_is_opened(server, page):
    page.goto(f"{server.url}/?{SETTINGS}")
    batch_size = page.get_by_role("slider", name="Batch size")
    summary = page.locator("summary").filter(has_text="Training")
    expect(summary).to_be_visible()
    expect(batch_size).to_have_count(0)
    summary.click()
    expect(batch_size).to_be_visible()
    summary.click()
    expect(batch_size).to_have_count(0)
    expect(page.get_by_role("slider", name="Depth")).to_be_visible()
