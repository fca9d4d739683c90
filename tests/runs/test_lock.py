"""The lock of a run between real processes: who trains it is seen, and a killed one is not."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from vitdemo.background.training_queue import TrainingQueue
from vitdemo.config import ConfigError
from vitdemo.runs import lock
from vitdemo.runs.delete import delete_run
from vitdemo.runs.run import list_runs, load_run, new_run
from vitdemo.runs.train_run import load_data, resumable_run, train_run

ROOT = Path(__file__).parents[2]
TIMEOUT = 60
TRAIN = [
    "train",
    "--preset",
    "annotation",
    "--epochs",
    "500",
    "--train-images",
    "40",
    "--validation-images",
    "10",
    "--depth",
    "1",
    "--embed-dim",
    "8",
    "--num-heads",
    "1",
    "--patch-size",
    "16",
    "--batch-size",
    "8",
    "--warmup-epochs",
    "0",
    "--threads",
    "1",
]


def until(condition):
    """Wait until a condition holds, and return its value."""
    end = time.monotonic() + TIMEOUT
    while not (value := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return value


@pytest.fixture
def in_shell():
    """Return a process that trains a run as in the shell."""
    process = subprocess.Popen(
        [sys.executable, "-m", "vitdemo", *TRAIN],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield process
    process.kill()
    process.wait()


def running():
    """Return the first run that is listed as running and can be resumed once it has ended."""
    return [run for run in list_runs() if run.state == "running" and run.state_file.exists()]


@pytest.mark.slow
def test_run_of_another_process_is_running_until_it_is_killed(in_shell):
    (run,) = until(running)
    who = json.loads((run.folder / "lock").read_text())
    assert who["process"] == in_shell.pid
    assert time.time() - lock.last_alive(run.folder) < 30
    assert load_run(run.id).state == "running"
    for refused in (resumable_run, TrainingQueue(cores=1).resume, delete_run):
        with pytest.raises(ConfigError, match="train"):
            refused(run.id)
    shell = subprocess.run(
        [sys.executable, "-m", "vitdemo", "train", "--resume", run.id],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert shell.returncode != 0
    assert "trained by another process" in shell.stderr
    assert load_run(run.id).state == "running"

    in_shell.kill()
    in_shell.wait()
    (left,) = list_runs()
    assert (left.id, left.state, load_run(run.id).state) == (run.id, "stopped", "stopped")
    assert (left.folder / "lock").exists()
    queue = TrainingQueue(cores=1)
    queue.resume(run.id)
    until(lambda: len(queue.snapshot(run.id).run.history) > len(left.history))
    queue.stop(run.id)
    resumed = queue.wait(run.id, TIMEOUT).run
    assert resumed.state == "stopped"
    assert resumed.history[: len(left.history) - 1] == left.history[:-1]
    assert not (left.folder / "lock").exists()


def test_run_is_trained_by_one_at_a_time(tiny, short):
    run = new_run(tiny, short)
    data = load_data(run)
    events = train_run(run, data)
    next(events)
    assert load_run(run.id).state == "running"
    with pytest.raises(ConfigError, match="is being trained by another process"):
        next(train_run(run, data))
    assert load_run(run.id).state == "running"  # the second has changed nothing
    events.close()
    assert load_run(run.id).state == "stopped"
    assert not lock.is_held(run.folder)
    list(train_run(run, data))
    assert load_run(run.id).state == "finished"


def test_lock_is_held_within_its_block_only(tmp_path):
    with lock.hold(tmp_path / "run") as alive:
        alive()
        assert lock.is_held(tmp_path / "run")
    assert not lock.is_held(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_whoever_looks_does_not_keep_a_run_from_starting(tmp_path):
    with lock.hold(tmp_path):
        pass
    (tmp_path / "lock").touch()  # left by a process that was killed
    done, seen = threading.Event(), []

    def look():
        while not done.is_set():
            seen.append(lock.is_held(tmp_path))

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    try:
        until(lambda: len(seen) > 100)
        assert not any(seen[:100])  # nor do they see each other as the trainer
        with lock.hold(tmp_path):
            pass
    finally:
        done.set()
        for looker in lookers:
            looker.join()


def test_signs_of_life_are_noted_once_a_second(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(lock.time, "monotonic", lambda: now[0])
    noted = []
    with lock.hold(tmp_path) as alive:
        monkeypatch.setattr(os, "utime", noted.append)
        for step in range(25):
            now[0] = 100 + step / 10
            alive()
    assert len(noted) == 2


def test_without_locks_a_recent_sign_of_life_counts(tmp_path, monkeypatch):
    """As on Windows, and on disks that have no locks."""
    monkeypatch.setattr(lock, "lock", lambda *_, **__: None)
    monkeypatch.setattr(lock, "PAUSE", 0.0)
    with lock.hold(tmp_path):
        assert lock.is_held(tmp_path)
        with pytest.raises(ConfigError, match="trained by another"), lock.hold(tmp_path):
            pass
        os.utime(tmp_path / "lock", (0, 0))
        assert not lock.is_held(tmp_path)
        with lock.hold(tmp_path):
            pass
