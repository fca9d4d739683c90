import re
import sys
from pathlib import Path

import pytest

from vitdemo.machine import processor, release_memory


def megabytes() -> float:
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="other systems give memory back by themselves")
def test_what_was_freed_goes_back_to_the_system():
    release_memory()
    before = megabytes()
    pieces = [
        bytearray(b"x") * 50_000 for _ in range(4_000)
    ]  # 200 MB, each too small to be mapped by itself
    last = pieces.pop()  # on top of the others, so that they cannot fall off the end
    assert megabytes() > before + 150
    pieces.clear()
    release_memory()
    assert megabytes() < before + 50
    assert len(last) == 50_000


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("called"))
    release_memory()


def test_the_processor_has_a_name():
    assert processor().strip()
