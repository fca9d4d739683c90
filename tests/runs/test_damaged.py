"""Damaged runs: listed with their name and what is wrong, deletable, and no burden to others."""

import json
import os
import shutil
from dataclasses import asdict, replace

import pytest
import torch

from vitdemo.config import ConfigError, ModelConfig
from vitdemo.model import VisionTransformer
from vitdemo.runs import run as run_module
from vitdemo.runs.checkpoint import read_header, save_checkpoint
from vitdemo.runs.delete import delete_run
from vitdemo.runs.run import (
    epoch_record,
    list_runs,
    load_run,
    load_weights,
    new_run,
    save_run,
)
from vitdemo.training.loop import EpochEnd
from vitdemo.training.metrics import METRICS

METRICS_OF_AN_EPOCH = dict.fromkeys(METRICS, 0.5)
BAD_NUMBERS = ["0.5", [0.5], {"value": 0.5}, True, -0.1, 10**400]
MISSING = object()


@pytest.fixture
def saved_run(tiny, short):
    """Return a finished run on disk with metrics by hand."""
    ends = (EpochEnd(n, METRICS_OF_AN_EPOCH, METRICS_OF_AN_EPOCH, 1.5, 640.0) for n in (1, 2))
    history = tuple(epoch_record(end) for end in ends)
    run = replace(new_run(tiny, short), state="finished", threads=1, history=history)
    save_run(run, VisionTransformer(tiny, seed=0))
    return run


def changed(run, change):
    """Change the history of a saved run where it is read from: in the card of its weights."""
    model, card = VisionTransformer(run.model, seed=0), read_header(run.weights)[1]
    change(card)
    save_checkpoint(run.weights, model, card)


def assert_damaged(run, problem):
    (listed,) = list_runs()
    assert (listed.id, listed.state, listed.history) == (run.id, "damaged", ())
    assert problem in listed.message
    assert str(run.folder.parent) not in listed.message
    with pytest.raises(ConfigError) as caught:
        load_run(run.id)
    assert str(caught.value) == listed.message


@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize("key", METRICS)
@pytest.mark.parametrize("value", [MISSING, None, *BAD_NUMBERS], ids=lambda value: repr(value)[:9])
def test_metric_that_is_no_number_is_damage(saved_run, part, key, value):
    def change(card):
        if value is MISSING:
            del card["history"][-1][part][key]
        else:
            card["history"][-1][part][key] = value

    changed(saved_run, change)
    if key == "auroc" and value is None:  # undefined where all images are of one class
        assert load_run(saved_run.id).history[-1][part]["auroc"] is None
    else:
        assert_damaged(saved_run, key)


@pytest.mark.parametrize("key", ["accuracy", "auroc", "f1", "precision", "recall", "top1", "top5"])
def test_fraction_above_one_is_damage(saved_run, key):
    changed(saved_run, lambda card: card["history"][0]["train"].update({key: 1.1}))
    assert_damaged(saved_run, key)


@pytest.mark.parametrize("key", ["seconds", "images_per_second"])
@pytest.mark.parametrize("value", [MISSING, None, *BAD_NUMBERS], ids=lambda value: repr(value)[:9])
def test_time_that_is_no_number_is_damage(saved_run, key, value):
    def change(card):
        if value is MISSING:
            del card["history"][-1][key]
        else:
            card["history"][-1][key] = value

    changed(saved_run, change)
    assert_damaged(saved_run, "seconds" if key == "seconds" else "speed")


@pytest.mark.parametrize(
    "history",
    [None, {}, "", 5, [None], [[]], ["x"], [{}], [{"epoch": 1}], [{"epoch": 1, "train": []}]],
    ids=str,
)
def test_history_that_is_no_list_of_records_is_damage(saved_run, history):
    changed(saved_run, lambda card: card.update(history=history))
    assert_damaged(saved_run, "epoch")


def test_epochs_that_are_missing_repeated_or_too_many_are_damage(saved_run):
    one, two = saved_run.history
    for history in ([two], [one, one], [two, one], [one, two, two | {"epoch": 3}]):
        changed(saved_run, lambda card, history=history: card.update(history=history))
        assert_damaged(saved_run, "epoch")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("threads", "two", "threads"),
        ("threads", 1.5, "threads"),
        ("threads", -1, "threads"),
        ("threads", True, "threads"),
        ("message", None, "message"),
        ("message", ["x"], "message"),
        ("message", "x" * 20_000, "message"),
        ("message", "\ud800", "surrogates"),
        ("state", "damaged", "state"),
        ("state", ["finished"], "state"),
        ("model", [], "ModelConfig"),
        ("training", [], "training"),
        ("training", {"epochs": "2"}, "epochs"),
        ("model", {"depth": 2.5}, "depth"),
    ],
)
def test_configuration_of_another_kind_is_damage(saved_run, name, value, problem):
    path = saved_run.folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    assert_damaged(saved_run, problem)


@pytest.mark.parametrize("name", ["state", "threads", "message", "model", "training"])
def test_field_that_is_missing_is_damage(saved_run, name):
    path = saved_run.folder / "config.json"
    config = json.loads(path.read_text())
    del config[name]
    path.write_text(json.dumps(config))
    assert_damaged(saved_run, f"'{name}' is missing")


