"""Options of the commands: their values, their help, and what is refused before the first step."""

import shutil
from pathlib import Path

import pytest

from tests.shell.commands import TINY, error_of, shell
from vitdemo.__main__ import main
from vitdemo.config import PRESETS
from vitdemo.config.options import configs, parser
from vitdemo.files import runs_folder
from vitdemo.runs.run import list_runs


def test_options_override_the_preset():
    options = parser().parse_args(
        ["train", "--preset", "annotation", "--epochs", "2", "--num-heads", "4"]
    )
    model, training = configs(options)
    preset_model, preset_training = PRESETS["annotation"]
    assert (model.num_heads, training.epochs) == (4, 2)
    assert (model.attention_scale, model.token_init_std) == (
        preset_model.attention_scale,
        preset_model.token_init_std,
    )
    assert (training.optimizer, training.weight_decay) == ("adam", preset_training.weight_decay)


@pytest.mark.parametrize("name", PRESETS)
def test_preset_alone_is_used_unchanged(name):
    assert configs(parser().parse_args(["train", "--preset", name])) == PRESETS[name]


def test_every_setting_is_an_option():
    given = {
        "stem": "conv",
        "pooling": "attention",
        "drop_path": 0.1,
        "patch_drop": 0.2,
        "jitter": 0.3,
        "cutout": 4,
        "mixup": 0.5,
        "cutmix": 0.25,
        "label_smoothing": 0.1,
        "ema_decay": 0.99,
        "patch_embed_init": "whitened",
        "precision": "bfloat16",
    }
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    model, training = configs(parser().parse_args(["train", *arguments]))
    for name, value in given.items():
        assert getattr(model if hasattr(model, name) else training, name) == value


def test_full_uses_all_images_unless_overridden():
    _, training = configs(parser().parse_args(["train", "--full"]))
    assert (training.train_images, training.validation_images) == (50_000, 10_000)
    _, training = configs(parser().parse_args(["train", "--full", "--train-images", "20000"]))
    assert training.train_images == 20_000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--num-heads", "7"], "num_heads 7 does not divide embed_dim 64"),
        (["--patch-size", "64"], "patch_size 64 is larger than image_size 32"),
        (["--epochs", "0"], "epochs must be a whole number from 1 to 1,000, not 0"),
        (["--learning-rate", "nan"], "learning_rate must be a number"),
        (
            ["--mixup", "0.7", "--cutmix", "0.6"],
            "mixup 0.7 and cutmix 0.6 are fractions of the steps",
        ),
    ],
)
def test_invalid_settings_end_with_one_line(arguments, sentence):
    done = shell("train", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(f"vitdemo: {sentence}")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--epochs", "six"],
        ["train", "--optimizer", "sgd"],
        ["train", "--stem", "mlp"],
        ["train", "--preset", "x"],
        [],
        ["fly"],
    ],
)
def test_invalid_options_print_the_usage(arguments):
    done = shell(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m vitdemo")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--train-images", "6000"],
            "6,000 training images are needed, and 5,000 ship with the project",
        ),
        (["--threads", "-1"], "thread"),
        (["--image-size", "64"], "64"),
        (
            ["--learning-rate", "10", "--weight-decay", "10", "--epochs", "60"],
            "The loss is no longer finite",
        ),
    ],
)
def test_later_errors_end_with_a_message(arguments, sentence):
    message = error_of(*TINY, *arguments)
    assert message.startswith("vitdemo: ")
    assert sentence in message


@pytest.mark.parametrize("command", [[], ["train"], ["evaluate"]])
def test_help(command):
    done = shell(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: python -m vitdemo")
    expected = {
        "": ["train", "evaluate"],
        "train": ["--preset", "--train-images", "--epochs", "--seed", "--json"],
        "evaluate": ["checkpoint", "--json"],
    }
    assert all(word in done.stdout for word in expected["".join(command)])


def test_every_option_has_a_help():
    for command in parser()._subparsers._group_actions[0].choices.values():
        assert all(action.help for action in command._actions)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--num-classes", "5"],
        ["--json", "/proc/no/x.json"],
        ["--checkpoint", "/proc/model.safetensors"],
        ["--snapshots", "/proc/snapshots"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_no_option_ends_with_a_traceback(arguments):
    with pytest.raises(SystemExit, match=r"^vitdemo: "):
        main([*TINY, *arguments])


def test_parent_folders_of_files_are_created(tmp_path):
    names = ("a/b/metrics.jsonl", "c/d/model.safetensors")
    main([*TINY, "--json", str(tmp_path / names[0]), "--checkpoint", str(tmp_path / names[1])])
    assert all((tmp_path / name).is_file() for name in names)


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--checkpoint", "model.pt", "does not end in .safetensors"),
        ("--checkpoint", "folder.safetensors", "cannot be written (Is a directory)"),
        ("--checkpoint", "file/model.safetensors", "cannot be written (File exists)"),
        ("--checkpoint", "/proc/model.safetensors", "cannot be written"),
        ("--json", "folder.safetensors/..", "cannot be written (Is a directory)"),
        ("--json", "file/metrics.jsonl", "cannot be written (File exists)"),
        ("--json", "model.safetensors", "would overwrite a checkpoint"),
        ("--snapshots", "file", "cannot be written (File exists)"),
        ("--snapshots", "/proc/snapshots", "cannot be written"),
    ],
)
def test_unwritable_output_is_refused_before_the_first_step(
    tmp_path, monkeypatch, option, value, sentence
):
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "file").write_text("text")
    monkeypatch.setattr("vitdemo.__main__._prepare", None)  # nothing is loaded or downloaded
    message = error_of(*TINY, option, str(tmp_path / value))
    assert message.startswith("vitdemo: ")
    assert option in message
    assert sentence in message
    assert list_runs() == []
    assert (tmp_path / "file").read_text() == "text"


@pytest.mark.parametrize("option", ["", "--checkpoint", "--snapshots"])
def test_full_disk_is_refused_before_a_download(monkeypatch, tmp_path, option):
    """The folder of the runs and that of the output may lie on disks of their own."""
    full = tmp_path / "other" if option else runs_folder()

    def usage(path):
        return shutil._ntuple_diskusage(0, 0, 1 if Path(path) == full else 10**12)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    monkeypatch.setattr("vitdemo.data.cifar10.download_full_set", pytest.fail)
    given = [option, str(full / "model.safetensors")] if option else []
    message = error_of(*TINY, "--full", *given)
    assert "0 MB are free" in message
    assert option in message
    assert list_runs() == []


def test_checking_an_output_leaves_an_old_file_as_it_was(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")
    error_of(*TINY, "--checkpoint", str(path), "--json", str(tmp_path))
    assert path.read_bytes() == b"old"
    assert {entry.name for entry in tmp_path.iterdir()} == {"model.safetensors"}


@pytest.mark.parametrize("threads", ["0", "-1", "257"])
def test_impossible_number_of_threads_is_refused(threads):
    expected = f"vitdemo: --threads must be a whole number from 1 to 256, not {threads}."
    assert error_of(*TINY, "--threads", threads) == expected


def test_half_without_a_checkpoint_is_refused():
    assert "--half has no effect without --checkpoint" in error_of(*TINY, "--half")


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_can_be_shortened(preset):
    options = parser().parse_args(["train", "--preset", preset, "--epochs", "2"])
    model, training = configs(options)
    assert (model, training.epochs) == (PRESETS[preset][0], 2)
    assert training.warmup_epochs == PRESETS[preset][1].warmup_epochs
