import os
import pickle
import random
from dataclasses import replace
from io import BytesIO

import pytest
import torch

from vitdemo.config import ConfigError, ModelConfig, TrainConfig
from vitdemo.data.cifar10 import load_cifar10
from vitdemo.model import VisionTransformer
from vitdemo.training.loop import EpochEnd, train
from vitdemo.training.state import load_state, new_state, save_state

DROPOUT = {"dropout": 0.2, "attention_dropout": 0.1, "drop_path": 0.3, "patch_drop": 0.25}
MODEL = ModelConfig(patch_size=8, embed_dim=16, depth=2, num_heads=2, **DROPOUT)
RECIPE = TrainConfig(
    epochs=3,
    batch_size=16,
    learning_rate=5e-3,
    schedule="cosine",
    warmup_epochs=1.0,
    augmentation="flip_and_translate",
    jitter=0.2,
    cutout=6,
    mixup=0.4,
    cutmix=0.4,
    label_smoothing=0.1,
    ema_decay=0.9,
    precision="float32",
    seed=3,
)
RECIPES = {
    "everything": (MODEL, RECIPE),
    "conv stem": (
        replace(MODEL, patch_size=4, stem="conv", pooling="attention"),
        replace(RECIPE, patch_embed_init="whitened", precision="bfloat16"),
    ),
    "plain": (MODEL, TrainConfig(epochs=3, batch_size=16, optimizer="adam", precision="float32")),
}


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """Give conv stems few channels, to save time."""
    monkeypatch.setattr("vitdemo.config.model_config.STEM_WIDTH", 8)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "state.pt"


def epochs_of(model, data, config, path=None, stop_after=None):
    """Train, at most until the epoch after `stop_after` has begun; return each epoch's metrics."""
    found = []
    for event in train(model, data, config, path):
        if event.epoch - 1 == stop_after:
            break
        if isinstance(event, EpochEnd):
            found.append((event.epoch, event.train, event.validation))
    return found


@pytest.mark.parametrize(("stop_after", "threads"), [(1, 1), (2, 2)])
@pytest.mark.parametrize("training", RECIPES.values(), ids=RECIPES)
def test_resumed_training_is_bit_identical(path, training, stop_after, threads):
    torch.set_num_threads(threads)
    (config, recipe), data = training, load_cifar10(40, 20)
    whole = VisionTransformer(config, seed=0)
    expected = epochs_of(whole, data, recipe)

    found = epochs_of(VisionTransformer(config, seed=0), data, recipe, path, stop_after)
    torch.manual_seed(99)
    model = VisionTransformer(config, seed=7)  # its weights are replaced
    found += epochs_of(model, data, recipe, path)
    assert found == expected
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name


def test_training_can_be_stopped_after_every_epoch(path):
    data, config = load_cifar10(20, 10), RECIPE
    expected = epochs_of(VisionTransformer(MODEL, seed=0), data, config)
    found = []
    for stop in (1, 2, None):
        found += epochs_of(VisionTransformer(MODEL, seed=0), data, config, path, stop)
        assert len(found) == (stop or 3)
    assert found == expected


def test_finished_training_restores_the_model_without_events(path, tiny, short):
    data = load_cifar10(20, 10)
    done, model = (VisionTransformer(tiny, seed=seed) for seed in (0, 1))
    epochs_of(done, data, short, path)
    assert list(train(model, data, short, path)) == []
    assert all(
        torch.equal(mine, its)
        for mine, its in zip(done.parameters(), model.parameters(), strict=True)
    )


def test_training_without_a_state_file_starts_anew(path, tiny, short):
    found = epochs_of(VisionTransformer(tiny, seed=0), load_cifar10(20, 10), short, path)
    assert [epoch for epoch, _, _ in found] == [1, 2]
    assert [file.name for file in path.parent.iterdir()] == ["state.pt"]


