"""`train_run`: what is on disk however a run ends, and that a resumed run is bit-identical."""

import json
from dataclasses import replace

import pytest
import torch

from vitdemo.config import ConfigError, ModelConfig, TrainConfig
from vitdemo.data.cifar10 import Data, load_cifar10
from vitdemo.files import write_atomically
from vitdemo.model import VisionTransformer
from vitdemo.runs.checkpoint import load_checkpoint
from vitdemo.runs.run import epoch_record, list_runs, load_run, load_weights, new_run
from vitdemo.runs.snapshots import list_snapshots
from vitdemo.runs.train_run import load_data, resumable_run, train_run
from vitdemo.training.loop import (
    BatchEnd,
    EpochEnd,
    TrainingDiverged,
    ValidationBatchEnd,
    evaluate,
    train,
)

MODEL = ModelConfig(patch_size=16, embed_dim=8, depth=1, num_heads=2, dropout=0.2)
RECIPE = TrainConfig(
    epochs=3,
    batch_size=8,
    train_images=20,  # 3 steps per epoch
    validation_images=10,
    augmentation="flip_and_translate",
    mixup=0.5,
    ema_decay=0.9,
    precision="float32",
    seed=3,
)
DIVERGING = replace(
    RECIPE, epochs=60, learning_rate=10.0, weight_decay=10.0, mixup=0.0, ema_decay=0.0
)
FILES = {"config.json", "metrics.jsonl", "weights.safetensors", "snapshots"}


@pytest.fixture
def run():
    return new_run(MODEL, RECIPE)


@pytest.fixture
def data(run):
    return load_data(run)


def files_of(run):
    return {path.name for path in run.folder.iterdir()}


def contents_of(run):
    return {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}


def metrics_of(run):
    return [(record["epoch"], record["train"], record["validation"]) for record in run.history]


def stop_at(run, data, epoch, kind):
    """Train until the first event of that kind in that epoch, and close the generator."""
    events = train_run(run, data)
    next(event for _, event in events if isinstance(event, kind) and event.epoch == epoch)
    events.close()
    return load_run(run.id)


def assert_weights_and_metrics_belong_together(run, data):
    assert evaluate(load_weights(run), data.validation) == pytest.approx(
        run.history[-1]["validation"], abs=1e-6
    )


def assert_same(run, other):
    assert metrics_of(run) == metrics_of(other)
    one, two = (load_weights(each).state_dict() for each in (run, other))
    assert all(torch.equal(one[name], two[name]) for name in one)


# Finished runs


def test_finished_run_is_on_disk(run, data):
    last, _ = list(train_run(run, data))[-1]
    finished = load_run(run.id)
    assert (finished.state, finished.message, finished.threads) == ("finished", "", 1)
    assert finished == replace(last, state="finished")
    assert [record["epoch"] for record in finished.history] == [1, 2, 3]
    assert files_of(finished) == FILES
    assert list_runs() == [finished]
    assert_weights_and_metrics_belong_together(finished, data)


def test_run_has_the_events_metrics_and_weights_of_train(run, data):
    model = VisionTransformer(MODEL, seed=RECIPE.seed)
    expected = list(train(model, data, RECIPE))
    found = [event for _, event in train_run(run, data)]
    assert [type(event) for event in found] == [type(event) for event in expected]
    ends = [epoch_record(event) for event in expected if isinstance(event, EpochEnd)]
    finished = load_run(run.id)
    assert metrics_of(finished) == [(end["epoch"], end["train"], end["validation"]) for end in ends]
    weights = load_weights(finished).state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())


def test_yielded_run_is_the_run_on_disk(run, data):
    for now, event in train_run(run, data):
        assert (now.id, now.state) == (run.id, "running")
        assert load_run(run.id) == now
        assert len(now.history) == (event.epoch if isinstance(event, EpochEnd) else event.epoch - 1)


def test_run_is_on_disk_before_its_first_step(run, data):
    events = train_run(run, data)
    next(events)
    started = load_run(run.id)
    assert (started.state, started.history, started.has_weights) == ("running", (), False)
    events.close()


# Stopped runs


@pytest.mark.parametrize("kind", [BatchEnd, ValidationBatchEnd])
def test_run_stopped_in_an_epoch_keeps_the_last_complete_one(run, data, kind):
    stopped = stop_at(run, data, 3, kind)
    assert (stopped.state, stopped.message, len(stopped.history)) == ("stopped", "", 2)
    assert files_of(stopped) == FILES | {"state.pt"}
    assert torch.load(stopped.state_file, weights_only=True)["epoch"] == 2
    assert_weights_and_metrics_belong_together(stopped, data)
    assert resumable_run(run.id) == stopped


