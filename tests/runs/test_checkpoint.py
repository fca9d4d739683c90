import io
import json
import os
import pickle
from dataclasses import asdict

import pytest
import safetensors
import safetensors.torch
import torch

from vitdemo.config import ConfigError, ModelConfig
from vitdemo.data.cifar10 import normalize
from vitdemo.files import write_atomically
from vitdemo.model import VisionTransformer
from vitdemo.runs.checkpoint import load_checkpoint, read_header, save_checkpoint

CONFIG = ModelConfig(
    image_size=16, patch_size=8, embed_dim=12, depth=2, num_heads=3, attention_scale="embed_dim"
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def model():
    return VisionTransformer(CONFIG, seed=4)


def message_of(path):
    with pytest.raises(ConfigError) as caught:
        load_checkpoint(path)
    return str(caught.value)


def header_of(config=CONFIG, **changes):
    return {"model": json.dumps(asdict(config) | changes), "card": "{}"}


def test_checkpoint_round_trip(path, model):
    card = {"text": "Ä × 1", "numbers": [1, 2.5, None], "nested": {"epochs": 3}}
    save_checkpoint(path, model, card)
    loaded, loaded_card = load_checkpoint(path)
    assert loaded.config == CONFIG
    assert loaded_card == card
    assert list(loaded.state_dict()) == list(model.state_dict())
    assert all(
        torch.equal(model.state_dict()[name], weight)
        for name, weight in loaded.state_dict().items()
    )


def test_loaded_model_gives_identical_logits(path, model):
    save_checkpoint(path, model)
    loaded, card = load_checkpoint(str(path))
    images = torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded(images), model.eval()(images))
    assert not loaded.training
    assert card == {}


def test_loaded_model_can_be_trained(path, model):
    save_checkpoint(path, model)
    loaded, _ = load_checkpoint(path)
    loaded(torch.zeros(1, 3, 16, 16)).sum().backward()
    assert all(weight.requires_grad and weight.grad is not None for weight in loaded.parameters())


def test_checkpoint_is_a_plain_safetensors_file(path, model):
    save_checkpoint(path, model)
    tensors = safetensors.torch.load_file(path)
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == {
        name: tuple(weight.shape) for name, weight in model.state_dict().items()
    }


def test_read_header(path, model):
    save_checkpoint(path, model, {"threads": 2})
    assert read_header(path) == (CONFIG, {"threads": 2})


def test_parent_folders_are_created(tmp_path, model):
    save_checkpoint(tmp_path / "a" / "b" / "model.safetensors", model)
    assert load_checkpoint(tmp_path / "a" / "b" / "model.safetensors")[0].config == CONFIG


CONV = ModelConfig(
    image_size=16,
    patch_size=4,
    embed_dim=12,
    depth=1,
    num_heads=3,
    stem="conv",
    pooling="attention",
)


@pytest.mark.parametrize("half", [False, True])
def test_batch_norm_statistics_round_trip(path, half):
    model = VisionTransformer(CONV, seed=0).train()
    for _ in range(3):
        model(torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    model.patch_embed.norms[0].num_batches_tracked.fill_(70_001)  # not representable in 16 bits
    save_checkpoint(path, model, half=half)
    loaded, _ = load_checkpoint(path)
    assert loaded.config == CONV
    assert loaded.patch_embed.norms[1].num_batches_tracked == 3
    for name, tensor in model.state_dict().items():
        expected = tensor.half().float() if half and tensor.is_floating_point() else tensor
        assert torch.equal(loaded.state_dict()[name], expected)
        assert loaded.state_dict()[name].dtype == tensor.dtype


def test_half_precision_uses_16_bits_per_weight(path, tmp_path, model):
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    save_checkpoint(path, model, {"number": 1}, half=True)
    save_checkpoint(tmp_path / "full.safetensors", model, {"number": 1})
    assert {tensor.dtype for tensor in safetensors.torch.load_file(path).values()} == {
        torch.float16
    }
    numbers = sum(weight.numel() for weight in before.values())
    assert (tmp_path / "full.safetensors").stat().st_size - path.stat().st_size == pytest.approx(
        2 * numbers, abs=100
    )
    assert load_checkpoint(path)[1] == {"number": 1}
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())


# Files that are refused


def test_missing_file_is_refused(path, tmp_path):
    expected = "There is no checkpoint model.safetensors. Give the path of a .safetensors file."
    assert message_of(path) == expected
    assert "There is no checkpoint" in message_of(tmp_path)  # a folder


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 100, 0.5, 0.99, -1])
def test_truncated_file_is_refused(path, model, keep):
    save_checkpoint(path, model)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    assert "model.safetensors is not a complete safetensors file" in message_of(path)


@pytest.mark.parametrize(
    "content",
    [b"epochs,loss\n1,2.3\n", b"{}", bytes(100), b"\xff" * 100, b"x" * 5000],
    ids=["text", "JSON", "zeros", "ones", "letters"],
)
def test_file_of_another_kind_is_refused(path, content):
    path.write_bytes(content)
    assert "is not a complete safetensors file" in message_of(path)


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def saved_by_torch(value, **options):
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