def test_state_is_that_of_the_last_complete_epoch(path, tiny, short):
    epochs = {}
    for event in train(VisionTransformer(tiny, seed=0), load_cifar10(20, 10), short, path):
        if path.exists():
            epochs[type(event).__name__, event.epoch] = torch.load(path, weights_only=True)["epoch"]
    assert epochs == {("BatchEnd", 2): 1, ("ValidationBatchEnd", 2): 1, ("EpochEnd", 2): 1}
    assert torch.load(path, weights_only=True)["epoch"] == 2


# States that cannot be used


@pytest.fixture
def state(tiny, short):
    """Return the state of a new run."""
    return new_state(VisionTransformer(tiny, seed=0), short)


@pytest.fixture
def saved(path, tiny, short):
    """Return the bytes of the state after a complete training."""
    epochs_of(VisionTransformer(tiny, seed=0), load_cifar10(20, 10), short, path)
    return path.read_bytes()


def message_of(path, state):
    with pytest.raises(ConfigError) as caught:
        load_state(path, state, state.config)
    return str(caught.value)


def test_missing_state_file_leaves_a_new_state(path, state):
    load_state(path, state, state.config)
    assert (state.epoch, state.step) == (0, 0)


def test_state_is_restored(path, saved, state):
    load_state(path, state, state.config)
    assert (state.epoch, state.step) == (2, 6)
    assert state.optimizer.state_dict()["state"][0]["step"] == 6


@pytest.mark.parametrize(
    "fraction", [0, 0.001, 0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 0.9999]
)
def test_truncated_state_is_refused(path, saved, state, fraction):
    path.write_bytes(saved[: int(fraction * len(saved))])
    assert message_of(path, state) == "state.pt is not a complete training state. Start a new run."


def test_state_truncated_anywhere_is_refused(path, saved, state):
    for length in random.Random(0).sample(range(len(saved)), 100):
        path.write_bytes(saved[:length])
        assert "Start a new run" in message_of(path, state)


def test_damaged_state_raises_nothing_but_config_error(path, saved, state):
    rng, refused = random.Random(0), []
    for _ in range(120):
        damaged = bytearray(saved)
        start = rng.randrange(len(damaged) - 64)
        damaged[start : start + 64] = rng.randbytes(64)
        path.write_bytes(damaged)
        try:
            load_state(path, state, state.config)
        except ConfigError as error:
            refused.append(str(error))
    assert len(refused) > 5
    assert all(message.startswith(("state.pt is ", "state.pt belongs ")) for message in refused)


def packed(value):
    file = BytesIO()
    torch.save(value, file)
    return file.getvalue()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"epoch 3",
        bytes(100),
        b"\x80\x04.",
        pickle.dumps({}),
        packed({}),
        packed([1]),
        packed(torch.zeros(3)),
    ],
    ids=[
        "empty",
        "text",
        "zeros",
        "pickle",
        "dictionary",
        "torch dictionary",
        "torch list",
        "torch tensor",
    ],
)
def test_file_of_another_kind_is_refused(path, state, content):
    path.parent.mkdir()
    path.write_bytes(content)
    assert message_of(path, state) == "state.pt is not a complete training state. Start a new run."


@pytest.mark.parametrize("key", ["epoch", "step", "of", "model", "ema_model", "optimizer"])
def test_state_without_one_of_its_parts_is_refused(path, saved, state, key):
    content = torch.load(BytesIO(saved), weights_only=True)
    del content[key]
    path.write_bytes(packed(content))
    assert message_of(path, state) == "state.pt is not a complete training state. Start a new run."


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("dump", [packed, pickle.dumps])
def test_code_in_a_state_file_is_not_run(path, saved, state, tmp_path, dump):
    trap = tmp_path / "sprung"
    path.write_bytes(dump(torch.load(BytesIO(saved), weights_only=True) | {"trap": Trap(trap)}))
    assert message_of(path, state) == "state.pt is not a complete training state. Start a new run."
    assert not trap.exists()
    pickle.loads(pickle.dumps(Trap(trap)))
    assert trap.exists()  # the trap works


