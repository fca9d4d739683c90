import json
import math
import multiprocessing
import random
import time
from dataclasses import replace

import pytest
import torch

from vitdemo.config import ConfigError, ModelConfig, TrainConfig
from vitdemo.model import VisionTransformer
from vitdemo.runs.checkpoint import load_checkpoint, save_checkpoint
from vitdemo.runs.checks import RENAMED
from vitdemo.runs.run import (
    ID,
    Run,
    card_of,
    epoch_record,
    list_runs,
    load_run,
    load_weights,
    new_run,
    save_run,
)
from vitdemo.runs.shipped import shipped_runs
from vitdemo.training.loop import EpochEnd

METRICS = {
    "loss": 2.25,
    "accuracy": 0.125,
    "auroc": 0.5,
    "f1": 0.1,
    "precision": 0.2,
    "recall": 0.125,
    "top1": 0.125,
    "top5": 0.625,
}


def record_of(epoch, **changes):
    return epoch_record(EpochEnd(epoch, METRICS | changes, METRICS, 1.5, 640.0))


def run_at(stamp, tiny, short, **changes):
    return replace(Run(f"20260131-{stamp}-0a1b2c", tiny, short, "finished"), **changes)


def message_of(function, *arguments):
    with pytest.raises(ConfigError) as caught:
        function(*arguments)
    return str(caught.value)


def test_run_round_trip(tiny, short):
    run = replace(
        new_run(tiny, short), state="finished", threads=2, history=(record_of(1), record_of(2))
    )
    save_run(run)
    assert load_run(run.id) == run
    assert list_runs() == [run]


def test_failed_run_keeps_its_message(tiny, short):
    run = replace(new_run(tiny, short), state="failed", message="The loss … at step 4 – lower it.")
    save_run(run)
    assert load_run(run.id).message == "The loss … at step 4 – lower it."


def test_run_is_saved_in_its_folder(home, tiny, short):
    run = new_run(tiny, short)
    save_run(run, VisionTransformer(tiny, seed=0))
    assert run.folder == home / "runs" / run.id
    assert {path.name for path in run.folder.iterdir()} == {
        "config.json",
        "metrics.jsonl",
        "weights.safetensors",
    }


def test_ids_are_unique_and_start_with_the_time(tiny, short):
    def now():  # strftime alone reads a coarser clock, which may be a tick behind
        return time.strftime("%Y%m%d-%H%M%S", time.localtime(time.time()))

    before = now()
    ids = {new_run(tiny, short).id for _ in range(100)}
    assert len(ids) == 100
    assert all(before <= run_id[:15] <= now() for run_id in ids)
    assert all(ID.fullmatch(run_id) for run_id in ids)


def test_metrics_are_json_lines_without_nan(tiny, short):
    run = replace(new_run(tiny, short), history=(record_of(1, auroc=math.nan), record_of(2)))
    save_run(run)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    lines = [
        json.loads(line, parse_constant=refuse)
        for line in (run.folder / "metrics.jsonl").read_text().splitlines()
    ]
    assert lines[0]["train"]["auroc"] is None
    assert lines[0]["train"]["loss"] == 2.25
    assert lines[1] == {
        "epoch": 2,
        "train": METRICS,
        "validation": METRICS,
        "seconds": 1.5,
        "images_per_second": 640.0,
    }
    assert load_run(run.id).history == tuple(lines)


def test_weights_round_trip_with_their_card(tiny, short):
    model = VisionTransformer(tiny, seed=0)
    run = replace(new_run(tiny, short), threads=1, history=(record_of(1), record_of(2)))
    save_run(run, model)
    loaded = load_weights(run)
    assert all(
        torch.equal(model.state_dict()[name], weight)
        for name, weight in loaded.state_dict().items()
    )
    _, card = load_checkpoint(run.weights)
    assert card["run"] == run.id
    assert card["threads"] == 1
    assert card["seconds"] == 3.0
    assert TrainConfig(**card["training"]) == short


def test_saving_without_weights_keeps_the_old_ones(tiny, short):
    run = new_run(tiny, short)
    save_run(run, VisionTransformer(tiny, seed=0))
    save_run(replace(run, state="failed"))
    assert load_weights(load_run(run.id)).config == tiny


def test_version_changes_with_the_weights_but_not_for_a_run_in_use(tiny, short):
    """A page that has begun with some weights goes on with them while the run trains."""
    save_run(run := new_run(tiny, short), VisionTransformer(tiny, seed=0))
    in_use = load_run(run.id)
    version = in_use.version
    time.sleep(0.01)
    save_run(run, VisionTransformer(tiny, seed=1))
    assert load_run(run.id).version != version
    assert in_use.version == version


def test_loading_missing_weights_is_refused(tiny, short):
    run = new_run(tiny, short)
    save_run(run)
    expected = f"Run {run.id} has no weights yet. They are saved at the end of each epoch."
    assert message_of(load_weights, run) == expected


