"""A visitor's own picture: read once, kept over pages, and removed."""

import io

import numpy as np
import pytest
import torch
from open_app import by_label, captions_of, open_app
from PIL import Image

from vitdemo.data import uploads
from vitdemo.runs.pretrained import crop, pretrained_runs
from vitdemo.ui.picture_picker import cropped_note

PAGE = "pages/attention.py"
KEPT = "The model sees "


def png(width=40, height=30, color="teal"):
    file = io.BytesIO()
    Image.new("RGB", (width, height), color).save(file, "PNG")
    return "picture.png", file.getvalue(), "image/png"


def opened(run):
    app = open_app(PAGE, run=run.id)
    return app.button_group(key="source").set_value("Upload").run()


def picture_of(app):
    """Return the alternative text of the picture on the page."""
    return app.session_state["drawn"]["picture_chart"][0]


@pytest.fixture
def read(monkeypatch):
    """Return the list of all contents that are decoded."""
    contents = []

    def counted(content):
        contents.append(content)
        return uploads.read_picture(content)

    monkeypatch.setattr("vitdemo.ui.own_picture.read_picture", counted)
    return contents


def test_upload_is_read_once_and_kept_over_a_page_change(saved_run, read):
    app = opened(saved_run)
    by_label(app.file_uploader, "Your picture").set_value(png()).run()
    for _ in range(2):
        app.run()
    app.switch_page("pages/train.py").run()
    app.switch_page(PAGE).run()
    assert not app.exception
    assert picture_of(app).startswith("your picture")
    assert "The model sees the central square: 75% of the width." in captions_of(app)
    assert len(read) == 1
    by_label(app.file_uploader, "Your picture").set_value(png()).run()
    assert len(read) == 1  # the same content


def test_upload_is_kept_while_another_source_is_shown(saved_run, read):
    app = opened(saved_run)
    by_label(app.file_uploader, "Your picture").set_value(png(color="red")).run()
    app.button_group(key="source").set_value("Validation").run()
    assert picture_of(app).startswith("validation image 0")
    app.button_group(key="source").set_value("Upload").run()
    assert picture_of(app).startswith("your picture")
    assert len(read) == 1


def test_removed_picture_gives_way_to_the_validation_image(saved_run):
    app = opened(saved_run)
    by_label(app.file_uploader, "Your picture").set_value(png()).run()
    next(button for button in app.button if button.label == "Remove this picture").click().run()
    assert picture_of(app).startswith("validation image 0")
    assert KEPT not in captions_of(app)


def test_an_error_goes_when_the_next_picture_comes(saved_run):
    app = opened(saved_run)
    by_label(app.file_uploader, "Your picture").set_value(
        ("notes.png", b"only text", "image/png")
    ).run()
    assert len(app.error) == 1
    assert picture_of(app).startswith("validation image 0")
    by_label(app.file_uploader, "Your picture").set_value(png()).run()
    assert not app.error
    assert picture_of(app).startswith("your picture")
    by_label(app.file_uploader, "Your picture").set_value(
        ("notes.png", b"only text", "image/png")
    ).run()
    assert len(app.error) == 1


@pytest.mark.parametrize(
    ("size", "says"),
    [
        ((50, 50), "The model sees the whole picture."),
        ((80, 20), "The model sees the central square: 25% of the width. The rest is cropped."),
        ((20, 80), "The model sees the central square: 25% of the height. The rest is cropped."),
    ],
)
def test_what_is_cropped_is_said(saved_run, size, says):
    assert cropped_note(saved_run, *size) == says


def test_pretrained_model_crops_the_square_as_well():
    run = next(run for run in pretrained_runs() if run.id == "vit_b_16")
    marked = np.zeros((3, 512, 1024), np.uint8)
    marked[0] = np.linspace(0, 255, 1024)[None]  # red: where it lies across
    marked[1] = np.linspace(0, 255, 512)[:, None]
    seen = crop(run.id, torch.from_numpy(marked)).numpy().astype(float)
    width, height = (np.ptp(seen[channel]) / 255 for channel in (0, 1))
    assert (width, height) == pytest.approx((0.44, 0.88), abs=0.01)
    assert "44% of the width and 88% of the height" in cropped_note(run, 1024, 512)
