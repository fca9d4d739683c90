"""Hostile run folders: links that lead out, pipes, huge and endless files. Others' runs stay."""

import json
import os
import threading
from dataclasses import replace

import pytest

from vitdemo.config import ConfigError
from vitdemo.files import remove_leftovers
from vitdemo.model import VisionTransformer
from vitdemo.runs import lock
from vitdemo.runs.about import FILE as ABOUT
from vitdemo.runs.about import About, write_about
from vitdemo.runs.checkpoint import save_checkpoint
from vitdemo.runs.delete import delete_run
from vitdemo.runs.run import FILES, epoch_record, list_runs, load_run, new_run, save_run
from vitdemo.runs.snapshots import list_snapshots
from vitdemo.runs.train_run import resumable_run
from vitdemo.training.loop import EpochEnd
from vitdemo.training.metrics import METRICS
from vitdemo.training.state import load_state

HOSTILE = "20260131-120000-0a1b2c"
SECRET = "a secret of the machine"
PATIENCE = 20  # seconds; a pipe that is opened waits forever

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")


def within_time(function, *arguments):
    """Return what a function returns; fail if it waits for something that never comes."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function(*arguments)), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert found, "it still waits"
    return found[0]


@pytest.fixture
def outside(tmp_path_factory):
    """Return a folder outside of the data folder, with a file that nobody may read or change."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "secret.txt").write_text(SECRET)
    return folder


@pytest.fixture
def saved_run(tiny, short):
    """Return a finished run on disk, with a snapshot and metrics by hand."""
    metrics = dict.fromkeys(METRICS, 0.5)
    ends = (EpochEnd(number, metrics, metrics, 1.5, 640.0) for number in (1, 2))
    history = tuple(epoch_record(end) for end in ends)
    run = replace(new_run(tiny, short), state="finished", threads=1, history=history)
    model = VisionTransformer(tiny, seed=0)
    save_run(run, model)
    card = {"epochs": 1, "validation": metrics}
    save_checkpoint(run.snapshots_folder / "1.safetensors", model, card, half=True)
    assert len(list_snapshots(run)) == 2  # and the final model
    return load_run(run.id)


@pytest.fixture
def hostile(saved_run):
    """Return the folder of a run beside an honest one, with the files of that one."""
    folder = saved_run.folder.with_name(HOSTILE)
    folder.mkdir()
    write_about(folder, About("0a1b"))
    for name in set(FILES) - {ABOUT}:
        (folder / name).write_bytes((saved_run.folder / name).read_bytes())
    assert [run.state for run in list_runs()] == ["finished", "finished"]
    return folder


def refused(saved_run, problem: str):
    """Check that the hostile run is listed as damaged, and the other one as it was."""
    other, found = within_time(list_runs)
    assert (found.id, found.state) == (HOSTILE, "damaged")
    assert problem in found.message
    assert SECRET not in found.message
    assert str(found.folder.parent) not in found.message
    assert other == saved_run
    with pytest.raises(ConfigError):
        load_run(HOSTILE)
    delete_run(HOSTILE)
    assert list_runs() == [saved_run]


def a_pipe(path, outside):
    os.mkfifo(path)


def a_folder(path, outside):
    path.mkdir()
    (path / "inside").write_text("x")


def a_link(path, outside):
    path.symlink_to(outside / "secret.txt")


def a_link_to_a_device(path, outside):
    path.symlink_to("/dev/zero")


def a_link_to_itself(path, outside):
    path.symlink_to(path)


def a_link_to_the_same_file_elsewhere(path, outside):
    path.symlink_to(outside / path.name)


@pytest.mark.parametrize("name", FILES[::2])
@pytest.mark.parametrize(
    "make",
    [
        a_pipe,
        a_folder,
        a_link,
        a_link_to_a_device,
        a_link_to_itself,
        a_link_to_the_same_file_elsewhere,
    ],
)
def test_file_of_another_kind_is_not_opened(saved_run, hostile, outside, make, name):
    (hostile / name).rename(outside / name)
    make(hostile / name, outside)
    refused(saved_run, f"{name} is not a file")
    assert (outside / "secret.txt").read_text() == SECRET
    assert (outside / name).is_file()


def test_metrics_that_are_a_pipe_are_not_opened(saved_run, hostile, outside):
    (hostile / "weights.safetensors").unlink()
    (hostile / "metrics.jsonl").unlink()
    a_pipe(hostile / "metrics.jsonl", outside)
    refused(saved_run, "metrics.jsonl is not a file")


