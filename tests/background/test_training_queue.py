"""The queue of runs: complete runs, waiting, sharing the machine, errors."""

import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.background.queue_runs import DIVERGING, TIMEOUT, alone, ended, metrics_of, weights_are
from vitdemo.background import executor, training_queue
from vitdemo.background.training_queue import TrainingQueue
from vitdemo.background.work import SWITCH_INTERVAL
from vitdemo.config import ConfigError, ModelConfig, TrainConfig
from vitdemo.data.cifar10 import load_cifar10
from vitdemo.model import VisionTransformer
from vitdemo.runs.run import list_runs, load_run, load_weights, new_run
from vitdemo.runs.train_run import load_data, train_run
from vitdemo.training.loop import BatchEnd, EpochEnd, train

# Complete runs


@pytest.mark.parametrize("threads", [1, 2])
def test_run_has_the_metrics_of_train(tiny, short, threads):
    queue = TrainingQueue(cores=threads)
    snapshot = ended(queue, queue.submit(tiny, short))
    assert snapshot.run.state == "finished"
    assert snapshot.run.threads == threads
    assert metrics_of(snapshot.run.history) == alone(tiny, short, threads)


def test_run_and_weights_are_on_disk(queue, tiny, short):
    run = ended(queue, queue.submit(tiny, short)).run
    assert load_run(run.id) == run
    torch.set_num_threads(run.threads)
    expected = VisionTransformer(tiny, seed=short.seed)
    list(train(expected, load_cifar10(20, 10), short))
    assert weights_are(load_weights(run), expected)


def test_status_shows_the_progress_of_a_run(queue, tiny, short, watched):
    seen = []
    watched.append(lambda event: seen.append((event, queue.list()[0])))
    last = ended(queue, queue.submit(tiny, short))
    assert len(seen) == 2 * (3 + 1 + 1)
    for event, snapshot in seen:
        assert snapshot.run.state == "running"
        assert snapshot.run.threads == 2
        assert snapshot.epoch == event.epoch
        assert snapshot.seconds_left >= 0
        if isinstance(event, EpochEnd):
            assert len(snapshot.run.history) == event.epoch
        else:
            assert len(snapshot.run.history) == event.epoch - 1
            assert (snapshot.batch, snapshot.batches) == (event.batch, event.batches)
            assert snapshot.phase == ("training" if isinstance(event, BatchEnd) else "validation")
        if isinstance(event, BatchEnd):
            assert snapshot.images_per_second == event.images_per_second > 0
    progress = [snapshot.progress for _, snapshot in seen]
    assert progress == sorted(progress)
    assert 0 < progress[0] < 0.2
    assert seen[4][1].progress == pytest.approx(0.5)  # the end of the first of two epochs
    assert (last.progress, last.seconds_left, last.run.state) == (
        pytest.approx(1.0),
        None,
        "finished",
    )


def test_status_is_immutable(queue, tiny, short, watched):
    seen = []
    watched.append(lambda event: seen.append(queue.list()[0]))
    ended(queue, queue.submit(tiny, short))
    assert [snapshot.batch for snapshot in seen[:3]] == [1, 2, 3]
    assert seen[0].run.history == ()


def test_unknown_run_has_no_status(queue):
    assert queue.snapshot("20260131-120000-0a1b2c") is None
    assert queue.list() == []
    queue.stop("20260131-120000-0a1b2c")


def test_training_sets_a_short_switch_interval(queue, tiny, short):
    ended(queue, queue.submit(tiny, short))
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL)
    assert SWITCH_INTERVAL < 0.001


# Waiting


def test_places_in_the_queue(queue, hold, tiny, short):
    ids = [queue.submit(tiny, short) for _ in range(4)]
    assert [queue.snapshot(run_id).place for run_id in ids] == [1, 2, 3, 4]
    assert {queue.snapshot(run_id).run.state for run_id in ids} == {"waiting"}
    assert [snapshot.run.id for snapshot in queue.list()] == ids[::-1]

    queue.stop(ids[1])
    assert [queue.snapshot(run_id).place for run_id in ids] == [1, 0, 2, 3]
    assert queue.snapshot(ids[1]).run.state == "stopped"

    hold.set()
    assert [ended(queue, run_id).run.state for run_id in ids] == [
        "finished",
        "stopped",
        "finished",
        "finished",
    ]
    assert [queue.snapshot(run_id).place for run_id in ids] == [0, 0, 0, 0]
    assert {run.id for run in list_runs()} == {ids[0], ids[2], ids[3]}


