"""`python -m vitdemo evaluate`."""

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from tests.shell.commands import (
    TINY,
    error_of,
    lines_of,
    shell,
)
from vitdemo.__main__ import main
from vitdemo.config import ModelConfig
from vitdemo.model import VisionTransformer
from vitdemo.runs.checkpoint import load_checkpoint, save_checkpoint
from vitdemo.runs.run import list_runs


def test_evaluate_gives_the_last_validation_metrics(tmp_path, capsys):
    checkpoint, metrics, result = (
        str(tmp_path / name) for name in ("m.safetensors", "metrics.jsonl", "result.json")
    )
    main([*TINY, "--precision", "float32", "--json", metrics, "--checkpoint", checkpoint])
    model, card = load_checkpoint(checkpoint)
    assert model.config.embed_dim == 8
    assert card["training"]["train_images"] == 20
    capsys.readouterr()

    main(["evaluate", checkpoint, "--validation-images", "10", "--json", result])
    (found,) = lines_of(Path(result))
    assert (found.pop("checkpoint"), found.pop("images")) == ("m.safetensors", 10)
    assert found == pytest.approx(lines_of(Path(metrics))[-1]["validation"], abs=1e-6)
    assert f"accuracy   {found['accuracy']:.4f}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "There is no checkpoint model.safetensors"),
        (b"cut off", "model.safetensors is not a complete safetensors file"),
        (b"\x80\x04.", "model.safetensors is a pickle"),
    ],
)
def test_unreadable_checkpoint_ends_with_a_message(tmp_path, content, sentence):
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    assert error_of("evaluate", str(path)).startswith(f"vitdemo: {sentence}")


def test_checkpoint_for_another_image_size_ends_with_a_message(tmp_path):
    path = tmp_path / "model.safetensors"
    config = ModelConfig(image_size=16, patch_size=8, embed_dim=8, depth=1, num_heads=1)
    save_checkpoint(path, VisionTransformer(config, seed=0))
    message = error_of("evaluate", str(path))
    assert message.startswith("vitdemo: ")
    assert "3, 16, 16)" in message
    assert "3, 32, 32)" in message


@pytest.fixture
def checkpoint(tmp_path, tiny):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, VisionTransformer(tiny, seed=0))
    return path


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_numbers_are_an_error(tmp_path, tiny, value):
    path, model = tmp_path / "model.safetensors", VisionTransformer(tiny, seed=0)
    with torch.no_grad():
        model.blocks[0].mlp.fc1.weight[0, 0] = value
    save_checkpoint(path, model)
    done = shell("evaluate", str(path), "--json", str(tmp_path / "result.json"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "model.safetensors are not numbers (NaN or infinity)" in done.stderr
    assert not (tmp_path / "result.json").exists()


def test_outputs_that_are_not_numbers_are_an_error(tmp_path, tiny):
    path, model = tmp_path / "model.safetensors", VisionTransformer(tiny, seed=0)
    with torch.no_grad():
        model.head.weight.fill_(3e38)  # a number, but no sum of several of them is
    save_checkpoint(path, model)
    assert "The model computes NaN or infinity" in error_of("evaluate", str(path))


def test_a_metric_that_is_not_defined_is_null_in_json(checkpoint, tmp_path, capsys):
    """AUROC of a single image: it has no image of another class to be told from."""
    result = tmp_path / "result.json"
    main(["evaluate", str(checkpoint), "--validation-images", "1", "--json", str(result)])
    (found,) = lines_of(result)
    assert found["auroc"] is None
    assert "auroc      undefined\n" in capsys.readouterr().out


def test_all_files_of_a_run_on_one_image_are_strict_json(tmp_path):
    saved = tmp_path / "model.safetensors"
    given = ["--validation-images=1", "--checkpoint", str(saved), "--json", str(tmp_path / "m")]
    main([*TINY, *given])
    (run,) = list_runs()
    assert lines_of(tmp_path / "m")[-1]["validation"]["auroc"] is None
    assert lines_of(run.folder / "metrics.jsonl") == lines_of(tmp_path / "m")
    for path in (saved, run.weights, *run.snapshots_folder.iterdir()):
        header = safe_open(path, framework="pt").metadata()
        for text in header.values():
            json.loads(text, parse_constant=pytest.fail)
    assert load_checkpoint(saved)[1]["sample"]["auroc"] is None


def test_evaluate_takes_all_images_or_a_number(checkpoint):
    done = shell("evaluate", str(checkpoint), "--full", "--validation-images", "5")
    assert done.returncode == 2
    assert "not allowed with argument" in done.stderr


def test_evaluate_checks_the_model_before_a_download(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, VisionTransformer(ModelConfig(image_size=16, depth=1), seed=0))
    monkeypatch.setattr("vitdemo.data.cifar10.download_full_set", pytest.fail)
    assert "Change in_channels or image_size" in error_of("evaluate", str(path), "--full")


def test_evaluate_does_not_overwrite_the_checkpoint(checkpoint):
    before = checkpoint.read_bytes()
    message = error_of("evaluate", str(checkpoint), "--json", str(checkpoint))
    assert "would overwrite a checkpoint" in message
    assert checkpoint.read_bytes() == before


def test_evaluate_reports_an_unwritable_file_before_it_evaluates(checkpoint, tmp_path, capsys):
    (tmp_path / "file").write_text("text")
    message = error_of("evaluate", str(checkpoint), "--json", str(tmp_path / "file" / "x.json"))
    assert "cannot be written" in message
    assert capsys.readouterr().out == ""


def test_evaluate_creates_the_folder_of_its_result(checkpoint, tmp_path):
    result = tmp_path / "new" / "folder" / "x.json"
    main(["evaluate", str(checkpoint), "--validation-images=10", "--json", str(result)])
    assert len(lines_of(result)) == 1
