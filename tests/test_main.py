import json
import math
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from vitdemo.__main__ import main
from vitdemo.config import PRESETS, ModelConfig
from vitdemo.config.options import configs, parser
from vitdemo.files import runs_folder
from vitdemo.model import VisionTransformer
from vitdemo.runs.checkpoint import load_checkpoint, save_checkpoint
from vitdemo.runs.run import list_runs, load_run, load_weights, new_run, save_run
from vitdemo.runs.snapshots import list_snapshots, snapshot_steps
from vitdemo.training.loop import BatchEnd, EpochEnd, train

ROOT = Path(__file__).parents[1]
SHAPE = ["--patch-size=16", "--embed-dim=8", "--depth=1", "--num-heads=2", "--mlp-ratio=1"]
RECIPE = [
    "--epochs=2",
    "--batch-size=8",
    "--train-images=20",
    "--validation-images=10",
    "--warmup-epochs=0",
]
TINY = ["train", *SHAPE, *RECIPE, "--threads=1"]
KEYS = ["loss", "accuracy", "auroc", "f1", "precision", "recall", "top1", "top5"]


def shell(*arguments):
    command = [sys.executable, "-m", "vitdemo", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def error_of(*arguments):
    """Return the message that ends the command: `sys.exit` prints it and returns 1."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return caught.value.code


def stopped_main(arguments):
    """Run a command that is interrupted: its exit status is that of a program stopped by Ctrl-C."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 130


def lines_of(path):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def test_train_writes_one_json_line_per_epoch(tmp_path, capsys):
    main([*TINY, "--json", str(tmp_path / "metrics.jsonl")])
    lines = lines_of(tmp_path / "metrics.jsonl")
    assert [line["epoch"] for line in lines] == [1, 2]
    for line in lines:
        assert set(line) == {"epoch", "train", "validation", "seconds", "images_per_second"}
        for part in ("train", "validation"):
            assert list(line[part]) == KEYS
        assert line["seconds"] > 0
        assert line["images_per_second"] > 0
    printed = capsys.readouterr().out
    assert (
        f"train loss {lines[0]['train']['loss']:.4f} accuracy {lines[0]['train']['accuracy']:.1%}"
        in printed
    )
    assert f"validation loss {lines[1]['validation']['loss']:.4f}" in printed


def test_existing_json_file_is_overwritten(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text("old\n")
    main([*TINY, "--json", str(file)])
    assert len(lines_of(file)) == 2


def test_run_is_on_the_list(capsys):
    main([*TINY, "--seed", "5"])
    (run,) = list_runs()
    assert (run.state, run.threads, len(run.history), run.training.seed) == ("finished", 1, 2, 5)
    assert run.model.embed_dim == 8
    assert load_weights(run).config == run.model
    assert f"run {run.id}" in capsys.readouterr().out


def test_same_seed_gives_the_same_metrics(tmp_path):
    metrics = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        given = ["--seed", str(seed), "--augmentation", "flip_and_translate"]
        main([*TINY, *given, "--json", str(tmp_path / name)])
        metrics.append([(line["train"], line["validation"]) for line in lines_of(tmp_path / name)])
    assert metrics[0] == metrics[1]
    assert metrics[0] != metrics[2]


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


def test_diverged_run_is_listed_as_failed():
    error_of(*TINY, "--learning-rate", "10", "--weight-decay", "10", "--epochs", "60")
    (run,) = list_runs()
    assert run.state == "failed"
    assert "The loss is no longer finite" in run.message


def test_interrupted_run_keeps_its_complete_epochs(monkeypatch, capsys):
    interrupt(monkeypatch, 2, BatchEnd)
    stopped_main(TINY)
    (run,) = list_runs()
    assert (run.state, len(run.history)) == ("stopped", 1)
    assert load_weights(run).config == run.model
    expected = f"Stopped. Complete epochs are kept.\nResume with --resume {run.id}.\n"
    assert expected in capsys.readouterr().out


# Resuming


def interrupt(monkeypatch, epoch, kind):
    """Press Ctrl-C at the first event of that kind in that epoch."""

    def interrupted(*arguments):
        for event in train(*arguments):
            yield event
            if isinstance(event, kind) and event.epoch == epoch:
                raise KeyboardInterrupt
        raise AssertionError("was not interrupted")

    monkeypatch.setattr("vitdemo.runs.train_run.train", interrupted)


def numbers_of(run):
    return [(record["epoch"], record["train"], record["validation"]) for record in run.history]


def assert_same(run, other):
    assert (run.state, other.state) == ("finished", "finished")
    assert numbers_of(run) == numbers_of(other)
    one, two = (load_weights(each).state_dict() for each in (run, other))
    assert all(torch.equal(one[name], two[name]) for name in one)


LONGER = [
    *TINY,
    "--epochs=3",
    "--augmentation=flip_and_translate",
    "--mixup=0.5",
    "--ema-decay=0.9",
    "--dropout=0.1",
]
LONGER += ["--precision=float32"]  # "auto" may choose differently in another process


@pytest.mark.parametrize(
    ("epoch", "kind", "reached"),
    [(2, BatchEnd, 1), (2, EpochEnd, 2), (3, BatchEnd, 2)],
    ids=["in an epoch", "before the state is saved", "in the last epoch"],
)
def test_resumed_run_equals_an_uninterrupted_one(monkeypatch, tmp_path, epoch, kind, reached):
    main(LONGER)
    (whole,) = list_runs()
    with monkeypatch.context() as patched:
        interrupt(patched, epoch, kind)
        stopped_main(LONGER)
    run = list_runs()[0]
    assert (run.state, len(run.history)) == ("stopped", reached)

    file = tmp_path / "metrics.jsonl"
    main(["train", "--resume", run.id, "--json", str(file)])
    resumed = load_run(run.id)
    assert_same(resumed, whole)
    assert len(list_runs()) == 2
    assert lines_of(file) == list(resumed.history)
    files = {"config.json", "metrics.jsonl", "weights.safetensors", "snapshots"}
    assert {path.name for path in run.folder.iterdir()} == files
    epochs = [[snapshot.epochs for snapshot in list_snapshots(each)] for each in (resumed, whole)]
    assert epochs[0] == epochs[1]


KILLED = """
import os, sys
import vitdemo.runs.train_run as training
train = training.train
def killed(*arguments):
    for event in train(*arguments):
        yield event
        if event.epoch == 2:
            os.kill(os.getpid(), 9)
training.train = killed
from vitdemo.__main__ import main
main(sys.argv[1:])
"""


@pytest.mark.slow
def test_killed_run_can_be_resumed():
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *LONGER], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    (run,) = list_runs()
    assert (run.state, len(run.history)) == ("stopped", 1)
    main(["train", "--resume", run.id])
    main(LONGER)
    whole, resumed = list_runs()
    assert resumed.id == run.id
    assert_same(resumed, whole)


def test_run_can_be_interrupted_twice(monkeypatch):
    for resume in ([], ["--resume"]):
        with monkeypatch.context() as patched:
            interrupt(patched, len(resume) + 2, BatchEnd)
            stopped_main(["train", *resume, list_runs()[0].id] if resume else LONGER)
    (run,) = list_runs()
    assert (run.state, len(run.history)) == ("stopped", 2)
    main(["train", "--resume", run.id])
    assert [record["epoch"] for record in load_run(run.id).history] == [1, 2, 3]


@pytest.mark.parametrize(("given", "used"), [([], 2), (["--threads=1"], 1)])
def test_resumed_run_uses_its_threads_unless_overridden(monkeypatch, given, used):
    with monkeypatch.context() as patched:
        interrupt(patched, 2, BatchEnd)
        stopped_main([*TINY, "--threads=2"])
    monkeypatch.setattr("vitdemo.machine.available_cores", lambda: 7)
    (run,) = list_runs()
    main(["train", "--resume", run.id, *given])
    assert load_run(run.id).threads == torch.get_num_threads() == used


def refusal(*arguments):
    """Return the one-line message that ends the command; check that no run has changed."""
    before = list_runs()
    message = error_of("train", *arguments)
    assert message.startswith("vitdemo: ")
    assert "\n" not in message
    assert list_runs() == before
    return message


def test_finished_run_cannot_be_resumed():
    main(TINY)
    (run,) = list_runs()
    assert f"Run {run.id} cannot be resumed: it has finished" in refusal("--resume", run.id)


def test_run_without_a_state_cannot_be_resumed(tiny, short):
    run = new_run(tiny, short)
    save_run(run)
    assert "was stopped before its first epoch ended" in refusal("--resume", run.id)


@pytest.mark.parametrize(
    ("run_id", "sentence"),
    [
        ("20260131-120000-0a1b2c", "There is no run 20260131-120000-0a1b2c on this machine"),
        ("sample", "'sample' is not the id of a run"),
        ("../../etc", "is not the id of a run"),
    ],
)
def test_unknown_run_cannot_be_resumed(run_id, sentence):
    assert sentence in refusal("--resume", run_id)


def test_interrupt_in_the_first_epoch_keeps_nothing_and_says_so(monkeypatch, capsys, tmp_path):
    interrupt(monkeypatch, 1, BatchEnd)
    checkpoint = tmp_path / "model.safetensors"
    stopped_main([*TINY, "--checkpoint", str(checkpoint), "--snapshots", str(tmp_path / "some")])
    said = "Stopped before the end of the first epoch. Nothing is kept.\n"
    assert capsys.readouterr().out == said
    assert list_runs() == []
    assert not list(runs_folder().glob("*"))
    assert not checkpoint.exists()


def test_interrupt_in_a_later_epoch_still_saves_what_was_asked_for(monkeypatch, tmp_path):
    interrupt(monkeypatch, 2, BatchEnd)
    checkpoint, metrics = tmp_path / "model.safetensors", tmp_path / "metrics.jsonl"
    stopped_main([*TINY, "--checkpoint", str(checkpoint), "--json", str(metrics)])
    assert len(load_checkpoint(checkpoint)[1]["history"]) == len(lines_of(metrics)) == 1


@pytest.mark.parametrize("name", ["vitdemo.runs.train_run.load_cifar10", "tqdm.tqdm"])
def test_interrupt_before_the_first_step_has_no_traceback(monkeypatch, name):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(name, interrupted)
    stopped_main(TINY)
    assert list_runs() == []


@pytest.mark.slow
def test_ctrl_c_in_a_shell():
    """Send SIGINT as soon as the progress bar shows the loss of a step of the first epoch."""
    long = [*TINY, "--epochs=1000", "--batch-size=1", "--train-images=5000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "vitdemo", *long],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    seen = b""
    while b"loss=" not in seen:
        seen += process.stderr.read1()
        assert process.poll() is None, seen
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == b"Stopped before the end of the first epoch. Nothing is kept.\n"
    assert b"Traceback" not in err
    assert list_runs() == []


@pytest.fixture
def stopped(monkeypatch):
    """Return a run that was interrupted in the second of its two epochs."""
    with monkeypatch.context() as patched:
        interrupt(patched, 2, BatchEnd)
        stopped_main(TINY)
    return list_runs()[0]


@pytest.mark.parametrize("content", [b"", b"cut", b"\x80\x02."], ids=["empty", "text", "pickle"])
def test_run_with_a_damaged_state_cannot_be_resumed(stopped, content):
    (stopped.folder / "state.pt").write_bytes(content)
    assert "state.pt is not a complete training state. Start a new run." in refusal(
        "--resume", stopped.id
    )


def test_run_resumes_only_with_its_own_settings(stopped):
    message = refusal("--resume", stopped.id, "--epochs=9")
    assert message == (
        f"vitdemo: Run {stopped.id} was started with --epochs 2 and resumes with it. "
        "Leave out --epochs."
    )
    main([*TINY, "--resume", stopped.id])
    assert len(load_run(stopped.id).history) == 2


@pytest.mark.parametrize("option", ["--preset=hybrid", "--full"])
def test_resume_refuses_options_that_it_would_ignore(stopped, option):
    name = option.split("=")[0]
    message = refusal("--resume", stopped.id, option)
    assert f"so {name} has no effect. Leave out {name}." in message


def test_resumed_run_takes_every_option_about_files_and_threads(stopped, tmp_path):
    names = ("metrics.jsonl", "model.safetensors", "snapshots")
    metrics, checkpoint, snapshots = (str(tmp_path / name) for name in names)
    given = ["--json", metrics, "--checkpoint", checkpoint, "--half", "--snapshots", snapshots]
    main(["train", "--resume", stopped.id, "--threads=1", *given])
    assert all((tmp_path / name).exists() for name in names)


# Snapshots


def test_snapshots_are_copied_to_a_folder(tmp_path, monkeypatch):
    arguments = [
        *TINY,
        "--epochs=6",
        "--batch-size=2",
        "--validation-images=20",
        "--precision=float32",
    ]
    folder = tmp_path / "snapshots"
    with monkeypatch.context() as patched:
        interrupt(patched, 4, BatchEnd)
        stopped_main([*arguments, "--snapshots", str(folder)])
    (run,) = list_runs()
    main(["train", "--resume", run.id, "--snapshots", str(folder)])
    expected = snapshot_steps(6, 10)
    cards = [load_checkpoint(folder / f"{n}.safetensors")[1] for n in range(1, len(expected) + 1)]
    assert len(list(folder.iterdir())) == len(expected)
    assert [card["step"] for card in cards] == expected
    assert [card["epochs"] for card in cards] == [step / 10 for step in expected]


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


# Evaluation of what cannot be evaluated


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


# What the curves show


def test_dead_run_ends_with_what_to_change(capsys):
    main([*TINY, "--learning-rate=1e-7", "--epochs=3", "--train-images=300"])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith("the learning rate of 1e-07 is too low. Raise it to 0.001.")


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_can_be_shortened(preset):
    options = parser().parse_args(["train", "--preset", preset, "--epochs", "2"])
    model, training = configs(options)
    assert (model, training.epochs) == (PRESETS[preset][0], 2)
    assert training.warmup_epochs == PRESETS[preset][1].warmup_epochs
