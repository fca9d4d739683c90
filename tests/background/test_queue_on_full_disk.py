"""Runs on a disk that is full or read-only go on in memory, and what is on disk fits together."""

import errno
import os
import subprocess
import tempfile
import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from tests.background.queue_runs import DIVERGING, TIMEOUT, alone, ended, metrics_of
from vitdemo.background.training_queue import TrainingQueue
from vitdemo.config import ConfigError
from vitdemo.files import runs_folder
from vitdemo.machine import DiskError
from vitdemo.runs import train_run as saving
from vitdemo.runs.run import list_runs, load_run, load_weights
from vitdemo.runs.train_run import can_resume
from vitdemo.training.loop import BatchEnd, EpochEnd, evaluate

FULL = "No space left on device"


@pytest.fixture
def recipe(short):
    return replace(short, epochs=3)


@pytest.fixture
def disk(monkeypatch):
    """Return a disk that refuses every file while `disk.full` is set, as the system would."""
    full, make = threading.Event(), tempfile.mkstemp

    def refuse(dir, **names):
        if full.is_set():
            raise OSError(errno.ENOSPC, FULL, os.path.join(dir, ".x.part"))
        return make(dir=dir, **names)

    monkeypatch.setattr("vitdemo.files.tempfile.mkstemp", refuse)
    return full


def test_run_ends_in_memory_when_the_disk_fills(queue, disk, tiny, recipe, watched, home):
    watched.append(lambda event: disk.set() if event.epoch == 2 else None)
    run_id = queue.submit(tiny, recipe)
    run = ended(queue, run_id).run
    assert (run.state, run.message, run.unsaved) == ("finished", "", FULL)
    assert metrics_of(run.history) == alone(tiny, recipe, run.threads)
    assert not run.has_weights  # those on disk are older than its metrics
    assert not can_resume(run)

    saved = load_run(run_id)
    assert saved.history == run.history[:1]
    data = saving.load_data(saved)
    measured = evaluate(load_weights(saved), data.validation)
    assert measured == pytest.approx(saved.history[0]["validation"])
    assert queue.status_of(saved).run == run
    assert str(home) not in run.unsaved


def test_run_is_saved_as_soon_as_there_is_space_again(queue, disk, tiny, recipe, watched):
    seen = []

    def free_after_the_first_epoch(event):
        if isinstance(event, BatchEnd):
            seen.append((event.epoch, queue.list()[0].run.unsaved))
        elif isinstance(event, EpochEnd):
            disk.clear()

    disk.set()
    watched.append(free_after_the_first_epoch)
    run = ended(queue, queue.submit(tiny, recipe)).run
    assert dict(seen) == {1: FULL, 2: FULL, 3: ""}
    assert (run.state, run.unsaved) == ("finished", "")
    assert load_run(run.id) == run
    assert metrics_of(run.history) == alone(tiny, recipe, run.threads)


def test_disk_that_is_full_from_the_start(queue, hold, disk, tiny, recipe):
    disk.set()
    run_id = queue.submit(tiny, recipe)
    assert (queue.snapshot(run_id).run.state, queue.snapshot(run_id).run.unsaved) == (
        "waiting",
        FULL,
    )
    hold.set()
    run = ended(queue, run_id).run
    assert (run.state, run.unsaved) == ("finished", FULL)
    assert metrics_of(run.history) == alone(tiny, recipe, run.threads)
    assert list_runs() == []


def test_home_that_cannot_be_written(queue, tiny, recipe, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("VITDEMO_HOME", str(tmp_path / "file"))
    run = ended(queue, queue.submit(tiny, recipe)).run
    assert (run.state, run.unsaved) == ("finished", "Not a directory")
    assert len(run.history) == 3


@pytest.mark.parametrize("state", ["finished", "failed"])
def test_only_the_end_is_refused(queue, disk, tiny, recipe, monkeypatch, state):
    def refuse(*arguments, kept=saving._save_end):
        disk.set()
        kept(*arguments)

    monkeypatch.setattr(saving, "_save_end", refuse)
    run = ended(queue, queue.submit(tiny, DIVERGING if state == "failed" else recipe)).run
    assert (run.state, run.unsaved) == (state, FULL)
    assert run.message.startswith("The loss is no longer finite") == (state == "failed")
    assert load_run(run.id).state == "stopped"


def test_stop_of_a_run_in_memory_keeps_its_metrics(queue, disk, tiny, recipe, watched):
    def stop_in_the_second_epoch(event):
        if event.epoch == 2:
            queue.stop(queue.list()[0].run.id)

    disk.set()
    watched.append(stop_in_the_second_epoch)
    run = ended(queue, queue.submit(tiny, recipe)).run
    assert (run.state, run.unsaved, len(run.history)) == ("stopped", FULL, 1)
    with pytest.raises(ConfigError, match="There is no run"):
        queue.resume(run.id)


def test_refused_snapshots_do_not_matter(queue, tiny, recipe, monkeypatch):
    def full(*_):
        raise DiskError(FULL)

    monkeypatch.setattr(saving, "take_snapshot", full)
    run = ended(queue, queue.submit(tiny, recipe)).run
    assert (run.state, run.unsaved) == ("finished", "")
    assert load_run(run.id) == run


@pytest.mark.parametrize("full", [False, True])
def test_no_epoch_is_repeated_where_memory_is_short(full, disk, tiny, recipe, watched):
    """With room for one run, others leave the memory between epochs, but none that is unsaved."""
    queue = TrainingQueue(cores=1, memory=1)
    released, steps = threading.Event(), []
    queue.when_idle(lambda: released.wait(TIMEOUT))
    watched.append(lambda event: steps.append(event) if isinstance(event, BatchEnd) else None)
    if full:
        disk.set()
    recipes = [replace(recipe, seed=seed) for seed in range(3)]
    ids = [queue.submit(tiny, each) for each in recipes]
    released.set()
    for run_id, each in zip(ids, recipes, strict=True):
        run = ended(queue, run_id).run
        assert metrics_of(run.history) == alone(tiny, each)
        assert run.unsaved == (FULL if full else "")
    assert len(steps) == 3 * 3 * 3


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    """Return a disk of 200 kB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk")
    monkeypatch.setenv("VITDEMO_HOME", str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("read_only", [False, True])
def fill(folder):
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while file.write(bytes(512)):
            pass


def make_read_only(folder):
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(fill, FULL), (make_read_only, "Read-only file system")],
    ids=["full", "read-only"],
)
def test_real_disk(queue, small_disk, tiny, recipe, watched, spoil, reason):
    def spoil_in_the_second_epoch(event):
        if isinstance(event, BatchEnd) and (event.epoch, event.batch) == (2, 1):
            spoil(small_disk)

    watched.append(spoil_in_the_second_epoch)
    run = ended(queue, queue.submit(tiny, recipe)).run
    assert (run.state, run.unsaved) == ("finished", reason)
    assert metrics_of(run.history) == alone(tiny, recipe, run.threads)
    assert load_run(run.id).history == run.history[:1]
    assert list(runs_folder().rglob("*.part")) == []