@pytest.mark.parametrize("name", ["20269999-999999-abcdef", "20260230-120000-0a1b2c"])
def test_name_that_is_no_date_is_damage(saved_run, name):
    saved_run.folder.rename(saved_run.folder.with_name(name))
    assert_damaged(replace(saved_run, id=name), "is not a date")


def with_config(run, **changes):
    """Change the model in config.json and in the checkpoint's header, but not its weights."""
    path, model = run.folder / "config.json", asdict(run.model) | changes
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model": model}))
    content = run.weights.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"]["model"] = json.dumps(model)
    new = json.dumps(header).encode()
    new += b" " * (-len(new) % 8)
    run.weights.write_bytes(len(new).to_bytes(8, "little") + new + content[8 + length :])


@pytest.mark.parametrize(
    "changes",
    [
        {"embed_dim": 1024, "depth": 24, "mlp_ratio": 16.0},
        {"depth": 2},
        {"stem": "conv"},
        {"pooling": "mean"},
    ],
    ids=str,
)
def test_configuration_larger_than_the_weights_is_damage(saved_run, changes):
    with_config(saved_run, **changes)
    assert_damaged(saved_run, "do not fit the configuration")


def test_model_whose_attention_would_not_fit_into_memory_is_damage(saved_run):
    large = ModelConfig(image_size=256, patch_size=1, embed_dim=8, depth=1, num_heads=1)
    save_checkpoint(saved_run.weights, VisionTransformer(large, seed=0), {"history": []})
    path = saved_run.folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model": asdict(large)}))
    assert_damaged(saved_run, "GiB of memory")


def test_weights_of_another_run_are_damage(saved_run, tiny):
    save_checkpoint(saved_run.weights, VisionTransformer(replace(tiny, depth=2), seed=0))
    assert_damaged(saved_run, "belong to another model")


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors"])
@pytest.mark.parametrize("keep", [0, 10, 200])
def test_truncated_file_is_damage(saved_run, name, keep):
    path = saved_run.folder / name
    path.write_bytes(path.read_bytes()[:keep])
    assert_damaged(saved_run, saved_run.id)


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl"])
def test_folder_in_place_of_a_file_is_damage(tiny, short, name):
    run = new_run(tiny, short)
    save_run(run)
    (run.folder / name).unlink()
    (run.folder / name).mkdir()
    assert_damaged(run, "is not a file")


def test_weights_with_nan_are_refused(saved_run):
    model = load_weights(saved_run)
    with torch.no_grad():
        model.head.weight[0, 0] = float("nan")
    save_checkpoint(saved_run.weights, model, read_header(saved_run.weights)[1])
    with pytest.raises(ConfigError, match="NaN or infinity"):
        load_weights(load_run(saved_run.id))


def test_folder_without_any_file_of_a_run_is_no_run(home):
    (home / "runs" / "20260131-120000-0a1b2c").mkdir(parents=True)
    (home / "runs" / "20260131-120000-0a1b2c copy").mkdir()
    (home / "runs" / "notes.txt").write_text("x")
    assert list_runs() == []


def test_runs_folder_that_is_a_file_has_no_runs(home):
    (home / "runs").write_text("x")
    assert list_runs() == []


# Delete


def test_damaged_run_is_deleted_and_others_stay(saved_run):
    other = saved_run.folder.with_name("20260131-120000-0a1b2c")
    shutil.copytree(saved_run.folder, other)
    (other / "config.json").write_text("{")
    assert [run.state for run in list_runs()] == ["finished", "damaged"]
    delete_run(other.name)
    assert list_runs() == [saved_run]
    assert not other.exists()
    assert saved_run.has_weights


def test_link_to_a_folder_is_deleted_but_not_the_folder(saved_run, tmp_path):
    kept = tmp_path / "kept"
    saved_run.folder.rename(kept)
    saved_run.folder.symlink_to(kept)
    delete_run(saved_run.id)
    assert list_runs() == []
    assert (kept / "config.json").is_file()


@pytest.mark.parametrize("run_id", ["", "..", "../runs", "20260131-120000-0a1b2c", "x" * 300])
def test_what_is_no_run_is_not_deleted(saved_run, run_id):
    with pytest.raises(ConfigError, match="There is no run"):
        delete_run(run_id)
    assert list_runs() == [saved_run]


# Growth


def test_only_changed_runs_are_read_again(saved_run, tiny, short, monkeypatch):
    runs = [new_run(tiny, replace(short, seed=seed)) for seed in range(20)]
    for run in runs:
        save_run(replace(run, state="stopped"))
    list_runs()
    read, checked = [], run_module._checked
    monkeypatch.setattr(
        run_module, "_checked", lambda folder: (read.append(folder.name), checked(folder))[1]
    )
    assert len(list_runs()) == 21
    assert read == []
    save_run(replace(runs[3], state="failed", message="by hand"))
    assert [run.id for run in list_runs() if run.state == "failed"] == [runs[3].id]
    assert read == [runs[3].id]


def test_change_that_keeps_size_and_time_is_seen(saved_run):
    path = saved_run.folder / "config.json"
    before = path.stat()
    list_runs()
    content = path.read_text().replace('"finished"', '"finishes"')
    path.write_text(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert_damaged(saved_run, "state")
