"""A disk that is full or read-only is named before Train is pressed, without a path."""

import shutil
from collections import namedtuple

from open_app import by_label, open_app

Usage = namedtuple("Usage", "total used free")


def assert_advice(markdown, path):
    text = markdown.replace("\\", "")
    assert "VITDEMO_HOME" in text
    assert str(path) not in text


def test_full_disk_is_said_before_train_is_pressed(monkeypatch, home):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(2**30, 2**30 - 5, 5))
    app = open_app()
    assert by_label(app.button, "Train").disabled
    (error,) = app.error
    assert "0 MB are free" in error.value
    assert_advice(error.value, home)


def test_home_that_cannot_be_written_is_said_before_train_is_pressed(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("VITDEMO_HOME", str(tmp_path / "file"))
    app = open_app()
    assert by_label(app.button, "Train").disabled
    assert "Nothing can be saved here" in app.error[0].value
    assert_advice(app.error[0].value, tmp_path)


def test_disk_with_space_is_not_mentioned():
    app = open_app()
    assert not by_label(app.button, "Train").disabled
    assert not app.error
