import threading

import pytest

from vitdemo.background import downloads
from vitdemo.background.downloads import (
    ARCHIVE,
    ARCHIVE_BYTES,
    FULL_SET,
    Fetch,
    fetch_status,
    start_fetch,
)
from vitdemo.config import ConfigError
from vitdemo.files import CIFAR10_FILES, full_set_on_disk

TIMEOUT = 60  # seconds


@pytest.fixture
def download(monkeypatch):
    """A download that waits until it is released and then does what its `result` does."""

    class Download(threading.Event):
        begun = 0

        def result(self):
            """Nothing."""

    event = Download()

    def download_full_set():
        event.begun += 1
        event.wait(TIMEOUT)
        event.result()

    monkeypatch.setattr(downloads, "download_full_set", download_full_set)
    monkeypatch.setattr(downloads, "_threads", {})
    monkeypatch.setattr(downloads, "_errors", {})
    yield event
    event.set()


def finish(download):
    download.set()
    downloads._threads[FULL_SET].join(TIMEOUT)


def put_files(home):
    folder = home / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in CIFAR10_FILES:
        (folder / name).write_bytes(b"")


def test_before_anything_is_fetched(download):
    assert fetch_status(FULL_SET) == Fetch("absent")
    assert not full_set_on_disk()


def test_a_set_that_is_there_needs_no_download(download, home):
    put_files(home)
    assert fetch_status(FULL_SET) == Fetch("done", 1.0)


@pytest.mark.parametrize("missing", CIFAR10_FILES)
def test_a_set_of_which_one_file_is_missing_is_absent(download, home, missing):
    put_files(home)
    (home / "data" / "cifar-10-batches-py" / missing).unlink()
    assert fetch_status(FULL_SET) == Fetch("absent")


def test_the_share_that_has_arrived(download, home):
    start_fetch(FULL_SET)
    assert fetch_status(FULL_SET) == Fetch("running", 0.0)
    (home / "data").mkdir()
    with (home / "data" / ARCHIVE).open("wb") as file:
        file.truncate(ARCHIVE_BYTES // 2)
    assert fetch_status(FULL_SET) == Fetch("running", pytest.approx(0.5))


def test_a_second_start_waits_for_the_first(download, home):
    download.result = lambda: put_files(home)
    start_fetch(FULL_SET)
    start_fetch(FULL_SET)
    finish(download)
    assert download.begun == 1
    assert fetch_status(FULL_SET) == Fetch("done", 1.0)


def test_a_download_that_fails_says_why_and_can_be_tried_again(download, home):
    def fail():
        raise ConfigError("The full CIFAR-10 could not be fetched (no route).")

    download.result = fail
    start_fetch(FULL_SET)
    finish(download)
    assert fetch_status(FULL_SET) == Fetch(
        "failed", message="The full CIFAR-10 could not be fetched (no route)."
    )

    download.result = lambda: put_files(home)
    start_fetch(FULL_SET)
    finish(download)
    assert fetch_status(FULL_SET) == Fetch("done", 1.0)


def test_an_error_that_nobody_expected_is_told(monkeypatch):
    def fail():
        raise ZeroDivisionError("by hand")

    monkeypatch.setattr(threading, "excepthook", lambda failure: None)
    monkeypatch.setattr(downloads, "download_full_set", fail)
    monkeypatch.setattr(downloads, "_errors", {})
    monkeypatch.setattr(downloads, "_threads", {})
    downloads.start_fetch(FULL_SET)
    downloads._threads[FULL_SET].join(TIMEOUT)
    assert downloads.fetch_status(FULL_SET).state == "failed"
