"""A disk that is full or read-only is found before work begins; leftovers of a kill are removed."""

import multiprocessing
import os
import shutil
import time
from collections import namedtuple

import pytest

from vitdemo.config import PRESETS, ConfigError
from vitdemo.costs import run_bytes
from vitdemo.files import (
    pretrained_folder,
    reason,
    remove_leftovers,
    runs_folder,
    write_atomically,
)
from vitdemo.machine import check_disk
from vitdemo.runs.run import list_runs, new_run
from vitdemo.runs.train_run import load_data, train_run

Usage = namedtuple("Usage", "total used free")


def without_space(monkeypatch, free):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(2**40, 2**40 - free, free))


def test_disk_with_space_is_accepted_and_left_empty(tmp_path):
    check_disk(tmp_path / "runs", 1000)
    assert list((tmp_path / "runs").iterdir()) == []


def test_full_disk_is_refused_with_numbers_and_advice(tmp_path, monkeypatch):
    without_space(monkeypatch, 3 * 2**20)
    check_disk(tmp_path, 3 * 2**20)
    with pytest.raises(ConfigError) as caught:
        check_disk(tmp_path, 20 * 2**20)
    assert "This needs 20 MB on the disk, and 3 MB are free." in str(caught.value)
    assert "VITDEMO_HOME" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("error", [30, 28, 13])
def test_disk_that_cannot_be_written_is_refused(tmp_path, monkeypatch, error):
    def refuse(dir, **_):
        raise OSError(error, os.strerror(error), str(dir))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(ConfigError) as caught:
        check_disk(tmp_path, 1)
    assert os.strerror(error) in str(caught.value)
    assert "VITDEMO_HOME" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_home_below_a_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("VITDEMO_HOME", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="Not a directory"):
        check_disk(runs_folder(), 1)
    assert list_runs() == []
    remove_leftovers()


def test_nothing_is_written_for_a_run_that_has_no_space(tiny, short, monkeypatch):
    run = new_run(tiny, short)
    without_space(monkeypatch, 1000)
    with pytest.raises(ConfigError, match="VITDEMO_HOME"):
        next(train_run(run, load_data(run)))
    assert not run.folder.exists()


@pytest.mark.parametrize("preset", PRESETS)
def test_run_needs_no_more_than_is_asked_for(preset, short):
    """Trained for two epochs on 20 images: the largest files are the same in a long run."""
    run = new_run(PRESETS[preset][0], short)
    list(train_run(run, load_data(run)))
    written = sum(path.stat().st_size for path in run.folder.rglob("*") if path.is_file())
    assert written < run_bytes(run.model) < 200 * 2**20


def test_reason_names_no_path():
    assert (
        reason(OSError(28, "No space left on device", "/srv/secret")) == "No space left on device"
    )
    assert reason(ValueError("by hand")) == "by hand"
    assert reason(MemoryError()) == "MemoryError"


# Leftovers


def made(path, age=100.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_leftovers_are_removed_and_all_else_stays(saved_run):
    kept = {path for path in runs_folder().rglob("*") if path.is_file()}
    left = [
        made(saved_run.folder / ".a.part"),
        made(saved_run.snapshots_folder / ".b.part"),
        made(pretrained_folder() / ".c.part"),
        made(pretrained_folder() / "vit_b_16-c867db91.pth.0a1b.partial"),
        made(pretrained_folder() / "vit_b_16-c867db91.pth"),
    ]
    kept |= {
        made(pretrained_folder() / "vit_b_16.safetensors"),
        made(pretrained_folder() / "vit_l_16.pth.0a1b.partial", age=1.0),  # being downloaded
        made(saved_run.folder / ".d.part", age=0.0),  # just made
        made(saved_run.folder / "notes.part.txt"),
    }
    remove_leftovers()
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def write_and_wait(path, ready):
    """Write a file, and wait for ever in the middle."""

    def wait(*_):
        ready.set()
        time.sleep(600)

    os.fsync = wait
    write_atomically(path, b"x" * 1000)


@pytest.mark.slow
def test_part_file_of_a_live_process_stays_until_it_is_killed(home):
    folder = runs_folder() / "20260131-120000-0a1b2c"
    starting = multiprocessing.get_context("spawn")
    ready = starting.Event()
    process = starting.Process(
        target=write_and_wait, args=(folder / "config.json", ready), daemon=True
    )
    process.start()
    assert ready.wait(60)
    (part,) = folder.iterdir()
    os.utime(part, (0, 0))
    remove_leftovers()
    assert part.exists()
    process.kill()
    process.join()
    remove_leftovers()
    assert not part.exists()
