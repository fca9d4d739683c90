"""Downloads in the background, with their progress, of what is too large to ship."""

import threading
import traceback
from dataclasses import dataclass

from ..config import ConfigError
from ..data import cifar10
from ..files import full_set_on_disk, reason
from ..runs import pretrained

FULL_SET = "cifar10"


@dataclass(frozen=True)
class Download:
    """The state of a download."""

    state: str  # "absent", "running", "done" or "failed"
    fraction: float = 0.0  # of its bytes
    message: str = ""  # why it failed


_lock = threading.Lock()
_threads: dict[str, threading.Thread] = {}
_errors: dict[str, str] = {}


def start_download(name: str) -> None:
    """Start a download, unless it is running.

    Args:
        name: FULL_SET, or a key of PRETRAINED.
    """
    with _lock:
        if _running(name):
            return
        _errors.pop(name, None)
        thread = threading.Thread(target=_work, args=(name,), name=f"download-{name}", daemon=True)
        _threads[name] = thread
        thread.start()


def download_status(name: str) -> Download:
    """Return the state of a download."""
    if _running(name):
        return Download("running", min(1.0, _fraction(name)))
    if name in _errors:
        return Download("failed", message=_errors[name])
    on_disk = full_set_on_disk() if name == FULL_SET else pretrained.weights_file(name).is_file()
    return Download("done", 1.0) if on_disk else Download("absent")


def _running(name: str) -> bool:
    return name in _threads and _threads[name].is_alive()


def _fraction(name: str) -> float:
    if name == FULL_SET:
        return cifar10.downloaded_bytes() / cifar10.ARCHIVE_BYTES
    return pretrained.downloaded_bytes(name) / (pretrained.megabytes_of(name) * 2**20)


def _work(name: str) -> None:
    try:
        if name == FULL_SET:
            cifar10.download_full_set()
        else:
            pretrained.download_weights(name)
    except ConfigError as error:
        _errors[name] = str(error)
    except Exception as error:
        traceback.print_exc()
        _errors[name] = f"The download failed ({reason(error)}). Try again."