def test_loading_damaged_weights_is_refused(tiny, short):
    run = new_run(tiny, short)
    save_run(run, VisionTransformer(tiny, seed=0))
    run.weights.write_bytes(run.weights.read_bytes()[:200])
    assert "is not a complete safetensors file" in message_of(load_weights, run)


@pytest.mark.parametrize(
    "run_id",
    [
        "",
        "..",
        "../../etc/passwd",
        "20260131-120000-0a1b2c/../x",
        "20260131-120000-0a1b2c\n",
        "20260131-120000-0A1B2C",
        "x" * 1000,
        "20260131-120000-\x00a1b2c",
    ],
)
def test_invalid_id_is_refused(run_id):
    message = message_of(load_run, run_id)
    assert message.endswith("is not the id of a run. An id looks like 20260131-120000-0a1b2c.")
    assert len(message) < 200


def test_unknown_run_is_refused():
    assert "There is no run 20260131-120000-0a1b2c on this machine" in message_of(
        load_run, "20260131-120000-0a1b2c"
    )


DAMAGE = {
    "config.json": ["", "{", "[]", "null", "{}", '{"model": 1, "training": 2}', "\x00\x01"],
    "metrics.jsonl": ['{"epoch": 1', "{}\n{", "NaN}"],
}


@pytest.mark.parametrize(
    ("name", "content"), [(name, content) for name in DAMAGE for content in DAMAGE[name]]
)
def test_damaged_run_is_refused_and_listed_as_damaged(tiny, short, name, content):
    whole, damaged = (
        run_at("120000", tiny, short),
        run_at("120001", tiny, short, history=(record_of(1),)),
    )
    save_run(whole)
    save_run(damaged)
    (damaged.folder / name).write_text(content)
    message = message_of(load_run, damaged.id)
    assert f"The files of run {damaged.id} are damaged" in message
    listed, other = list_runs()
    assert other == whole
    assert (listed.id, listed.state, listed.message) == (damaged.id, "damaged", message)
    assert not listed.active
    assert not listed.has_weights


def test_run_with_undecodable_bytes_is_damaged(tiny, short):
    run = new_run(tiny, short)
    save_run(run)
    (run.folder / "config.json").write_bytes(b"\xff\xfe\x80")
    assert "are damaged" in message_of(load_run, run.id)
    assert [listed.state for listed in list_runs()] == ["damaged"]


def test_run_without_metrics_file_is_damaged(tiny, short):
    run = new_run(tiny, short)
    save_run(run)
    (run.folder / "metrics.jsonl").unlink()
    assert "are damaged" in message_of(load_run, run.id)


def test_run_with_an_invalid_configuration_is_damaged(tiny, short):
    run = new_run(tiny, short)
    save_run(run)
    config = json.loads((run.folder / "config.json").read_text())
    config["model"]["num_heads"] = 7
    (run.folder / "config.json").write_text(json.dumps(config))
    assert "num_heads 7 does not divide embed_dim 8" in message_of(load_run, run.id)


def test_list_without_runs_is_empty(home):
    assert list_runs() == []
    (home / "runs").mkdir()
    (home / "runs" / "notes.txt").write_text("not a run")
    (home / "runs" / "20260131-120000-0a1b2c").mkdir()
    assert list_runs() == []


def test_newest_run_is_listed_first(tiny, short):
    times = ["120000", "120005", "235959", "000001"]
    for stamp in times:
        save_run(run_at(stamp, tiny, short))
    assert [run.id[9:15] for run in list_runs()] == sorted(times, reverse=True)


@pytest.mark.parametrize("state", ["waiting", "running"])
def test_interrupted_run_is_listed_as_stopped(tiny, short, state):
    run = run_at("120000", tiny, short, state=state, history=(record_of(1),))
    save_run(run)
    assert list_runs() == [replace(run, state="stopped")]
    assert load_run(run.id) == replace(run, state="stopped")


# Shipped checkpoints


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Use an empty folder in place of the shipped checkpoints, of which none is expected."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr("vitdemo.runs.run.SHIPPED", folder)
    monkeypatch.setattr("vitdemo.runs.shipped.SHIPPED", folder)
    monkeypatch.setattr("vitdemo.runs.shipped.NAMES", ())
    return folder


def test_shipped_checkpoint_is_listed_as_its_run(shipped, tiny, short):
    made = replace(
        new_run(tiny, short), state="finished", threads=2, history=(record_of(1), record_of(2))
    )
    model = VisionTransformer(tiny, seed=0)
    save_checkpoint(shipped / "recommended.safetensors", model, card_of(made))
    (run,) = shipped_runs()
    assert run == replace(made, id="recommended", origin="shipped")
    assert run.weights == shipped / "recommended.safetensors"
    assert torch.equal(load_weights(run).head.weight, model.head.weight)