def test_queue_is_busy_while_a_run_trains_or_waits(queue, tiny, short, watched):
    seen, released = [], threading.Event()
    watched.append(lambda event: seen.append(queue.busy()))
    queue.when_idle(lambda: released.wait(TIMEOUT))
    assert not queue.busy()
    run_id = queue.submit(tiny, short)
    assert queue.snapshot(run_id).place == 1
    assert queue.busy()
    released.set()
    ended(queue, run_id)
    assert seen
    assert all(seen)
    assert not queue.busy()


def test_first_epochs_come_in_the_order_of_submission_and_then_one_run_after_another(
    tiny, short, watched
):
    queue = TrainingQueue(cores=1)
    seen, released = [], threading.Event()
    queue.when_idle(lambda: released.wait(TIMEOUT))
    ids = [queue.submit(tiny, replace(short, seed=seed)) for seed in range(4)]
    names = [f"training-{run_id}" for run_id in ids]

    def look(event):
        turn = names.index(threading.current_thread().name), event.epoch
        if isinstance(event, BatchEnd) and turn not in seen:
            seen.append(turn)

    watched.append(look)
    released.set()
    for run_id in ids:
        ended(queue, run_id)
    assert seen[:4] == [(number, 1) for number in range(4)]
    assert sorted(seen[4:]) == [(number, 2) for number in range(4)]


def test_full_queue_refuses_runs(queue, hold, tiny, short, monkeypatch):
    monkeypatch.setattr(training_queue, "MAX_WAITING", 2)
    ids = [queue.submit(tiny, short) for _ in range(2)]
    with pytest.raises(
        ConfigError, match=r"2 runs are waiting already\. Try again when some have finished"
    ):
        queue.submit(tiny, short)
    assert len(queue.list()) == 2
    queue.stop(ids[0])
    ids.append(queue.submit(tiny, short))
    hold.set()
    assert [ended(queue, run_id).run.state for run_id in ids[1:]] == ["finished", "finished"]


# Sharing the machine


@pytest.mark.parametrize("cores", [1, 2, 3])
def test_threads_in_use_never_exceed_the_cores(cores, tiny, short, monkeypatch):
    queue = TrainingQueue(cores=cores)
    released = threading.Event()
    queue.when_idle(lambda: released.wait(TIMEOUT))
    assert queue.threads_in_use() == cores
    used, running = [], {}

    def train_counted(*arguments):
        for event in train(*arguments):
            running[threading.get_ident()] = torch.get_num_threads()
            used.append((queue.threads_in_use(), sum(list(running.values()))))
            if isinstance(event, EpochEnd):  # it may rest now, or go on with other threads
                del running[threading.get_ident()]
            yield event

    monkeypatch.setattr("vitdemo.runs.train_run.train", train_counted)
    ids = [queue.submit(tiny, replace(short, seed=seed)) for seed in range(6)]
    released.set()
    runs = [ended(queue, run_id).run for run_id in ids]
    assert {run.state for run in runs} == {"finished"}
    assert all(1 <= run.threads <= cores for run in runs)
    assert len(used) == 6 * 2 * (3 + 1 + 1)
    assert max(counted for counted, _ in used) == cores
    assert max(real for _, real in used) <= cores
    assert queue.threads_in_use() == 0


@pytest.mark.parametrize(("waiting", "threads"), [(1, [2]), (2, [1, 1]), (3, [1, 1])])
def test_waiting_runs_share_the_cores(queue, hold, tiny, short, waiting, threads):
    one_epoch = replace(short, epochs=1)
    ids = [queue.submit(tiny, replace(one_epoch, seed=seed)) for seed in range(waiting)]
    hold.set()
    assert [ended(queue, run_id).run.threads for run_id in ids][: len(threads)] == threads


def test_run_shares_its_cores_after_an_epoch_and_takes_them_back(queue, tiny, watched):
    recipe = TrainConfig(epochs=6, batch_size=16, train_images=32, validation_images=10)
    first, second, seen = queue.submit(tiny, recipe), [], []

    def submit_and_stop_another(event):
        snapshots = queue.list()
        if not second and event.epoch == 2 and isinstance(event, BatchEnd):
            second.append(queue.submit(tiny, replace(recipe, epochs=500)))
            assert queue.snapshot(second[0]).place == 1
        elif event.epoch == 4 and snapshots[-1].epoch == 4 and len(second) == 1:
            queue.stop(second[0])
            second.append("stopped")
            queue.wait(second[0], TIMEOUT)
        seen.append((snapshots[-1].epoch, snapshots[-1].run.threads))

    def of_the_first(event):
        if threading.current_thread().name == f"training-{first}":
            submit_and_stop_another(event)

    watched.append(of_the_first)
    ended(queue, first)
    used = {epoch: {threads for at, threads in seen if at == epoch} for epoch in range(1, 7)}
    assert used[1] == {2}
    assert used[3] == {1}
    assert used[6] == {2}
    assert queue.snapshot(second[0]).run.state == "stopped"
    assert metrics_of(queue.snapshot(first).run.history) == alone(tiny, recipe)