def test_run_stopped_at_the_end_of_an_epoch_keeps_it(run, data):
    """The state is saved after the event, so the epoch is repeated when the run resumes."""
    stopped = stop_at(run, data, 2, EpochEnd)
    assert (stopped.state, len(stopped.history)) == ("stopped", 2)
    assert torch.load(stopped.state_file, weights_only=True)["epoch"] == 1
    assert_weights_and_metrics_belong_together(stopped, data)


def test_run_stopped_in_its_first_epoch_has_no_weights(run, data):
    stopped = stop_at(run, data, 1, ValidationBatchEnd)
    assert (stopped.state, stopped.history) == ("stopped", ())
    assert not stopped.has_weights
    assert not stopped.state_file.exists()
    assert resumable_run(run.id) == stopped  # it starts again


def test_run_stopped_after_its_last_epoch_is_finished(run, data):
    stopped = stop_at(run, data, 3, EpochEnd)
    assert (stopped.state, len(stopped.history)) == ("finished", 3)
    assert not stopped.state_file.exists()


@pytest.mark.parametrize("writes", range(2, 14))  # the first two make a new run
def test_run_broken_off_between_two_writes_shows_what_its_weights_have(
    run, data, monkeypatch, writes
):
    """As by a kill: after some writes, nothing is written any more."""
    left = [writes]

    def write_until(path, content):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        write_atomically(path, content)

    with monkeypatch.context() as patch:
        for module in ("runs.run", "runs.checkpoint", "training.state"):
            patch.setattr(f"vitdemo.{module}.write_atomically", write_until)
        with pytest.raises(KeyboardInterrupt):
            list(train_run(run, data))
    broken = load_run(run.id)
    assert broken.state == "stopped"
    assert list_runs() == [broken]
    if not broken.has_weights:
        assert broken.history == ()
        return
    assert_weights_and_metrics_belong_together(broken, data)
    assert load_checkpoint(broken.weights)[1]["history"] == list(broken.history)
    last = list_snapshots(broken)[-1]
    assert (last.weights, last.epochs) == (broken.weights, len(broken.history))
    assert last.accuracy == broken.history[-1]["validation"]["accuracy"]
    if broken.state_file.exists():
        list(train_run(broken, data))
        assert len(load_run(run.id).history) == RECIPE.epochs


# Failed runs


def failing_train(error, epoch):
    """Return a `train` that raises an error after the first step of an epoch."""

    def train_and_fail(*arguments):
        for event in train(*arguments):
            yield event
            if event.epoch == epoch:
                raise error

    return train_and_fail


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ZeroDivisionError("by hand"), "The run failed: by hand"),
        (MemoryError(), "The run failed: MemoryError"),
    ],
)
def test_run_with_an_error_is_failed_and_keeps_its_epochs(run, data, monkeypatch, error, message):
    monkeypatch.setattr("vitdemo.runs.train_run.train", failing_train(error, 2))
    with pytest.raises(type(error)):
        list(train_run(run, data))
    failed = load_run(run.id)
    assert (failed.state, failed.message, len(failed.history)) == ("failed", message, 1)
    assert_weights_and_metrics_belong_together(failed, data)
    assert resumable_run(run.id) == failed


def test_interrupt_stops_the_run(run, data, monkeypatch):
    monkeypatch.setattr("vitdemo.runs.train_run.train", failing_train(KeyboardInterrupt(), 2))
    with pytest.raises(KeyboardInterrupt):
        list(train_run(run, data))
    stopped = load_run(run.id)
    assert (stopped.state, stopped.message, len(stopped.history)) == ("stopped", "", 1)
    assert_weights_and_metrics_belong_together(stopped, data)


def test_diverged_run_is_failed_with_its_message(data):
    run = new_run(MODEL, DIVERGING)
    with pytest.raises(TrainingDiverged) as caught:
        list(train_run(run, data))
    failed = load_run(run.id)
    assert (failed.state, failed.message) == ("failed", str(caught.value))
    assert 0 < len(failed.history) < DIVERGING.epochs