def test_folder_that_is_a_link_is_not_read_and_its_target_not_deleted(saved_run, hostile, outside):
    hostile.rename(outside / "run")
    hostile.symlink_to(outside / "run")
    refused(saved_run, "its folder is a link")
    assert all((outside / "run" / name).is_file() for name in FILES)


def test_links_within_a_deleted_run_lose_no_target(saved_run, hostile, outside):
    (hostile / "more").symlink_to(outside)
    (hostile / "snapshots").symlink_to(outside)
    delete_run(HOSTILE)
    assert (outside / "secret.txt").read_text() == SECRET


@pytest.mark.parametrize("whole_folder", [True, False])
def test_snapshots_elsewhere_are_not_read(saved_run, hostile, outside, whole_folder):
    snapshots = saved_run.snapshots_folder
    first = snapshots / "1.safetensors"
    if whole_folder:
        snapshots.rename(outside / "snapshots")
        snapshots.symlink_to(outside / "snapshots")
    else:
        first.rename(outside / first.name)
        first.symlink_to(outside / first.name)
    (final,) = list_snapshots(saved_run)
    assert final.weights == saved_run.weights


@pytest.mark.parametrize("make", [a_pipe, a_folder, a_link, a_link_to_itself])
def test_lock_of_another_kind_holds_nobody_up_and_changes_nothing(
    saved_run, hostile, outside, make
):
    make(hostile / "lock", outside)
    path = hostile / "config.json"
    path.write_text(path.read_text().replace('"finished"', '"running"'))
    found = next(run for run in within_time(list_runs) if run.id == HOSTILE)
    assert found.state == "stopped"

    def train():
        with pytest.raises(ConfigError, match="lock"), lock.hold(hostile):
            pass
        return True

    assert within_time(train)
    assert (outside / "secret.txt").read_text() == SECRET


@pytest.mark.parametrize("make", [a_pipe, a_link, a_link_to_a_device])
def test_state_of_another_kind_is_no_state_to_resume_from(saved_run, hostile, outside, make):
    make(hostile / "state.pt", outside)
    path = hostile / "config.json"
    path.write_text(path.read_text().replace('"finished"', '"stopped"'))
    with pytest.raises(ConfigError, match="cannot be resumed"):
        resumable_run(HOSTILE)
    assert within_time(lambda: load_state(hostile / "state.pt", None, None) or True)


def test_leftovers_that_are_pipes_or_links_are_left_alone(saved_run, hostile, outside):
    a_pipe(hostile / ".x.part", outside)
    a_link(hostile / ".y.part", outside)
    os.utime(outside / "secret.txt", (0, 0))
    assert within_time(lambda: remove_leftovers() or True)
    assert (outside / "secret.txt").read_text() == SECRET


MANY_KEYS = json.dumps({str(number): 0 for number in range(10**6)})
CONTENTS = {
    "a million keys": MANY_KEYS,
    "deep lists": "[" * 10**6,
    "deep mappings": '{"model":' * 10**5 + "1" + "}" * 10**5,
    "long number": '{"threads": ' + "1" * 10**5 + "}",
    "null bytes": "\0" * 1000,
    "markup": '{"state": "<script>alert(1)</script>"}',
    "empty": "",
    "no mapping": "[1]",
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl"])
def test_hostile_json_is_damage(saved_run, hostile, name, content):
    (hostile / "weights.safetensors").unlink()
    (hostile / name).write_text(content)
    if content or name == "config.json":  # a run without metrics is one that was stopped early
        refused(saved_run, "")


@pytest.mark.parametrize("name", FILES)
def test_huge_file_is_not_read(saved_run, hostile, name):
    if name == "metrics.jsonl":
        (hostile / "weights.safetensors").unlink()
    with (hostile / name).open("wb") as file:
        file.write(b"\xff\xff\xff\x7f\0\0\0\0{")  # of a header with 2 GB
        file.truncate(50 * 2**30)  # takes no room on the disk
    refused(saved_run, "")


def test_metrics_with_markup_are_damage(saved_run, hostile):
    (hostile / "weights.safetensors").unlink()
    path = hostile / "metrics.jsonl"
    lines = path.read_text().splitlines()
    record = json.loads(lines[0]) | {"seconds": "<img src=x onerror=alert(1)>"}
    path.write_text(json.dumps(record) + "\n")
    refused(saved_run, "seconds")
