"""What people say of a run: kept beside its files, checked when it is read."""

import json
from dataclasses import replace

import pytest

from vitdemo.runs.about import NO_OWNER, About, read_about, short, write_about
from vitdemo.runs.run import DAMAGED, list_runs, load_run, new_run, save_run

SAID = About("0a1b", "Ada", "Wide *model*", ("class 7b", "<b>"), shared=True)


def test_what_is_said_is_read_with_the_run(tiny, short):
    run = replace(new_run(tiny, short, SAID), state="finished")
    save_run(run)
    assert load_run(run.id).about == NO_OWNER
    write_about(run.folder, SAID)
    assert load_run(run.id) == run
    write_about(run.folder, replace(SAID, name="Another"))
    assert load_run(run.id).about.name == "Another"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"owner": 1}',
        '{"tags": "a"}',
        '{"tags": [1]}',
        '{"name": "\\ud800"}',
        json.dumps({"tags": ["a"] * 11}),
        json.dumps({"nickname": "a" * 10_001}),
    ],
)
def test_damaged_file_makes_a_damaged_run(saved_run, content):
    (saved_run.folder / "about.json").write_text(content)
    (run,) = list_runs()
    assert (run.state, run.about) == (DAMAGED, NO_OWNER)
    with pytest.raises(ValueError):  # noqa: PT011  its words differ by what is wrong
        read_about(saved_run.folder)


def test_damaged_run_keeps_its_owner(saved_run):
    write_about(saved_run.folder, SAID)
    (saved_run.folder / "config.json").write_text("cut")
    (run,) = list_runs()
    assert (run.state, run.about) == (DAMAGED, SAID)


def test_only_true_is_yes(saved_run):
    (saved_run.folder / "about.json").write_text('{"shared": "yes", "published": 1}')
    assert load_run(saved_run.id).about == NO_OWNER


@pytest.mark.parametrize("kept", ["pinned", "shared", "published"])
def test_pinned_shared_and_published_runs_are_kept(kept):
    assert not NO_OWNER.is_kept
    assert replace(NO_OWNER, **{kept: True}).is_kept


def test_short_text():
    assert short("  two\n lines\t ") == "two lines"
    assert short("a" * 59 + " b") == "a" * 59
