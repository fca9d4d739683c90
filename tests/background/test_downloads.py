import threading

import pytest

from vitdemo.background import downloads
from vitdemo.background.downloads import FULL_SET, Download, download_status, start_download
from vitdemo.config import ConfigError
from vitdemo.data import cifar10
from vitdemo.data.cifar10 import ARCHIVE, ARCHIVE_BYTES
from vitdemo.files import CIFAR10_FILES, full_set_on_disk
from vitdemo.runs import pretrained

TIMEOUT = 60  # seconds


class Simulated(threading.Event):
    """A download that waits until it is set, and then calls its `result`."""

    started = 0

    def result(self):
        """Do nothing."""

    def __call__(self, *_):
        self.started += 1
        self.wait(TIMEOUT)
        self.result()


@pytest.fixture
def download(monkeypatch):
    """Replace the download of the full set by a simulated one."""
    simulated = Simulated()
    monkeypatch.setattr(cifar10, "download_full_set", simulated)
    monkeypatch.setattr(downloads, "_threads", {})
    monkeypatch.setattr(downloads, "_errors", {})
    yield simulated
    simulated.set()


def finish(download):
    download.set()
    downloads._threads[FULL_SET].join(TIMEOUT)


def put_files(home):
    folder = home / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in CIFAR10_FILES:
        (folder / name).write_bytes(b"")


def test_status_before_any_download(download):
    assert download_status(FULL_SET) == Download("absent")
    assert not full_set_on_disk()


def test_set_on_disk_is_done(download, home):
    put_files(home)
    assert download_status(FULL_SET) == Download("done", 1.0)


@pytest.mark.parametrize("missing", CIFAR10_FILES)
def test_set_with_a_missing_file_is_absent(download, home, missing):
    put_files(home)
    (home / "data" / "cifar-10-batches-py" / missing).unlink()
    assert download_status(FULL_SET) == Download("absent")


def test_fraction_of_a_running_download(download, home):
    start_download(FULL_SET)
    assert download_status(FULL_SET) == Download("running", 0.0)
    (home / "data").mkdir()
    with (home / "data" / ARCHIVE).open("wb") as file:
        file.truncate(ARCHIVE_BYTES // 2)
    assert download_status(FULL_SET) == Download("running", pytest.approx(0.5))


def test_second_start_does_not_download_twice(download, home):
    download.result = lambda: put_files(home)
    start_download(FULL_SET)
    start_download(FULL_SET)
    finish(download)
    assert download.started == 1
    assert download_status(FULL_SET) == Download("done", 1.0)


def test_failed_download_has_a_message_and_can_be_repeated(download, home):
    def fail():
        raise ConfigError("The download of CIFAR-10 failed (no route).")

    download.result = fail
    start_download(FULL_SET)
    finish(download)
    assert download_status(FULL_SET) == Download(
        "failed", message="The download of CIFAR-10 failed (no route)."
    )

    download.result = lambda: put_files(home)
    start_download(FULL_SET)
    finish(download)
    assert download_status(FULL_SET) == Download("done", 1.0)


def test_unexpected_error_fails_the_download(download, capfd):
    def fail():
        raise ZeroDivisionError("by hand")

    download.result = fail
    start_download(FULL_SET)
    finish(download)
    message = "The download failed (by hand). Try again."
    assert download_status(FULL_SET) == Download("failed", message=message)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_fraction_of_pretrained_weights(download, home, monkeypatch):
    monkeypatch.setattr(pretrained, "download_weights", download)
    assert download_status("vit_b_16") == Download("absent")
    start_download("vit_b_16")
    path = pretrained.download_file("vit_b_16")
    path.parent.mkdir(parents=True)
    with path.with_name(f"{path.name}.0123abc.partial").open("wb") as file:
        file.truncate(int(pretrained.megabytes_of("vit_b_16") * 2**20 / 4))
    assert download_status("vit_b_16") == Download("running", pytest.approx(0.25))
    download.result = lambda: pretrained.weights_file("vit_b_16").write_bytes(b"")
    download.set()
    downloads._threads["vit_b_16"].join(TIMEOUT)
    assert download_status("vit_b_16") == Download("done", 1.0)