@pytest.mark.parametrize(
    ("model_changes", "changes"),
    [
        ({"drop_path": 0.1}, {}),
        ({"embed_dim": 16}, {}),
        ({}, {"epochs": 3}),
        ({}, {"seed": 4}),
        ({}, {"mixup": 0.5}),
    ],
    ids=str,
)
def test_state_of_other_settings_is_refused(path, saved, tiny, short, model_changes, changes):
    model = VisionTransformer(replace(tiny, **model_changes), seed=0)
    config = replace(short, **changes)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ConfigError) as caught:
        next(train(model, load_cifar10(20, 10), config, path))
    assert str(caught.value) == (
        "state.pt belongs to a run with other settings. Use those, or start a new run."
    )
    assert path.read_bytes() == saved
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_failed_write_keeps_the_old_state(path, saved, state, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        save_state(path, state)
    assert path.read_bytes() == saved
    assert [file.name for file in path.parent.iterdir()] == ["state.pt"]


# What a recipe leaves open


def decide(monkeypatch, precision):
    """Let this machine find this precision the fastest."""
    monkeypatch.setattr("vitdemo.training.precision.fastest_precision", lambda: precision)


@pytest.mark.parametrize("first", ["float32", "bfloat16"])
def test_precision_decided_at_the_start_is_used_after_resuming(
    path, tiny, short, monkeypatch, first
):
    data, automatic = load_cifar10(20, 10), replace(short, precision="auto")
    expected = epochs_of(VisionTransformer(tiny, seed=0), data, replace(short, precision=first))
    decide(monkeypatch, first)
    found = epochs_of(VisionTransformer(tiny, seed=0), data, automatic, path, 1)
    decide(monkeypatch, {"float32": "bfloat16", "bfloat16": "float32"}[first])
    found += epochs_of(VisionTransformer(tiny, seed=0), data, automatic, path)
    assert found == expected


def test_other_precision_than_the_saved_one_is_refused(path, tiny, short):
    data = load_cifar10(20, 10)
    epochs_of(VisionTransformer(tiny, seed=0), data, replace(short, precision="float32"), path, 1)
    with pytest.raises(ConfigError, match="other settings"):
        list(train(VisionTransformer(tiny), data, replace(short, precision="bfloat16"), path))


def saved_by_an_earlier_version(path, changes):
    """Rewrite a state file with the recipe as given, as versions did that decided nothing."""
    content = torch.load(path, weights_only=True)
    content["of"][1] |= changes
    torch.save(content, path)


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_state_saved_with_automatic_precision_is_resumed(path, tiny, short, precision):
    data, given = load_cifar10(20, 10), replace(short, precision=precision)
    epochs_of(VisionTransformer(tiny, seed=0), data, given, path, 1)
    saved_by_an_earlier_version(path, {"precision": "auto"})
    assert [epoch for epoch, *_ in epochs_of(VisionTransformer(tiny), data, given, path)] == [2]


def test_long_warm_up_of_an_earlier_version_is_resumed_unchanged(path, tiny, short, monkeypatch):
    data, recipe = load_cifar10(20, 10), replace(short, warmup_epochs=2.0, precision="float32")
    with monkeypatch.context() as patch:
        patch.setattr("vitdemo.training.settled.LONGEST_WARMUP", 1.0)
        expected = epochs_of(VisionTransformer(tiny, seed=0), data, recipe)
        found = epochs_of(VisionTransformer(tiny, seed=0), data, recipe, path, 1)
    found += epochs_of(VisionTransformer(tiny, seed=0), data, recipe, path)
    assert found == expected
    assert found != epochs_of(VisionTransformer(tiny, seed=0), data, recipe)


def test_shortened_warm_up_is_resumed_bit_identically(path, tiny, short):
    data, recipe = load_cifar10(20, 10), replace(short, warmup_epochs=5.0, precision="float32")
    expected = epochs_of(VisionTransformer(tiny, seed=0), data, recipe)
    found = epochs_of(VisionTransformer(tiny, seed=0), data, recipe, path, 1)
    assert found + epochs_of(VisionTransformer(tiny, seed=0), data, recipe, path) == expected
