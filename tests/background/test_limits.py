"""What the teacher can do to the queue: pause it, and limit what one person may ask of it."""

import json
import logging
from dataclasses import replace

import pytest

from tests.background.queue_runs import alone, ended, metrics_of
from vitdemo.background import events, limits, pace
from vitdemo.background.limits import Limits, check_budget, minutes_of
from vitdemo.config import PRESETS, ConfigError
from vitdemo.runs.about import About
from vitdemo.training.loop import EpochEnd

ADA = About("a", "Ada")


@pytest.fixture
def own_limits(monkeypatch):
    """Return limits that last for one test."""
    mine = Limits()
    for module in ("limits", "training_queue"):
        monkeypatch.setattr(f"vitdemo.background.{module}.LIMITS", mine)
    return mine


def test_paused_run_rests_after_its_epoch_and_goes_on_with_the_same_metrics(
    queue, tiny, short, watched
):
    recipe, seen = replace(short, epochs=4), []

    def pause(event):
        seen.append(event)
        second = [event for event in seen if isinstance(event, EpochEnd)][1:]
        if second == [event]:  # now it is in its third epoch already
            queue.pause(True)

    watched.append(pause)
    run_id = queue.submit(tiny, recipe, ADA)
    while not (queue.snapshot(run_id).paused and queue.snapshot(run_id).place):
        assert queue.snapshot(run_id).run.active
    other = queue.submit(tiny, recipe, About("b"))
    assert queue.threads_in_use() == 0
    status = queue.snapshot(other)
    assert (status.run.state, status.paused, status.starts) == ("waiting", True, None)
    assert (seen[-1].epoch, len(queue.snapshot(run_id).run.history)) == (3, 3)
    queue.pause(False)
    run = ended(queue, run_id).run
    assert (run.state, ended(queue, other).run.state) == ("finished", "finished")
    assert not queue.snapshot(run_id).paused
    assert metrics_of(run.history) == alone(tiny, recipe)


def test_paused_run_can_be_stopped(queue, hold, tiny, short):
    queue.pause(True)
    run_id = queue.submit(tiny, short, ADA)
    hold.set()
    queue.stop(run_id)
    assert ended(queue, run_id).run.state == "stopped"
    queue.pause(False)


def test_run_over_the_budget_is_refused_with_what_would_fit(
    queue, hold, tiny, short, own_limits, monkeypatch
):
    monkeypatch.setattr(pace, "epoch_seconds", lambda model, training: 60.0)
    monkeypatch.setattr(limits, "available_cores", lambda: 1)
    own_limits.minutes = 3.0
    assert minutes_of(tiny, replace(short, epochs=7)) == pytest.approx(7)
    with pytest.raises(ConfigError, match=r"about 7 min .* may take 3 min.* at most 3 epochs"):
        queue.submit(tiny, replace(short, epochs=7), ADA)
    assert queue.list() == []
    queue.submit(tiny, replace(short, epochs=3), ADA)
    queue.submit(tiny, replace(short, epochs=7))  # nobody's: a server that one person uses
    own_limits.minutes = 0.5
    with pytest.raises(ConfigError, match="Choose fewer images, or a smaller model"):
        queue.submit(tiny, short, ADA)


def test_presets_are_within_the_budget(own_limits):
    for model, training in PRESETS.values():
        check_budget(model, training)


def test_teacher_changes_how_many_runs_may_wait(queue, hold, tiny, short, own_limits):
    own_limits.waiting = 1
    queue.submit(tiny, short, ADA)
    with pytest.raises(ConfigError, match="1 of your runs are waiting"):
        queue.submit(tiny, short, ADA)
    own_limits.waiting = 2
    queue.submit(tiny, short, ADA)


def test_each_event_of_a_run_is_one_line_of_json(queue, tiny, short, monkeypatch):
    lines = []
    keeper = logging.Handler()
    keeper.emit = lambda record: lines.append(json.loads(record.getMessage()))
    monkeypatch.setattr(events.LOGGER, "handlers", [keeper])
    before = events.LOGGER.level
    events.LOGGER.setLevel(logging.INFO)
    run_id = queue.submit(tiny, short, ADA)
    ended(queue, run_id)
    events.LOGGER.setLevel(before)
    assert [line["event"] for line in lines] == ["submitted", "started", "ended"]
    assert {line["run"] for line in lines} == {run_id}
    assert {line["owner"] for line in lines} == {"a"}
    assert lines[-1]["state"] == "finished"
    assert lines[-1]["epochs"] == short.epochs
    assert lines[-1]["seconds"] >= lines[1]["seconds"] >= lines[0]["seconds"] == 0
