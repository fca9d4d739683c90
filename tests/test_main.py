import json
import subprocess
import sys
from pathlib import Path

import pytest

import vitdemo.training
from vitdemo.__main__ import configs, main, parser
from vitdemo.checkpoint import load_checkpoint, save_checkpoint
from vitdemo.config import PRESETS, ModelConfig
from vitdemo.model import VisionTransformer
from vitdemo.runs import list_runs, load_weights
from vitdemo.training import EpochEnd, train

ROOT = Path(__file__).parents[1]
SHAPE = ["--patch-size=16", "--embed-dim=8", "--depth=1", "--num-heads=2", "--mlp-ratio=1"]
RECIPE = ["--epochs=2", "--batch-size=8", "--train-images=20", "--validation-images=10", "--warmup-epochs=0"]
TINY = ["train", *SHAPE, *RECIPE, "--threads=1"]


def shell(*arguments):
    command = [sys.executable, "-m", "vitdemo", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def error_of(*arguments):
    """What ends the command: `sys.exit` writes it to stderr and returns 1."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return caught.value.code


def lines_of(path):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def test_training_writes_a_line_an_epoch(tmp_path, capsys):
    main([*TINY, "--json", str(tmp_path / "metrics.jsonl")])
    lines = lines_of(tmp_path / "metrics.jsonl")
    assert [line["epoch"] for line in lines] == [1, 2]
    for line in lines:
        assert set(line) == {"epoch", "train", "validation", "seconds", "images_per_second"}
        for part in ("train", "validation"):
            assert list(line[part]) == ["loss", "accuracy", "auroc", "f1", "precision", "recall", "top1", "top5"]
        assert line["seconds"] > 0
        assert line["images_per_second"] > 0
    printed = capsys.readouterr().out
    assert f"train loss {lines[0]['train']['loss']:.4f} accuracy {lines[0]['train']['accuracy']:.1%}" in printed
    assert f"validation loss {lines[1]['validation']['loss']:.4f}" in printed


def test_the_file_of_an_earlier_training_is_written_anew(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text("old\n")
    main([*TINY, "--json", str(file)])
    assert len(lines_of(file)) == 2


def test_the_app_lists_the_run(capsys):
    main([*TINY, "--seed", "5"])
    (run,) = list_runs()
    assert (run.state, run.threads, len(run.history), run.training.seed) == ("finished", 1, 2, 5)
    assert run.model.embed_dim == 8
    assert load_weights(run).config == run.model
    assert f"run {run.id}" in capsys.readouterr().out


def test_the_seed_decides_the_numbers(tmp_path):
    metrics = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        main([*TINY, "--seed", str(seed), "--augmentation", "flip_and_shift", "--json", str(tmp_path / name)])
        metrics.append([(line["train"], line["validation"]) for line in lines_of(tmp_path / name)])
    assert metrics[0] == metrics[1]
    assert metrics[0] != metrics[2]


def test_a_checkpoint_is_evaluated_on_the_same_images_as_in_training(tmp_path, capsys):
    checkpoint, metrics, result = (str(tmp_path / name) for name in ("m.safetensors", "metrics.jsonl", "result.json"))
    main([*TINY, "--json", metrics, "--checkpoint", checkpoint])
    model, card = load_checkpoint(checkpoint)
    assert model.config.embed_dim == 8
    assert card["training"]["train_images"] == 20
    capsys.readouterr()

    main(["evaluate", checkpoint, "--validation-images", "10", "--json", result])
    (found,) = lines_of(Path(result))
    assert (found.pop("checkpoint"), found.pop("images")) == ("m.safetensors", 10)
    assert found == pytest.approx(lines_of(Path(metrics))[-1]["validation"], abs=1e-6)
    assert f"accuracy   {found['accuracy']:.4f}" in capsys.readouterr().out


def test_the_preset_is_the_ground_for_what_is_given():
    options = parser().parse_args(["train", "--preset", "annotation", "--epochs", "2", "--num-heads", "4"])
    model, training = configs(options)
    preset_model, preset_training = PRESETS["annotation"]
    assert (model.num_heads, training.epochs) == (4, 2)
    assert (model.attention_scale, model.token_init_std) == (preset_model.attention_scale, preset_model.token_init_std)
    assert (training.optimizer, training.weight_decay) == ("adam", preset_training.weight_decay)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_alone_is_taken_as_it_is(name):
    assert configs(parser().parse_args(["train", "--preset", name])) == PRESETS[name]


def test_full_means_every_image_unless_told_otherwise():
    _, training = configs(parser().parse_args(["train", "--full"]))
    assert (training.train_images, training.validation_images) == (50_000, 10_000)
    _, training = configs(parser().parse_args(["train", "--full", "--train-images", "20000"]))
    assert training.train_images == 20_000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--num-heads", "7"], "num_heads 7 does not divide embed_dim 64"),
        (["--patch-size", "64"], "patch_size 64 is larger than the image"),
        (["--epochs", "0"], "epochs must be a whole number from 1 to 1,000, not 0"),
        (["--learning-rate", "nan"], "learning_rate must be a number"),
    ],
)
def test_bad_settings_end_with_one_sentence(arguments, sentence):
    done = shell("train", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(f"vitdemo: {sentence}")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [["train", "--epochs", "six"], ["train", "--optimizer", "sgd"], ["train", "--preset", "x"], [], ["fly"]],
)
def test_options_that_are_none_end_with_the_usage(arguments):
    done = shell(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m vitdemo")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--train-images", "6000"], "6,000 train images are asked for and 5,000 ship with the project"),
        (["--threads", "-1"], "thread"),
        (["--image-size", "64"], "64"),
        (["--learning-rate", "10", "--weight-decay", "10", "--epochs", "60"], "The loss is no longer a finite number"),
    ],
)
def test_what_goes_wrong_later_ends_with_one_sentence_too(arguments, sentence):
    message = error_of(*TINY, *arguments)
    assert message.startswith("vitdemo: ")
    assert sentence in message


def test_a_training_that_diverges_is_on_the_list_as_failed():
    error_of(*TINY, "--learning-rate", "10", "--weight-decay", "10", "--epochs", "60")
    (run,) = list_runs()
    assert run.state == "failed"
    assert "The loss is no longer a finite number" in run.message


def test_an_interrupt_keeps_what_was_reached(monkeypatch, capsys):
    def interrupted(model, data, config):
        for event in train(model, data, config):
            yield event
            if isinstance(event, EpochEnd):
                raise KeyboardInterrupt

    monkeypatch.setattr(vitdemo.training, "train", interrupted)
    main(TINY)
    (run,) = list_runs()
    assert (run.state, len(run.history)) == ("stopped", 1)
    assert load_weights(run).config == run.model
    assert "stopped; what was reached is kept" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "There is no checkpoint model.safetensors"),
        (b"cut off", "model.safetensors is not a whole safetensors file"),
        (b"\x80\x04.", "model.safetensors is a pickle"),
    ],
)
def test_a_checkpoint_that_cannot_be_read(tmp_path, content, sentence):
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    assert error_of("evaluate", str(path)).startswith(f"vitdemo: {sentence}")


def test_a_checkpoint_of_another_image_size(tmp_path):
    path = tmp_path / "model.safetensors"
    config = ModelConfig(image_size=16, patch_size=8, embed_dim=8, depth=1, num_heads=1)
    save_checkpoint(path, VisionTransformer(config, seed=0))
    message = error_of("evaluate", str(path))
    assert message.startswith("vitdemo: ")
    assert "3, 16, 16)" in message
    assert "3, 32, 32)" in message


@pytest.mark.parametrize("command", [[], ["train"], ["evaluate"]])
def test_help(command):
    done = shell(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: python -m vitdemo")
    expected = {"": ["train", "evaluate"], "train": ["--preset", "--train-images", "--epochs", "--seed", "--json"]}
    assert all(word in done.stdout for word in expected.get("".join(command), ["checkpoint", "--json"]))


@pytest.mark.parametrize(
    "arguments",
    [["--num-classes", "5"], ["--json", "{tmp}/no/folder/x.json"], ["--checkpoint", "/proc/model.safetensors"]],
    ids=lambda arguments: arguments[0],
)
def test_no_setting_ends_with_a_traceback(tmp_path, arguments):
    with pytest.raises(SystemExit, match=r"^vitdemo: "):
        main([*TINY, *(argument.format(tmp=tmp_path) for argument in arguments)])


def test_a_result_that_cannot_be_written_ends_with_a_sentence(tmp_path, tiny):
    save_checkpoint(tmp_path / "model.safetensors", VisionTransformer(tiny, seed=0))
    with pytest.raises(SystemExit, match=r"^vitdemo: "):
        main(["evaluate", str(tmp_path / "model.safetensors"), "--json", str(tmp_path / "no" / "folder" / "x.json")])


@pytest.mark.parametrize(
    "arguments", [["--image-size=64"], ["--patch-size=1", "--num-heads=8", "--batch-size=1024", "--depth=24"]], ids=str
)
def test_a_training_that_never_began_leaves_no_run(arguments):
    with pytest.raises(SystemExit):
        main([*TINY, *arguments])
    assert list_runs() == []
