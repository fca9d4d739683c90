import re
import subprocess
import sys
from pathlib import Path

import pytest

from vitdemo import machine
from vitdemo.machine import (
    available_cores,
    available_memory,
    busy_fraction,
    processor,
    release_memory,
    share_arenas,
)


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


ARENAS = """
import ctypes, sys, threading
from vitdemo.machine import share_arenas

if "share" in sys.argv:
    share_arenas()
arrived = threading.Barrier(12)
def allocate():
    piece = bytearray(1000)
    arrived.wait()
    return piece
threads = [threading.Thread(target=allocate) for _ in range(12)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs glibc")
def test_threads_share_the_arenas_of_memory(tmp_path):
    counts = {}
    for way in ("share", "alone"):
        file = tmp_path / way
        subprocess.run([sys.executable, "-c", ARENAS, str(file), way], check=True)
        counts[way] = file.read_text().count("<heap nr=")
    assert counts["share"] <= available_cores() < counts["alone"]


def test_memory_of_other_systems_is_left_alone(monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("called"))
    release_memory()
    share_arenas.__wrapped__()


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


@pytest.mark.parametrize("version", [0, 1])
def test_memory_of_a_container(monkeypatch, tmp_path, version):
    whole = available_memory()
    files = [tmp_path / "memory.max", tmp_path / "memory.limit_in_bytes"]
    monkeypatch.setattr(machine, "MEMORY_LIMITS", [str(file) for file in files])
    assert available_memory() == whole
    files[version].write_text("1073741824\n")
    assert available_memory() == 2**30
    files[version].write_text("max\n")
    assert available_memory() == whole


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
def test_memory_that_a_shell_allows():
    command = "from vitdemo.machine import available_memory; print(available_memory())"
    limited = f"ulimit -d {2**21}; exec {sys.executable} -c '{command}'"  # in kB
    assert int(subprocess.check_output(["bash", "-c", limited])) == 2**31


def test_processor_has_a_name():
    assert processor().strip()