def test_shipped_checkpoints_are_sorted_by_name(shipped, tiny, short):
    for name in ("recommended", "annotation"):
        save_checkpoint(
            shipped / f"{name}.safetensors",
            VisionTransformer(tiny, seed=0),
            card_of(new_run(tiny, short)),
        )
    assert [run.id for run in shipped_runs()] == ["annotation", "recommended"]
    assert list_runs() == []


def test_shipped_checkpoints_of_the_project_can_be_loaded():
    for run in shipped_runs():
        assert load_weights(run).config == run.model
        assert len(run.history) == run.training.epochs


# A kill at any moment

LARGER = ModelConfig(patch_size=16, embed_dim=128, depth=4, num_heads=2)


def save_for_ever(run):
    """Save again and again: after n epochs, n lines of metrics, and all weights equal n."""
    model = VisionTransformer(run.model, seed=0)
    epoch = 0
    while True:
        epoch += 1
        run = replace(
            run, state="running", history=tuple(record_of(n + 1) for n in range(epoch % 50 + 1))
        )
        with torch.no_grad():
            for weight in model.parameters():
                weight.fill_(epoch)
        save_run(run, model)


def saved_twice(run):
    """Return whether the run has been saved at least twice."""
    try:
        return len(load_run(run.id).history) >= 2
    except ConfigError:
        return False


@pytest.mark.slow
def test_kill_at_any_moment_leaves_complete_files(short):
    starting = multiprocessing.get_context("forkserver")
    starting.set_forkserver_preload(["vitdemo.runs.run"])
    rng = random.Random(0)
    for kill in range(8):
        run = run_at(f"12000{kill}", LARGER, replace(short, epochs=50))
        process = starting.Process(target=save_for_ever, args=(run,), daemon=True)
        process.start()
        while not saved_twice(run):
            assert process.is_alive()
            process.join(0.005)
        process.join(rng.random() * 0.05)  # wait for a random time
        process.kill()
        process.join()

        loaded = load_run(run.id)
        assert [record["epoch"] for record in loaded.history] == list(
            range(1, len(loaded.history) + 1)
        )
        values = {
            value
            for weight in load_weights(loaded).parameters()
            for value in weight.unique().tolist()
        }
        assert len(values) == 1
    assert [run.state for run in list_runs()] == ["stopped"] * 8


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.jsonl", "null\n"),
        ("metrics.jsonl", "5\n"),
        ("metrics.jsonl", "{}\n"),
        ("config.json", "[" * 200_000),
    ],
    ids=["null", "number", "empty record", "nested"],
)
def test_other_json_is_damaged(tiny, short, name, content):
    run = new_run(tiny, short)
    save_run(run)
    (run.folder / name).write_text(content)
    with pytest.raises(ConfigError, match="are damaged"):
        load_run(run.id)
    assert [listed.state for listed in list_runs()] == ["damaged"]


@pytest.mark.parametrize("state", ["asleep", 5, None])
def test_unknown_state_is_damaged(tiny, short, state):
    run = new_run(tiny, short)
    save_run(replace(run, state=state))
    with pytest.raises(ConfigError, match="are damaged"):
        load_run(run.id)


def test_runs_of_the_same_second_are_sorted(tiny, short):
    made = [new_run(tiny, short) for _ in range(20)]
    for run in made:
        save_run(run)
    assert [run.id for run in list_runs()] == [run.id for run in reversed(made)]


@pytest.mark.parametrize(
    "card",
    [{}, [1], {"training": {"epochs": 0}}, {"training": {}, "threads": 1, "history": [{}]}],
    ids=str,
)
def test_shipped_checkpoint_with_another_card_is_damaged(shipped, tiny, card):
    save_checkpoint(shipped / "mine.safetensors", VisionTransformer(tiny, seed=0), card)
    (shipped / "cut.safetensors").write_bytes(b"")
    cut, mine = shipped_runs()
    assert (cut.id, mine.id, cut.state, mine.state) == ("cut", "mine", "damaged", "damaged")
    assert "The file checkpoints/cut.safetensors cannot be used" in cut.message
    assert not mine.has_weights


def test_missing_shipped_checkpoint_is_named(shipped, monkeypatch):
    monkeypatch.setattr("vitdemo.runs.shipped.NAMES", ("vit",))
    (vit,) = shipped_runs()
    assert (vit.id, vit.state) == ("vit", "damaged")
    assert "The file checkpoints/vit.safetensors is missing" in vit.message
    assert str(shipped) not in vit.message


def test_run_saved_with_old_setting_names_can_be_loaded(tiny, short):
    training = replace(short, ema_decay=0.9, cutout=4, augmentation="flip_and_translate")
    run = new_run(tiny, training)
    save_run(run)
    path = run.folder / "config.json"
    text = path.read_text()
    for old, new in RENAMED.items():
        text = text.replace(f'"{new}"', f'"{old}"')
    assert '"weight_averaging": 0.9' in text
    path.write_text(text)
    assert load_run(run.id) == replace(run, state="stopped")
