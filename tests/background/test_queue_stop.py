"""The queue of runs: stopping and resuming them."""

import threading
from contextlib import closing
from dataclasses import replace

import pytest

from tests.background.queue_runs import TIMEOUT, alone, ended, metrics_of, weights_are
from vitdemo.background import training_queue
from vitdemo.background.training_queue import TrainingQueue
from vitdemo.config import ConfigError, TrainConfig
from vitdemo.data.cifar10 import load_cifar10
from vitdemo.model import VisionTransformer
from vitdemo.runs.run import load_run, load_weights, new_run
from vitdemo.runs.train_run import load_data, train_run
from vitdemo.training.loop import BatchEnd, EpochEnd, train


def test_stop_takes_effect_after_the_batch(queue, tiny, watched):
    events = []

    def stop_after_the_third(event):
        events.append(event)
        if len(events) == 3:
            queue.stop(queue.list()[0].run.id)  # just before the fourth step

    watched.append(stop_after_the_third)
    config = TrainConfig(epochs=3, batch_size=4, train_images=200, validation_images=10, seed=1)
    snapshot = ended(queue, queue.submit(tiny, config))
    run = snapshot.run
    assert len(events) == 3
    assert (snapshot.batch, run.state, run.history, snapshot.seconds_left) == (
        4,
        "stopped",
        (),
        None,
    )
    assert load_run(run.id) == run
    assert not run.has_weights  # the first epoch was not complete


def test_stop_in_a_later_epoch_keeps_the_complete_epochs(tiny, watched):
    queue = TrainingQueue(cores=1)

    def stop_in_the_second_epoch(event):
        if event.epoch == 2:
            queue.stop(queue.list()[0].run.id)

    watched.append(stop_in_the_second_epoch)
    config = TrainConfig(epochs=4, batch_size=8, train_images=40, validation_images=10)
    run = ended(queue, queue.submit(tiny, config)).run
    assert run.state == "stopped"
    assert metrics_of(run.history) == alone(tiny, config)[:1]
    assert load_run(run.id) == run
    expected = VisionTransformer(tiny, seed=config.seed)
    for event in train(expected, load_cifar10(40, 10), config):
        if isinstance(event, EpochEnd):
            break
    assert weights_are(load_weights(run), expected)  # those of its last metrics


def test_stop_during_validation(queue, tiny, short, watched):
    seen = []

    def stop_in_validation(event):
        seen.append(event)
        if not isinstance(event, BatchEnd):
            queue.stop(queue.list()[0].run.id)

    watched.append(stop_in_validation)
    run = ended(queue, queue.submit(tiny, replace(short, validation_images=300))).run
    assert (run.state, run.history, len(seen)) == ("stopped", (), 4)
    assert not run.has_weights


def test_stop_after_the_last_epoch_changes_nothing(queue, tiny, short):
    run_id = queue.submit(tiny, short)
    ended(queue, run_id)
    queue.stop(run_id)
    assert queue.snapshot(run_id).run.state == "finished"


def test_stop_of_one_run_leaves_others_running(queue, hold, tiny, short, watched):
    ids = [queue.submit(tiny, short) for _ in range(2)]
    watched.append(lambda event: queue.stop(ids[0]))
    hold.set()
    assert ended(queue, ids[0]).run.state == "stopped"
    assert metrics_of(ended(queue, ids[1]).run.history) == alone(tiny, short)


def test_wait_returns_at_its_timeout(queue, hold, tiny, short):
    assert queue.wait(queue.submit(tiny, short), timeout=0.01).run.state == "waiting"


# Resuming


def test_resumed_run_has_the_metrics_of_an_uninterrupted_one(tiny, watched):
    queue = TrainingQueue(cores=1)
    config = TrainConfig(
        epochs=4, batch_size=8, train_images=40, validation_images=10, ema_decay=0.9
    )

    def stop_in_the_second_epoch(event):
        if event.epoch == 2 and isinstance(event, BatchEnd):
            queue.stop(queue.list()[0].run.id)

    watched.append(stop_in_the_second_epoch)
    run_id = queue.submit(tiny, config)
    assert len(ended(queue, run_id).run.history) == 1
    watched.clear()
    assert queue.resume(run_id) == run_id
    status = ended(queue, run_id)
    assert (status.run.state, status.progress) == ("finished", pytest.approx(1.0))
    assert metrics_of(status.run.history) == alone(tiny, config)
    assert load_run(run_id) == status.run
    assert [one.run.id for one in queue.list()] == [run_id]


def test_run_killed_before_its_state_was_saved_is_resumed(tiny, short, watched):
    """Its history then has an epoch more than its state, and this epoch is repeated."""
    queue = TrainingQueue(cores=1)
    run = new_run(tiny, replace(short, epochs=3))
    with closing(train_run(run, load_data(run))) as events:
        for _, event in events:
            if isinstance(event, EpochEnd) and event.epoch == 2:
                break
    assert len(load_run(run.id).history) == 2
    left = []
    watched.append(lambda event: left.append(queue.snapshot(run.id).seconds_left))
    queue.resume(run.id)
    status = ended(queue, run.id)
    assert (status.run.state, status.run.message) == ("finished", "")
    assert metrics_of(status.run.history) == alone(tiny, run.training)
    assert all(seconds >= 0 for seconds in left)


def test_run_that_two_visitors_resume_at_the_same_time_is_queued_once(
    queue, hold, tiny, short, monkeypatch
):
    run = new_run(tiny, short)
    data = load_data(run)
    with closing(train_run(run, data)) as events:
        for _, event in events:
            if event.epoch == 2:
                break
    both = threading.Barrier(2, timeout=TIMEOUT)
    refused = []

    def load_data_together(run):
        both.wait()
        return data

    def resume():
        try:
            queue.resume(run.id)
        except ConfigError as error:
            refused.append(str(error))

    with monkeypatch.context() as patch:
        patch.setattr(training_queue, "load_data", load_data_together)
        visitors = [threading.Thread(target=resume) for _ in range(2)]
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.join()
    hold.set()
    assert refused == [f"Run {run.id} is in the queue already."]
    assert ended(queue, run.id).run.state == "finished"


def test_run_that_cannot_be_resumed_is_refused(queue, hold, tiny, short):
    waiting = queue.submit(tiny, short)
    with pytest.raises(ConfigError, match="is in the queue already"):
        queue.resume(waiting)
    hold.set()
    ended(queue, waiting)
    with pytest.raises(ConfigError, match="cannot be resumed: it has finished"):
        queue.resume(waiting)
    with pytest.raises(ConfigError, match="There is no run"):
        queue.resume("20260131-120000-0a1b2c")


def test_stop_is_seen_before_the_batch_ends(queue, tiny, short, watched):
    in_batch, released = threading.Event(), threading.Event()

    def hold_the_first_batch(event):
        in_batch.set()
        released.wait(TIMEOUT)

    watched.append(hold_the_first_batch)
    run_id = queue.submit(tiny, short)
    assert in_batch.wait(TIMEOUT)
    assert not queue.snapshot(run_id).stopping
    queue.stop(run_id)
    assert (queue.snapshot(run_id).stopping, queue.snapshot(run_id).run.state) == (True, "running")
    released.set()
    status = ended(queue, run_id)
    assert (status.stopping, status.run.state) == (False, "stopped")
