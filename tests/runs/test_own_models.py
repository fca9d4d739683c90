"""Own models are bounded: in bytes, numbers, tensors, maps, and how many are kept."""

import os
import threading

import pytest
import torch
from safetensors.torch import save
from timm_models import timm_model

from vitdemo import ConfigError, ModelConfig, VisionTransformer, save_checkpoint
from vitdemo.files import own_models_folder
from vitdemo.runs import own_models
from vitdemo.runs.own_models import keep_upload, open_checkpoint, open_timm, own_run, shapes_in
from vitdemo.runs.run import load_weights


@pytest.fixture(autouse=True)
def empty_folder():
    yield
    for file in own_models_folder().iterdir():
        file.unlink()


@pytest.fixture
def upload():
    return keep_upload(save(timm_model().state_dict()))


def refusal(function, *arguments, **settings):
    with pytest.raises(ConfigError) as caught:
        function(*arguments, **settings)
    assert str(own_models_folder()) not in str(caught.value)
    return str(caught.value)


def files():
    return sorted(file.name for file in own_models_folder().iterdir())


def test_a_model_is_kept_by_content(upload):
    one, two = (open_timm(upload, "a", [], num_heads=3) for _ in range(2))
    assert one.id == two.id
    assert open_timm(upload, "a", [], num_heads=4).id != one.id
    assert load_weights(one).config == one.model
    assert not load_weights(one).training


@pytest.mark.parametrize(
    "run_id", ["own-", "own-" + "0" * 20, "../own-" + "0" * 20, "own-x", "", "vit"]
)
def test_unknown_ids_are_no_models(run_id):
    assert own_run(run_id) is None


def test_file_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(own_models, "MAX_BYTES", 1000)
    assert "Choose one of at most 0 MB" in refusal(keep_upload, bytes(1001))
    assert files() == []


def test_too_many_numbers_are_refused_by_the_header_alone(monkeypatch):
    monkeypatch.setattr(own_models, "MAX_PARAMETERS", 10_000)
    content = save({"x": torch.zeros(10_001, dtype=torch.uint8)})
    assert "0 million numbers in 1 tensors" in refusal(keep_upload, content)
    assert files() == []


def test_header_that_is_too_large_is_refused():
    content = save({"x": torch.zeros(1)}, {"card": "x" * 5 * 2**20})
    assert "not a complete safetensors file" in refusal(keep_upload, content)


@pytest.mark.parametrize("kind", [torch.int64, torch.bool, torch.float8_e4m3fn, torch.complex64])
def test_tensors_of_other_kinds_are_refused(kind):
    weights = timm_model().state_dict()
    weights["head.bias"] = torch.zeros(7).to(kind)
    path = keep_upload(save(weights))
    sentence = refusal(open_timm, path, "a", [], num_heads=3)
    assert "floating-point" in sentence or "Save the weights as float32" in sentence


def test_model_with_maps_that_are_too_large_is_refused(upload):
    assert open_timm(upload, "a", [], num_heads=3, image_size=256)
    sentence = refusal(open_timm, upload, "a", [], num_heads=24, image_size=256)
    assert "and 64 MB are allowed. Choose a smaller image size" in sentence


def test_common_models_are_within_the_bounds():
    for name, (dim, depth, heads) in {"S": (384, 12, 6), "B": (768, 12, 12)}.items():
        config = ModelConfig(224, 16, 3, 1000, dim, depth, heads)
        maps = 4 * config.depth * config.num_heads * config.num_tokens**2
        assert maps < own_models.MAX_MAPS, name
        with torch.device("meta"):
            numbers = sum(p.numel() for p in VisionTransformer(config).parameters())
        assert numbers < own_models.MAX_PARAMETERS
        assert 4 * numbers < own_models.MAX_BYTES


def test_the_oldest_models_make_room(monkeypatch):
    monkeypatch.setattr(own_models, "KEPT_FILES", 3)
    ids = []
    for n in range(5):
        path = keep_upload(save(timm_model(seed=n).state_dict()))
        ids.append(open_timm(path, "a", [], num_heads=3).id)
        path.unlink()
        for age, run_id in enumerate(reversed(ids)):
            file = own_models_folder() / f"{run_id}.safetensors"
            if file.exists():
                os.utime(file, (1000 - age, 1000 - age))
        assert len(files()) <= 3
    assert own_run(ids[-1]) is not None
    assert own_run(ids[0]) is None


def test_the_bytes_of_all_models_are_bounded(monkeypatch):
    size = len(save(timm_model().state_dict()))
    monkeypatch.setattr(own_models, "KEPT_BYTES", int(2.5 * size))
    for n in range(6):
        keep_upload(save(timm_model(seed=n).state_dict()))
        assert sum(file.stat().st_size for file in own_models_folder().iterdir()) <= 2.5 * size
    assert len(files()) == 2


def test_forty_visitors_at_once(tmp_path):
    config = ModelConfig(patch_size=16, embed_dim=8, depth=1, num_heads=2, mlp_ratio=1.0)
    contents = []
    for n in range(40):
        path = tmp_path / "model.safetensors"
        save_checkpoint(path, VisionTransformer(config, seed=n))
        contents.append(path.read_bytes())
    runs = {}

    def open_one(number):
        path = keep_upload(contents[number])
        runs[number] = open_checkpoint(path, f"model {number}")

    threads = [threading.Thread(target=open_one, args=[n]) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.id for run in runs.values()}) == 40
    for number, run in runs.items():
        expected = VisionTransformer(config, seed=number).head.weight
        assert torch.equal(load_weights(run).head.weight, expected)


def test_full_disk_gets_a_sentence(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", str(own_models_folder()))

    monkeypatch.setattr(own_models, "write_atomically", full)
    assert refusal(keep_upload, bytes(10)) == "The file cannot be kept: No space left on device."


def test_shapes_are_read_without_the_numbers(upload):
    shapes = shapes_in(upload)
    assert {tensor.device.type for tensor in shapes.values()} == {"meta"}
    assert {n: t.shape for n, t in shapes.items()} == {
        n: t.shape for n, t in timm_model().state_dict().items()
    }


@pytest.mark.parametrize(
    ("name", "shown"),
    [("model", "model"), ("a\nb\u202ec", "a b c"), ("x" * 500, "x" * 60), ("", "")],
)
def test_names_of_files_are_one_short_line(upload, name, shown):
    assert own_models.name_of(open_timm(upload, name, [], num_heads=3)) == shown