def test_parallel_runs_have_the_metrics_of_single_runs(queue, hold, watched):
    model = ModelConfig(
        patch_size=8, embed_dim=16, depth=2, num_heads=2, dropout=0.2, attention_dropout=0.1
    )
    recipe = TrainConfig(
        epochs=2,
        batch_size=8,
        train_images=40,
        validation_images=20,
        augmentation="flip_and_translate",
    )
    recipes = [replace(recipe, seed=seed) for seed in (1, 2)]
    step = threading.Barrier(2, timeout=TIMEOUT)
    watched.append(lambda event: step.wait())  # step by step, so that both always run
    ids = [queue.submit(model, recipe) for recipe in recipes]
    hold.set()
    runs = [ended(queue, run_id).run for run_id in ids]
    assert [run.threads for run in runs] == [1, 1]
    for run, recipe in zip(runs, recipes, strict=True):
        assert metrics_of(run.history) == alone(model, recipe)


# Errors


def test_diverged_run_fails_with_its_message_and_history(queue, tiny, short):
    snapshot = ended(queue, queue.submit(tiny, DIVERGING))
    run = snapshot.run
    assert (run.state, snapshot.seconds_left) == ("failed", None)
    assert "The loss is no longer finite at step" in run.message
    assert 0 < len(run.history) < DIVERGING.epochs
    assert load_run(run.id) == run
    assert load_weights(run).config == tiny
    assert ended(queue, queue.submit(tiny, short)).run.state == "finished"


def test_unexpected_error_fails_the_run_and_frees_its_cores(
    queue, tiny, short, monkeypatch, capsys
):
    def broken(*arguments):
        raise ZeroDivisionError("by hand")

    with monkeypatch.context() as patch:
        patch.setattr("vitdemo.runs.train_run.train", broken)
        run = ended(queue, queue.submit(tiny, short)).run
    assert (run.state, run.message) == ("failed", "The run failed: by hand")
    assert load_run(run.id) == run
    assert "ZeroDivisionError" in capsys.readouterr().err  # in the log of the app
    assert queue.threads_in_use() == 0
    assert ended(queue, queue.submit(tiny, short)).run.state == "finished"


@pytest.mark.parametrize(
    ("model", "training", "message"),
    [
        (ModelConfig(), TrainConfig(train_images=6000), "5,000 ship with the project"),
        (
            ModelConfig(),
            TrainConfig(train_images=5000, validation_from="train"),
            "5,000 ship with the project",
        ),
        (ModelConfig(patch_size=1, num_heads=64), TrainConfig(batch_size=1024), "GiB of memory"),
    ],
)
def test_run_that_cannot_be_trained_is_refused_on_submission(
    queue, tiny, short, model, training, message
):
    with pytest.raises(ConfigError, match=message):
        queue.submit(model, training)
    assert queue.list() == []
    assert list_runs() == []
    assert ended(queue, queue.submit(tiny, short)).run.state == "finished"


# Idle tasks


def test_idle_task_gets_all_cores_and_frees_them(queue, tiny, short):
    threads, done = [], threading.Event()

    def task():
        threads.append((torch.get_num_threads(), queue.threads_in_use()))
        done.set()

    assert queue.when_idle(task)
    assert done.wait(TIMEOUT)
    assert threads == [(2, 2)]
    assert ended(queue, queue.submit(tiny, short)).run.threads == 2


def test_idle_task_is_refused_while_a_run_or_task_is_active(queue, hold, tiny, short, watched):
    called = []
    assert not queue.when_idle(lambda: called.append("beside another task"))
    watched.append(
        lambda event: called.append(queue.when_idle(lambda: called.append("beside a run")))
    )
    run_id = queue.submit(tiny, short)
    assert not queue.when_idle(lambda: called.append("before a waiting run"))
    hold.set()
    ended(queue, run_id)
    assert set(called) == {False}


