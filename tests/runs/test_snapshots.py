"""Snapshots: when they are taken, what they contain, and that they do not change the run."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from safetensors.torch import load_file

from vitdemo.config import ConfigError, ModelConfig, TrainConfig
from vitdemo.data.cifar10 import load_cifar10
from vitdemo.model import VisionTransformer
from vitdemo.runs.checkpoint import load_checkpoint, save_checkpoint
from vitdemo.runs.run import load_run, new_run
from vitdemo.runs.shipped import shipped_runs
from vitdemo.runs.snapshots import (
    COUNT,
    Snapshot,
    list_snapshots,
    measures_snapshots,
    snapshot_steps,
    take_snapshot,
    with_accuracy,
)
from vitdemo.runs.train_run import train_run
from vitdemo.training.loop import BatchEnd, EpochEnd, evaluate, train
from vitdemo.training.metrics import METRICS

SIZES = [
    (1, 1),
    (2, 1),
    (1, 3),
    (2, 3),
    (6, 5),
    (80, 10),
    (125, 10),
    (1, 60),
    (200, 391),
    (1000, 1),
]


@pytest.mark.parametrize(("epochs", "steps_per_epoch"), SIZES)
def test_steps_ascend_and_end_before_the_run(epochs, steps_per_epoch):
    steps = snapshot_steps(epochs, steps_per_epoch)
    assert steps == sorted(set(steps))
    assert all(1 <= step < epochs * steps_per_epoch for step in steps)
    assert len(steps) <= COUNT
    assert len(steps) >= min(COUNT, epochs * steps_per_epoch - 1) / 2


@pytest.mark.parametrize(("epochs", "steps_per_epoch"), SIZES)
def test_steps_after_the_first_epoch_are_ends_of_epochs(epochs, steps_per_epoch):
    late = [step for step in snapshot_steps(epochs, steps_per_epoch) if step > steps_per_epoch]
    assert all(step % steps_per_epoch == 0 for step in late)


def test_steps_are_evenly_spaced_on_a_logarithmic_scale():
    steps = [*snapshot_steps(100_000, 1), 100_000]
    ratios = [late / early for early, late in pairwise(steps)]
    assert ratios == pytest.approx([10_000 ** (1 / 8)] * 8, rel=0.02)


def test_steps_of_the_shipped_plain_vit():
    assert snapshot_steps(200, 391)[:4] == [10, 31, 94, 288]


def snapshots_of(run):
    return [load_checkpoint(snapshot.weights)[1] for snapshot in list_snapshots(run)[:-1]]


def test_run_has_its_snapshots_and_its_final_model(tiny, short):
    run = new_run(tiny, replace(short, epochs=6))  # with 3 steps per epoch
    list(train_run(run, load_cifar10(20, 10)))
    run = load_run(run.id)
    cards = snapshots_of(run)
    assert [card["step"] for card in cards] == snapshot_steps(6, 3)
    assert [card["epochs"] for card in cards] == [card["step"] / 3 for card in cards]
    found = list_snapshots(run)
    assert [snapshot.epochs for snapshot in found] == [*(card["epochs"] for card in cards), 6]
    assert found[-1].weights == run.weights


def test_short_run_leaves_the_accuracy_of_its_snapshots_to_who_looks_at_them(tiny, short):
    run, data = new_run(tiny, replace(short, epochs=6)), load_cifar10(20, 10)
    assert not measures_snapshots(run.training)
    list(train_run(run, data))
    run = load_run(run.id)
    early, *_, final = list_snapshots(run)
    weights = load_file(early.weights)
    assert (early.accuracy, final.accuracy) == (None, run.accuracy)
    with pytest.raises(ConfigError):
        with_accuracy(Snapshot(1, None, run.folder / "gone.safetensors"), data.validation)
    expected = evaluate(load_checkpoint(early.weights)[0], data.validation)
    measured = with_accuracy(early, data.validation)
    assert measured.accuracy == expected["accuracy"]
    assert list_snapshots(run)[0] == measured  # it is written down, beside the same weights
    written = load_checkpoint(early.weights)[1]
    assert written["validation"] == pytest.approx(expected)
    assert (written["step"], written["epochs"]) == (snapshot_steps(6, 3)[0], early.epochs)
    after = load_file(early.weights)
    assert all(torch.equal(after[name], weights[name]) for name in weights)
    assert with_accuracy(measured, load_cifar10(20, 5).validation) == measured  # not again


def test_runs_measure_their_snapshots_where_that_costs_little(short):
    def measures(**fields):
        return measures_snapshots(replace(short, **fields))

    assert measures(epochs=80, train_images=600, validation_images=200)
    assert measures(epochs=20, train_images=600, validation_images=200)
    assert not measures(epochs=19, train_images=600, validation_images=200)  # 10.5% of its images
    assert not measures(epochs=6, train_images=600, validation_images=200)
    assert measures(epochs=50, train_images=50_000, validation_images=10_000)
    assert not measures(epochs=3, train_images=50_000, validation_images=10_000)


def test_snapshot_is_the_model_in_half_precision_with_its_accuracy(tiny):
    config = ModelConfig(
        patch_size=4, embed_dim=16, depth=1, num_heads=2, stem="conv", pooling="mean"
    )
    recipe = TrainConfig(epochs=3, batch_size=8, train_images=160, validation_images=4)
    assert measures_snapshots(recipe)
    model, data = VisionTransformer(config, seed=0), load_cifar10(160, 4)
    run = new_run(config, recipe)
    before = {}
    for event in train(model, data, recipe):
        state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        take_snapshot(run, model, event, data)
        in_first_epoch = isinstance(event, BatchEnd) and event.epoch == 1
        if in_first_epoch and event.batch in snapshot_steps(3, 20):
            before[event.batch] = state
    assert before
    for number, (step, state) in enumerate(before.items(), start=1):
        path = run.snapshots_folder / f"{number}.safetensors"
        loaded, card = load_checkpoint(path)
        assert loaded.config == config
        assert (card["step"], card["epochs"]) == (step, step / 20)
        assert card["validation"] == pytest.approx(evaluate(loaded, data.validation), abs=1e-6)
        for name, tensor in load_file(path).items():
            expected = state[name]
            assert torch.equal(
                tensor, expected.half() if expected.is_floating_point() else expected
            )


def test_taking_snapshots_does_not_change_the_run(tiny, short):
    data, recipe = load_cifar10(20, 10), replace(short, epochs=4)
    run = new_run(tiny, recipe)
    plain, watched = (VisionTransformer(tiny, seed=0) for _ in range(2))
    list(train(plain, data, recipe))
    for event in train(watched, data, recipe):
        take_snapshot(run, watched, event, data)
    assert list(run.snapshots_folder.iterdir())
    assert all(
        torch.equal(mine, its)
        for mine, its in zip(plain.parameters(), watched.parameters(), strict=True)
    )


def test_stopped_run_lists_its_last_epoch_once(tiny, short):
    run = new_run(tiny, replace(short, epochs=6))
    events = train_run(run, load_cifar10(20, 10))
    next(event for _, event in events if isinstance(event, EpochEnd))
    events.close()
    run = load_run(run.id)
    found = list_snapshots(run)
    assert found[-1].weights == run.weights
    assert [snapshot.epochs for snapshot in found] == [
        step / 3 for step in snapshot_steps(6, 3) if step < 3
    ] + [1]


def test_shipped_models_have_eight_snapshots():
    for run in shipped_runs():
        found = list_snapshots(run)
        assert len(found) == 9
        assert found[-1].epochs == run.training.epochs
        assert found[0].accuracy < 0.3 < found[-1].accuracy


METRICS_BY_HAND = dict.fromkeys(METRICS, 0.5)


@pytest.mark.parametrize(
    "card",
    [
        None,
        {},
        {"epochs": 0.5, "validation": {"accuracy": 0.5}},
        {"epochs": 0.5, "validation": METRICS_BY_HAND | {"accuracy": None}},
        {"epochs": 0.5, "validation": METRICS_BY_HAND | {"accuracy": "0.5"}},
        {"epochs": 0.5, "validation": []},
        {"epochs": "half", "validation": METRICS_BY_HAND},
        {"epochs": None, "validation": METRICS_BY_HAND},
        {"epochs": -1, "validation": METRICS_BY_HAND},
        {"epochs": 1e300, "validation": METRICS_BY_HAND},
    ],
    ids=str,
)
def test_damaged_snapshot_is_left_out(saved_run, card):
    path = saved_run.snapshots_folder / "9.safetensors"
    path.parent.mkdir(exist_ok=True)
    if card is None:
        path.write_bytes(b"cut off")
    else:
        save_checkpoint(path, VisionTransformer(saved_run.model, seed=0), card)
    assert path not in [snapshot.weights for snapshot in list_snapshots(saved_run)]


def test_snapshot_of_another_model_is_left_out(saved_run):
    card = {"epochs": 0.5, "validation": METRICS_BY_HAND}
    path = saved_run.snapshots_folder / "9.safetensors"
    save_checkpoint(path, VisionTransformer(saved_run.model, seed=0), card)
    assert path in [snapshot.weights for snapshot in list_snapshots(saved_run)]
    save_checkpoint(path, VisionTransformer(replace(saved_run.model, depth=2), seed=0), card)
    assert path not in [snapshot.weights for snapshot in list_snapshots(saved_run)]