def test_error_while_saving_the_last_epoch_is_not_a_finished_run(run, data, monkeypatch):
    def no_space(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("vitdemo.training.loop.save_state", no_space)
    with pytest.raises(OSError, match="No space left"):
        list(train_run(run, data))
    failed = load_run(run.id)
    assert (failed.state, len(failed.history)) == ("failed", 1)
    assert failed.message == "The run failed: No space left on device"


# Resumed runs


@pytest.mark.parametrize(
    ("epoch", "kind"), [(2, BatchEnd), (2, ValidationBatchEnd), (2, EpochEnd), (3, BatchEnd)]
)
def test_resumed_run_is_bit_identical_to_an_uninterrupted_one(run, data, epoch, kind):
    whole = new_run(MODEL, RECIPE)
    list(train_run(whole, data))
    stop_at(run, data, epoch, kind)
    torch.manual_seed(99)
    list(train_run(resumable_run(run.id), data))
    resumed = load_run(run.id)
    assert (resumed.state, files_of(resumed)) == ("finished", FILES)
    assert_same(resumed, load_run(whole.id))


def test_run_is_bit_identical_when_stopped_in_every_epoch(run, data):
    whole = new_run(MODEL, RECIPE)
    list(train_run(whole, data))
    stop_at(run, data, 2, BatchEnd)
    stop_at(resumable_run(run.id), data, 3, BatchEnd)
    list(train_run(resumable_run(run.id), data))
    assert_same(load_run(run.id), load_run(whole.id))


def test_failed_run_resumes_without_its_message(run, data, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("vitdemo.runs.train_run.train", failing_train(ValueError("x"), 2))
        with pytest.raises(ValueError, match="x"):
            list(train_run(run, data))
    list(train_run(resumable_run(run.id), data))
    resumed = load_run(run.id)
    assert (resumed.state, resumed.message, len(resumed.history)) == ("finished", "", 3)


# Runs that cannot be trained


def test_run_with_a_damaged_state_stays_as_it_was(run, data):
    stopped = stop_at(run, data, 3, BatchEnd)
    stopped.state_file.write_bytes(b"damaged")
    before = contents_of(stopped)
    with pytest.raises(ConfigError, match="not a complete training state"):
        list(train_run(stopped, data))
    assert contents_of(stopped) == before
    assert load_run(run.id) == stopped


def test_run_with_the_state_of_other_settings_keeps_its_weights_and_metrics(run, data):
    stopped = stop_at(run, data, 3, BatchEnd)
    other = replace(stopped, training=replace(RECIPE, seed=4))
    with pytest.raises(ConfigError, match="belongs to a run with other settings"):
        list(train_run(other, data))
    loaded = load_run(run.id)
    assert (loaded.state, loaded.history) == ("stopped", stopped.history)
    assert_weights_and_metrics_belong_together(loaded, data)


@pytest.mark.parametrize(
    ("model", "recipe", "message"),
    [
        (replace(MODEL, image_size=64), RECIPE, "Change in_channels or image_size"),
        (replace(MODEL, in_channels=1), RECIPE, "Change in_channels or image_size"),
        (replace(MODEL, num_classes=5), RECIPE, "Raise num_classes"),
        (ModelConfig(patch_size=1, num_heads=64), replace(RECIPE, batch_size=1024), "GiB"),
    ],
    ids=["image size", "channels", "classes", "memory"],
)
def test_nothing_is_written_for_a_run_that_cannot_be_trained(data, model, recipe, message):
    run = new_run(model, recipe)
    with pytest.raises(ConfigError, match=message):
        next(train_run(run, data))
    assert not run.folder.exists()
    assert list_runs() == []


def test_nothing_is_written_for_a_run_without_images(run, data):
    with pytest.raises(ConfigError, match="at least one training and one validation image"):
        next(train_run(run, Data(data.train[:0], data.validation)))
    assert not run.folder.exists()


# Data


@pytest.mark.parametrize("source", ["test", "train"])
def test_load_data_returns_the_images_of_the_configuration(source):
    training = replace(RECIPE, validation_from=source)
    data, expected = load_data(new_run(MODEL, training)), load_cifar10(20, 10, source)
    for split, other in ((data.train, expected.train), (data.validation, expected.validation)):
        assert torch.equal(split.images, other.images)
        assert torch.equal(split.labels, other.labels)


def test_precision_is_decided_once_and_kept_with_the_run(run, data, monkeypatch):
    automatic = replace(run, training=replace(RECIPE, precision="auto"))
    decided = {"name": "bfloat16"}
    monkeypatch.setattr("vitdemo.training.precision.fastest_precision", lambda: decided["name"])
    events = train_run(automatic, data)
    next(event for _, event in events if event.epoch == 2)
    events.close()
    stopped = load_run(run.id)
    assert (stopped.precision, stopped.training.precision) == ("bfloat16", "auto")
    decided["name"] = "float32"
    list(train_run(stopped, data))
    assert load_run(run.id).precision == "bfloat16"
    definite = new_run(MODEL, replace(RECIPE, precision="bfloat16"))
    list(train_run(definite, data))
    for once, again in zip(load_run(definite.id).history, load_run(run.id).history, strict=True):
        assert (once["train"], once["validation"]) == (again["train"], again["validation"])


def test_run_of_an_earlier_version_without_a_precision_is_resumed(run, data):
    events = train_run(replace(run, training=replace(RECIPE, precision="auto")), data)
    next(event for _, event in events if event.epoch == 2)
    events.close()
    config = json.loads((run.folder / "config.json").read_text())
    del config["precision"]
    (run.folder / "config.json").write_text(json.dumps(config))
    state = torch.load(run.state_file, weights_only=True)
    state["of"][1]["precision"] = "auto"
    torch.save(state, run.state_file)
    assert load_run(run.id).precision == ""
    list(train_run(load_run(run.id), data))
    assert load_run(run.id).state == "finished"
    assert load_run(run.id).precision in ("float32", "bfloat16")