def test_failed_idle_task_frees_the_cores(queue, tiny, short, monkeypatch):
    failures = []
    monkeypatch.setattr(threading, "excepthook", lambda failure: failures.append(failure.exc_type))
    assert queue.when_idle(lambda: 1 / 0)
    assert ended(queue, queue.submit(tiny, short)).run.state == "finished"
    assert failures == [ZeroDivisionError]


# Other


def test_runs_are_listed_after_a_restart(queue, tiny, short):
    runs = [ended(queue, queue.submit(tiny, replace(short, seed=seed))).run for seed in range(2)]
    again = TrainingQueue(cores=2)
    assert again.list() == []
    assert again.snapshot(runs[0].id) is None
    assert sorted(list_runs(), key=lambda run: run.training.seed) == runs


def test_queue_uses_all_available_cores(monkeypatch):
    monkeypatch.setattr(executor, "available_cores", lambda: 5)
    assert TrainingQueue().cores == 5
    assert TrainingQueue(cores=3).cores == 3


@pytest.mark.slow
def test_queue_does_not_load_streamlit_or_plotly():
    modules = "vitdemo.background.training_queue, vitdemo.background.throughput"
    code = f"import sys, {modules}; print(*{{'streamlit', 'plotly'}} & set(sys.modules))"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_list_can_be_read_during_a_submission(queue, hold, tiny, short, monkeypatch):
    queue.submit(tiny, short)
    snapshot = queue.snapshot
    submitted = []

    def submit_meanwhile(run_id):
        if not submitted:
            submitted.append(queue.submit(tiny, short))
        return snapshot(run_id)

    queue.submit(tiny, short)
    monkeypatch.setattr(queue, "snapshot", submit_meanwhile)
    assert len(queue.list()) >= 2


def test_wait_returns_when_a_waiting_run_is_stopped(queue, hold, tiny, short):
    run_id = queue.submit(tiny, short)
    seen = []
    waiting = threading.Thread(target=lambda: seen.append(queue.wait(run_id, TIMEOUT)))
    waiting.start()
    while not queue._changed._waiters:  # until the thread waits
        time.sleep(0.001)
    queue.stop(run_id)
    waiting.join(5)
    assert [snapshot.run.state for snapshot in seen] == ["stopped"]


@pytest.mark.parametrize(
    "change", [{"image_size": 64}, {"in_channels": 1}, {"num_classes": 5}], ids=str
)
def test_model_that_does_not_fit_the_images_is_refused_on_submission(queue, tiny, short, change):
    with pytest.raises(ConfigError):
        queue.submit(replace(tiny, **change), short)


# Forgotten runs, other processes


def test_only_the_last_ended_runs_are_kept_in_memory(queue, tiny, short, monkeypatch):
    monkeypatch.setattr(training_queue, "KEPT", 3)
    ids = [ended(queue, queue.submit(tiny, replace(short, epochs=1))).run.id for _ in range(5)]
    assert [status.run.id for status in queue.list()] == ids[:1:-1]
    assert queue.snapshot(ids[0]) is None
    assert queue.wait(ids[0], TIMEOUT).run == load_run(ids[0])
    assert {run.id for run in list_runs()} == set(ids)


def test_active_runs_are_all_kept(queue, hold, tiny, short, monkeypatch):
    monkeypatch.setattr(training_queue, "KEPT", 1)
    ids = [queue.submit(tiny, short) for _ in range(4)]
    hold.set()
    for run_id in ids:
        assert ended(queue, run_id).run.state == "finished"
    assert [status.run.id for status in queue.list()] == ids[-1:] or len(queue.list()) == 1


def test_run_that_another_process_trains_by_now_stays_as_it_is(queue, hold, tiny, short):
    """Resumed here while it waits, and in the shell meanwhile."""
    run = new_run(tiny, replace(short, epochs=4))
    data = load_data(run)
    with closing(train_run(run, data)) as events:
        next(event for _, event in events if event.epoch == 2)
    queue.resume(run.id)
    with closing(train_run(load_run(run.id), data)) as events:
        next(events)
        hold.set()
        assert "trained by another process" in ended(queue, run.id).run.message
        assert load_run(run.id).state == "running"
        status = queue.status_of(load_run(run.id))
        assert (status.run.state, status.elsewhere) == ("running", True)
    status = queue.status_of(load_run(run.id))
    assert (status.run.state, status.elsewhere) == ("stopped", False)
