"""The visitor without a browser sees and does what one with a browser would."""

import pytest

from tests.protocol import Visitor
from vitdemo.files import SHIPPED


@pytest.fixture
def visitor(server):
    with Visitor(server.url, "attention", "layer=2") as visitor:
        visitor.run()
        yield visitor


def test_page_of_the_url_is_drawn(visitor):
    assert visitor.page.find("heading").body == "What does the model attend to?"
    assert visitor.query == "run=vit&layer=2"
    _, layer = visitor.page.widget("Layer")
    assert list(layer.options) == list("123456")


def test_value_of_a_widget_counts_and_stays(visitor):
    visitor.set("Layer", ["4"])
    assert visitor.query == "run=vit&layer=4"
    visitor.set("Token", "all patches")
    visitor.set("Presentation mode", True)
    assert "layer=4" in visitor.query
    assert "presentation=yes" in visitor.query


def test_what_a_run_leaves_out_is_gone(visitor):
    assert visitor.page.has("Image number")
    visitor.set("Picture source", ["Upload"])
    assert not visitor.page.has("Image number")
    assert visitor.page.find("file_uploader", "Your picture")


def test_upload_and_click(visitor):
    visitor.upload("Model file", "mine.safetensors", (SHIPPED / "vit.safetensors").read_bytes())
    assert visitor.query.startswith("run=own-")
    assert visitor.page.texts("alert") == []


def test_click_counts_once(server):
    with Visitor(server.url) as visitor:
        visitor.run()
        visitor.click("Hybrid")
        assert "preset=hybrid" in visitor.query
        visitor.set("Depth", [1.0])
        visitor.run()
        assert "preset=hybrid" not in visitor.query
