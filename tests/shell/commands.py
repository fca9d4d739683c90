"""Run commands of `python -m vitdemo`, in this process or in a shell."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vitdemo.__main__ import main
from vitdemo.training.loop import train

ROOT = Path(__file__).parents[2]
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


def interrupt(monkeypatch, epoch, kind):
    """Press Ctrl-C at the first event of that kind in that epoch."""

    def interrupted(*arguments):
        for event in train(*arguments):
            yield event
            if isinstance(event, kind) and event.epoch == epoch:
                raise KeyboardInterrupt
        raise AssertionError("was not interrupted")

    monkeypatch.setattr("vitdemo.runs.train_run.train", interrupted)