PICKLES = {
    "torch": saved_by_torch,
    "old torch": lambda value: saved_by_torch(value, _use_new_zipfile_serialization=False),
    **{
        f"protocol {n}": lambda value, n=n: pickle.dumps(value, protocol=n)
        for n in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.mark.parametrize("dump", PICKLES.values(), ids=PICKLES)
def test_pickle_is_refused_without_opening_it(path, tmp_path, dump):
    trap = tmp_path / "sprung"
    path.write_bytes(dump({"weights": torch.zeros(1000), "trap": Trap(trap)}))
    assert message_of(path).startswith("model.safetensors is ")
    assert not trap.exists()
    pickle.loads(pickle.dumps(Trap(trap)))
    assert trap.exists()  # the trap works


@pytest.mark.parametrize(
    "kind", [name for name in PICKLES if name not in ("protocol 0", "protocol 1")]
)
def test_message_names_a_pickle(path, kind):
    path.write_bytes(PICKLES[kind]({"weights": torch.zeros(10)}))
    expected = "is a pickle, which can run code when it is opened. Use a .safetensors file."
    assert expected in message_of(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"model": "not JSON"}, {"model": ""}])
def test_safetensors_file_of_another_project_is_refused(path, model, metadata):
    path.write_bytes(safetensors.torch.save(dict(model.state_dict()), metadata))
    expected = "does not state a model's configuration. Use a file written by save_checkpoint."
    assert expected in message_of(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (header_of(num_heads=5), "num_heads 5 does not divide embed_dim 12"),
        (header_of(depth="2"), "depth must be a whole number"),
        (header_of(depth=10**9), "depth must be a whole number from 1 to 24"),
        (header_of(layers=2), "ModelConfig has no field 'layers'"),
        ({"model": "[]"}, "ModelConfig is read from a mapping"),
        ({"model": "null"}, "ModelConfig is read from a mapping"),
    ],
)
def test_invalid_configuration_is_refused(path, model, header, message):
    path.write_bytes(safetensors.torch.save(dict(model.state_dict()), header))
    assert message in message_of(path)


def test_weights_of_another_shape_are_refused(path, model):
    header = header_of(ModelConfig(image_size=16, patch_size=8, embed_dim=24, depth=2, num_heads=3))
    path.write_bytes(safetensors.torch.save(dict(model.state_dict()), header))
    message = message_of(path)
    assert "The weights in model.safetensors do not fit the configuration in it." in message
    assert "size mismatch for cls_token" in message


@pytest.mark.parametrize("depth", [1, 3])
def test_weights_of_another_depth_are_refused(path, model, depth):
    path.write_bytes(safetensors.torch.save(dict(model.state_dict()), header_of(depth=depth)))
    assert "do not fit the configuration in it" in message_of(path)


def test_missing_weight_is_refused(path, model):
    tensors = dict(model.state_dict())
    del tensors["head.bias"]
    path.write_bytes(safetensors.torch.save(tensors, header_of()))
    assert "head.bias" in message_of(path)


def test_header_states_the_normalization(path, model):
    save_checkpoint(path, model)
    with safetensors.safe_open(path, framework="pt") as file:
        stated = json.loads(file.metadata()["normalization"])
    pixels = torch.tensor([[[[0]], [[51]], [[255]]]], dtype=torch.uint8)
    mean, std = (torch.tensor(stated[key])[:, None, None] for key in ("mean", "std"))
    torch.testing.assert_close((pixels / 255 - mean) / std, normalize(pixels))


@pytest.mark.parametrize(
    "stated", ['{"mean": [0.4, 0.4, 0.4], "std": [0.2, 0.2, 0.2]}', "7", "not JSON", "[" * 100_000]
)
def test_checkpoint_with_another_normalization_is_refused(path, model, stated):
    header = header_of() | {"normalization": stated}
    path.write_bytes(safetensors.torch.save(dict(model.state_dict()), header))
    assert "model.safetensors" in message_of(path)


def test_checkpoint_of_earlier_versions_states_none(path, model):
    path.write_bytes(safetensors.torch.save(dict(model.state_dict()), header_of()))
    assert load_checkpoint(path)[0].config == CONFIG


# Writing


def test_write_replaces_the_old_file(tmp_path):
    path = tmp_path / "new" / "file"
    write_atomically(path, b"old")
    write_atomically(path, b"newer")
    assert path.read_bytes() == b"newer"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("function", ["fsync", "replace", "chmod"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch, function, error):
    path = tmp_path / "folder" / "file"
    write_atomically(path, b"old")

    def fail(*_):
        raise error

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(type(error)):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_file_is_synced_before_it_replaces_the_old_one(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (calls.append("fsync"), fsync(file)))
    monkeypatch.setattr(os, "replace", lambda *paths: (calls.append("replace"), replace(*paths)))
    write_atomically(tmp_path / "file", b"content")
    assert calls == ["fsync", "replace"]


def test_failed_save_keeps_the_old_checkpoint(path, model, monkeypatch):
    save_checkpoint(path, model, {"number": 1})
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        save_checkpoint(path, VisionTransformer(CONFIG, seed=5), {"number": 2})
    assert load_checkpoint(path)[1] == {"number": 1}


def test_card_of_any_length_can_be_loaded(tmp_path, tiny):
    """A safetensors file begins with the length of its header, sometimes with 0x80 as a pickle."""
    path, model = tmp_path / "model.safetensors", VisionTransformer(tiny, seed=0)
    for length in range(0, 264, 8):
        save_checkpoint(path, model, {"text": "x" * length})
        assert load_checkpoint(path)[1] == {"text": "x" * length}


@pytest.mark.parametrize(
    "model", ["[" * 200_000, '{"embed_dim": ' + "9" * 400 + "}"], ids=["nested", "long number"]
)
def test_malicious_header_is_refused(tmp_path, tiny, model):
    path = tmp_path / "model.safetensors"
    path.write_bytes(
        safetensors.torch.save(dict(VisionTransformer(tiny, seed=0).state_dict()), {"model": model})
    )
    with pytest.raises(ConfigError):
        load_checkpoint(path)
