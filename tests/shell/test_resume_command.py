"""`train --resume`, after Ctrl-C, a kill or an error."""

import signal
import subprocess
import sys
from contextlib import suppress

import pytest
import torch

from tests.shell.commands import ROOT, TINY, error_of, interrupt, lines_of, stopped_main
from vitdemo.__main__ import main
from vitdemo.files import runs_folder
from vitdemo.runs.checkpoint import load_checkpoint
from vitdemo.runs.run import list_runs, load_run, load_weights, new_run, save_run
from vitdemo.runs.snapshots import list_snapshots
from vitdemo.training.loop import BatchEnd, EpochEnd
from vitdemo.training.metrics import compute_metrics


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


def test_run_without_an_epoch_is_resumed_from_the_beginning(tiny, short):
    run = new_run(tiny, short)
    save_run(run)
    main(["train", "--resume", run.id])
    assert len(load_run(run.id).history) == short.epochs


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


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_within_a_library_that_catches_everything(monkeypatch, presses):
    """Press Ctrl-C while a step is under way: twice interrupts it, once waits for its end."""
    reached = []

    def metrics(*arguments):
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        reached.append("first")
        if presses == 2:
            signal.raise_signal(signal.SIGINT)
            reached.append("second")
        return compute_metrics(*arguments)

    monkeypatch.setattr("vitdemo.training.loop.compute_metrics", metrics)
    before = signal.getsignal(signal.SIGINT)
    stopped_main(TINY)
    assert reached == ["first"]
    assert signal.getsignal(signal.SIGINT) == before


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
