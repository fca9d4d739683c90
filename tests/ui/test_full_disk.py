"""A disk that is full or read-only is named before Train is pressed, without a path.

Runs then train in memory, and no page opens their models.
"""

import errno
import shutil
import tempfile
from collections import namedtuple

import pytest
from open_app import by_label, open_app

from vitdemo.background.training_queue import QUEUE
from vitdemo.training.loop import train

Usage = namedtuple("Usage", "total used free")


def assert_advice(markdown, path):
    text = markdown.replace("\\", "")
    assert "VITDEMO_HOME" in text
    assert "You can train all the same" in text
    assert str(path) not in text


def test_full_disk_is_said_before_train_is_pressed(monkeypatch, home):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(2**30, 2**30 - 5, 5))
    app = open_app()
    assert not by_label(app.button, "Train").disabled
    assert "0 MB are free" in app.warning[0].value
    assert_advice(app.warning[0].value, home)


def test_home_that_cannot_be_written_is_said_before_train_is_pressed(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("VITDEMO_HOME", str(tmp_path / "file"))
    app = open_app()
    assert not by_label(app.button, "Train").disabled
    assert "Nothing can be saved here" in app.warning[0].value
    assert_advice(app.warning[0].value, tmp_path)


@pytest.mark.parametrize("last_saved", [0, 1])
def test_run_in_memory_shows_its_metrics_and_is_not_offered_as_a_model(
    monkeypatch, home, tiny, short, last_saved
):
    """The disk fills before or after the first of two epochs, whose weights are older then."""

    def refuse(dir, **_):
        raise OSError(errno.ENOSPC, "No space left on device", str(dir))

    def train_while_the_disk_fills(*arguments):
        for event in train(*arguments):
            if event.epoch > last_saved:
                monkeypatch.setattr(tempfile, "mkstemp", refuse)
            yield event

    monkeypatch.setattr("vitdemo.runs.train_run.train", train_while_the_disk_fills)
    run = QUEUE.wait(QUEUE.submit(tiny, short), 60).run
    assert (run.state, len(run.history)) == ("finished", 2)
    assert run.folder.joinpath("weights.safetensors").exists() == bool(last_saved)

    app = open_app(run=run.id)
    (warning,) = [each.value for each in app.warning if "not saved" in each.value]
    assert "No space left on device" in warning
    assert str(home) not in warning
    shown = by_label(app.selectbox, "Run").value
    assert shown == run.id
    assert not app.header  # no results, which would be those of other weights
    assert not [button for button in app.button if button.label == "Resume"]

    app = open_app("pages/attention.py", run=run.id)
    assert "not saved" in app.info[0].value
    assert by_label(app.selectbox, "Model").value != run.id
    assert not app.error


def test_disk_with_space_is_not_mentioned():
    app = open_app()
    assert not by_label(app.button, "Train").disabled
    assert not app.error
    assert not app.warning
