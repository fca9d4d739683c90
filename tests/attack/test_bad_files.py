"""Bad pictures and models, sent to the server as the browser sends files."""

import pytest

from tests.attack.aftermath import assert_nothing_leaked, assert_unharmed, is_healthy
from tests.attack.bad_models import models
from tests.attack.bad_pictures import pictures

PICTURES = dict(pictures())
READABLE = {  # bytes that are lost at the end, or lie in the pixels, spoil no picture
    "JPEG cut after",
    "JPEG damaged at",
    "PNG cut after",
    "WEBP damaged at",
}
FINE_MODELS = {"metadata: classes with surrogates", "weights: torch.float64"}
FINE_WEIGHTS = {"plain ViT: torch.float64"}
OTHER_NAMES = ["x.gif", "x.png.exe", "x", "png", ".png\0.gif", "null\0byte.png", "x.svg", ""]


@pytest.fixture(scope="module")
def uploader(visit):
    """Return a visitor whose pictures come from uploads."""
    visitor = visit("attention")
    visitor.set("Picture source", ["Upload"])
    visitor.received.clear()
    return visitor


@pytest.mark.parametrize("name", PICTURES, ids=lambda name: name[:40])
def test_bad_picture_is_refused(uploader, name):
    uploader.upload("Your picture", name, PICTURES[name])
    refused = any("Until then" in text for text in uploader.page.texts("alert"))
    assert refused or name.rsplit(" ", 1)[0] in READABLE
    assert_unharmed(uploader)


def test_bad_models_are_refused(visit, tmp_path):
    visitor = visit("attention")
    for name, content in models(tmp_path):
        visitor.upload("Model file", f"{name}.safetensors", content)
        if visitor.page.has("Open model"):  # weights of timm, whose kind of model is asked for
            visitor.click("Open model")
            assert bool(visitor.page.texts("alert")) == (name not in FINE_WEIGHTS), name
        else:
            assert bool(visitor.page.texts("alert")) == (name not in FINE_MODELS), name
        assert_unharmed(visitor)
    assert not (tmp_path / "executed").exists()  # no pickle was opened


@pytest.mark.parametrize("name", OTHER_NAMES, ids=repr)
def test_streamlit_refuses_other_extensions(visit, name):
    visitor = visit("attention")
    visitor.set("Picture source", ["Upload"])
    visitor.received.clear()
    visitor.upload("Your picture", name, PICTURES["GIF.png"])
    visitor.catch_up()
    assert_nothing_leaked(visitor.received, str(visitor.home))  # an error without any details
    assert is_healthy(visitor.url)
    visitor.close()
