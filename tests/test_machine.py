import re
import sys
from pathlib import Path

import pytest

from vitdemo import machine
from vitdemo.machine import busy_fraction, processor, release_memory


def megabytes() -> float:
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="needs glibc and /proc")
def test_release_memory_returns_freed_memory_to_the_system():
    release_memory()
    before = megabytes()
    # 200 MB in pieces that are too small to get a memory map of their own.
    pieces = [bytearray(b"x") * 50_000 for _ in range(4_000)]
    last = pieces.pop()  # keeps the top of the heap in use, which otherwise shrinks by itself
    assert megabytes() > before + 150
    pieces.clear()
    release_memory()
    assert megabytes() < before + 50
    assert len(last) == 50_000


def test_release_memory_does_nothing_on_other_systems(monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("called"))
    release_memory()


def test_busy_fraction_counts_the_ticks_of_all_cores(monkeypatch):
    ticks = [(1000, 4000), (1150, 4200)]  # idle, all
    monkeypatch.setattr(machine, "_ticks", lambda: ticks.pop(0))
    assert busy_fraction(0) == pytest.approx(1 / 4)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_ticks_are_those_of_this_machine():
    idle, total = machine._ticks()
    assert 0 < idle < total


def test_busy_fraction_of_this_process_where_the_machine_tells_nothing(monkeypatch):
    monkeypatch.setattr(machine, "_ticks", lambda: (0, 0))
    assert 0 <= busy_fraction(0.05) < 0.5


def test_processor_has_a_name():
    assert processor().strip()
