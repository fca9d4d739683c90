"""Old runs are deleted by age, number and bytes; what is kept stays."""

import os
import time
from dataclasses import replace

import pytest

from vitdemo.config import ConfigError
from vitdemo.runs import lock
from vitdemo.runs.about import About, write_about
from vitdemo.runs.run import list_runs, new_run, save_run
from vitdemo.runs.trim import DAY, trim
from vitdemo.runs.trim_limits import Limits, limits

NAMES = {"days": "VITDEMO_KEEP_DAYS", "runs": "VITDEMO_KEEP_RUNS", "gigabytes": "VITDEMO_KEEP_GB"}
OLD = 100  # days


@pytest.fixture(autouse=True)
def no_limits(monkeypatch):
    for name in NAMES.values():
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make(tiny, short):
    """Return a function that saves a run of some bytes, which is `days` old."""

    def saved(days, size=0, state="finished", **about):
        run = replace(new_run(tiny, short), state=state)
        save_run(run)
        (run.folder / "state.pt").write_bytes(bytes(size))
        if about:
            write_about(run.folder, About(**about))
        then = time.time() - days * DAY
        os.utime(run.folder / "config.json", (then, then))
        return run.id

    return saved


def left():
    return {run.id for run in list_runs()}


def test_without_limits_everything_stays(make):
    runs = {make(days, size=10_000) for days in (1, 500, 5000)}
    assert trim() == []
    assert left() == runs


def test_runs_older_than_some_days_are_deleted(make, monkeypatch):
    monkeypatch.setenv("VITDEMO_KEEP_DAYS", "30")
    older, oldest, new = make(31), make(40), make(29.9)
    assert trim() == [oldest, older]
    assert left() == {new}
    assert trim() == []


def test_oldest_runs_are_deleted_until_few_are_left(make, monkeypatch):
    monkeypatch.setenv("VITDEMO_KEEP_RUNS", "2")
    runs = [make(days) for days in (3, 1, 4, 2)]
    assert trim() == [runs[2], runs[0]]
    assert left() == {runs[1], runs[3]}


def test_oldest_runs_are_deleted_until_few_bytes_are_left(make, monkeypatch):
    monkeypatch.setenv("VITDEMO_KEEP_GB", "0.00025")
    runs = [make(days, size=100_000) for days in (3, 1, 4, 2)]
    assert trim() == [runs[2], runs[0]]
    assert left() == {runs[1], runs[3]}


def keep_none(monkeypatch):
    for name in NAMES.values():
        monkeypatch.setenv(name, "0.0000001")


@pytest.mark.parametrize("kept", ["pinned", "shared", "published"])
def test_kept_runs_stay(make, monkeypatch, kept):
    keep_none(monkeypatch)
    stays, goes = make(OLD, **{kept: True}), make(OLD, name="old")
    assert trim() == [goes]
    assert left() == {stays}


def test_run_in_training_stays(make, monkeypatch):
    keep_none(monkeypatch)
    training, waiting, goes = make(OLD, state="running"), make(OLD, state="stopped"), make(OLD)
    held = next(run for run in list_runs() if run.id == training)
    with lock.hold(held.folder):
        assert trim(active={waiting}) == [goes]
    assert trim() == [training, waiting]


def test_damaged_run_stays_until_bytes_count(make, monkeypatch):
    monkeypatch.setenv("VITDEMO_KEEP_DAYS", "1")
    monkeypatch.setenv("VITDEMO_KEEP_RUNS", "1")
    pinned, damaged, unknown = make(OLD, pinned=True), make(OLD), make(OLD)
    folders = {run.id: run.folder for run in list_runs()}
    for run_id in (pinned, damaged, unknown):
        (folders[run_id] / "metrics.jsonl").write_text("{")
    (folders[unknown] / "about.json").write_text("{")
    assert trim() == []
    monkeypatch.setenv("VITDEMO_KEEP_GB", "0.0000001")
    assert trim() == [damaged]
    assert left() == {pinned, unknown}


def test_run_that_was_pinned_by_hand_just_now_stays(make, monkeypatch):
    monkeypatch.setenv("VITDEMO_KEEP_DAYS", "1")
    run_id = make(0.5)
    assert trim() == []
    (folder,) = (run.folder for run in list_runs())
    (folder / "about.json").write_text('{"pinned": true}')
    os.utime(folder / "config.json", (1e9, 1e9))
    assert trim() == []
    assert left() == {run_id}


@pytest.mark.parametrize("name", NAMES.values())
@pytest.mark.parametrize("value", ["0", "-1", "x", "nan", "10 days"])
def test_limit_that_is_no_number_is_refused(make, monkeypatch, capsys, name, value):
    run_id = make(OLD)
    monkeypatch.setenv("VITDEMO_KEEP_DAYS", "1")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name} is '{value}'. Set it to a number above 0"):
        limits()
    assert trim() == []  # nothing is deleted by halves
    assert name in capsys.readouterr().err
    assert left() == {run_id}


@pytest.mark.parametrize("field", NAMES)
def test_limits_are_read_from_the_environment(monkeypatch, field):
    assert limits() == Limits()
    monkeypatch.setenv(NAMES[field], " 1.5 ")
    assert limits() == Limits(**{field: 1.5})
    monkeypatch.setenv(NAMES[field], "")
    assert limits() == Limits()
