"""The teacher's page: who is there, what they train, and what the teacher can change."""

import csv
import io
import zipfile
from dataclasses import replace

import pytest
from open_app import by_label, open_app, table

from vitdemo.background.classroom import Classroom
from vitdemo.background.limits import Limits
from vitdemo.background.training_queue import QUEUE
from vitdemo.config import ConfigError
from vitdemo.runs.about import About, write_about
from vitdemo.ui import visitor
from vitdemo.ui.class_call import call_class
from vitdemo.ui.teacher import collect
from vitdemo.ui.teacher.collect import runs_csv, runs_zip

SECRET = "blue whale"


@pytest.fixture(autouse=True)
def many(monkeypatch):
    """Let the server have a teacher, and each app of a test be a new browser without cookies."""
    monkeypatch.setenv("VITDEMO_TEACHER_SECRET", SECRET)
    monkeypatch.setattr(visitor, "_cookie", lambda name: "")


@pytest.fixture(autouse=True)
def room(monkeypatch):
    """Return the class of one test."""
    mine = Classroom()
    for module in ("class_call", "teacher.overview"):
        monkeypatch.setattr(f"vitdemo.ui.{module}.CLASSROOM", mine)
    return mine


@pytest.fixture(autouse=True)
def limits(monkeypatch):
    """Return limits that last for one test."""
    mine = Limits()
    for module in ("background.limits", "background.training_queue", "ui.teacher.controls"):
        monkeypatch.setattr(f"vitdemo.{module}.LIMITS", mine)
    return mine


def open_class():
    return open_app("pages/teacher.py", teacher=SECRET)


def titles_of(app) -> list[str]:
    return [title.value for title in app.title]


def test_only_the_teacher_gets_the_page():
    assert titles_of(open_class()) == ["The class"]
    student = open_app("pages/teacher.py", teacher="whale")  # it is no page of anybody else
    assert titles_of(student) == ["Train a Vision Transformer"]


def test_teacher_sees_who_trains_what_and_stops_it(tiny, short, room):
    room.enter("ada", "Ada *Lovelace*")
    QUEUE.pause(True)
    try:
        run_id = QUEUE.submit(tiny, short, About("ada", "Ada *Lovelace*"))
        app = open_class()
        assert by_label(app.metric, "People here").value == "2"  # and the teacher
        assert by_label(app.metric, "Runs waiting").value == "1"
        head, row = table(app, "Who")
        assert head == ["Who", "Run", "Epoch", "State", "Ends in"]
        assert row[0] == r"Ada \*Lovelace\*"
        assert row[2:4] == [f"0 of {short.epochs}", "paused"]
        chosen = by_label(app.selectbox, "Run to stop")
        chosen.select(run_id).run()
        by_label(app.button, "Stop this run").click().run()
        assert not app.exception
        assert QUEUE.wait(run_id, 60).run.state == "stopped"
    finally:
        QUEUE.pause(False)


def test_teacher_pauses_all_and_lets_all_go_on():
    app = open_class()
    by_label(app.button, "Pause all runs").click().run()
    try:
        assert QUEUE.paused
        assert app.warning[0].value == "All runs are paused."
        by_label(app.button, "Go on").click().run()
        assert not QUEUE.paused
        assert not app.warning
    finally:
        QUEUE.pause(False)


def test_teacher_changes_the_limits_of_everyone(limits):
    app = open_class()
    by_label(app.number_input, "Minutes of one run").set_value(0.5).run()
    by_label(app.number_input, "Waiting runs of one person").set_value(2).run()
    assert (limits.minutes, limits.waiting) == (0.5, 2)
    student = open_app(preset="hybrid")
    assert by_label(student.button, "Train").disabled
    assert "each run may take 0.5 min" in student.error[0].value


def test_teacher_sends_everyone_to_a_page(room):
    app = open_class()
    app.text_input(key="class-url").input("https://host/vit/attention?layer=2&teacher=x").run()
    by_label(app.button, "Send everyone there").click().run()
    assert app.success[0].value.startswith("Open pages go there")
    call = room.called(0)
    assert (call.page, call.query) == ("attention", {"layer": "2"})


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("/attention?run=vit", "attention"),
        ("by_hand", "by_hand"),
        ("http://localhost:8501/", ""),
        ("http://localhost:8501/?depth=3", ""),
        ("https://school.example/vit/", ""),
        ("?depth=3", ""),
        ("https://school.example/vit/limits?reveal=yes", "limits"),
    ],
)
def test_urls_of_this_app(url, page, room):
    call_class(url)
    assert room.called(0).page == page


@pytest.mark.parametrize(
    "url", ["/nothing", "https://evil.example/a/b", "javascript:alert(1)", "teacher"]
)
def test_other_urls_are_refused(url, room):
    with pytest.raises(ConfigError, match="This app has no page"):
        call_class(url)
    assert room.called(0) is None


def test_call_never_leaves_the_server(room):
    call_class("https://evil.example/attention?layer=2")
    assert room.called(0).page == "attention"  # of this server


def test_nickname_is_kept_in_the_runs(room):
    app = open_app(epochs=1)
    by_label(app.text_input, "Nickname (optional)").input("  Ada \n L. ").run()
    assert app.session_state[visitor.NICKNAME] == "Ada L."
    app.run()
    assert "Ada L." in room.present().values()


def test_table_has_a_line_for_each_run_and_no_formula(saved_run):
    write_about(saved_run.folder, About("ada", "=1+1", "best, of all", ("a", "b")))
    (line,) = csv.DictReader(io.StringIO(runs_csv()))
    assert line["run"] == saved_run.id
    assert (line["nickname"], line["name"], line["tags"]) == ("'=1+1", "best, of all", "a b")
    assert float(line["accuracy"]) == saved_run.accuracy
    assert int(line["model_depth"]) == saved_run.model.depth
    assert int(line["training_epochs"]) == saved_run.training.epochs


def test_table_and_archive_have_every_page_of_the_index(saved_run, monkeypatch):
    monkeypatch.setattr(collect, "STEP", 1)
    from open_app import trained_run

    other = trained_run(saved_run.model, replace(saved_run.training, seed=7))
    ids = {saved_run.id, other.id}
    assert {line["run"] for line in csv.DictReader(io.StringIO(runs_csv()))} == ids
    with zipfile.ZipFile(io.BytesIO(runs_zip())) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == ids
        inside = archive.read(f"{other.id}/metrics.jsonl")
    assert inside == (other.folder / "metrics.jsonl").read_bytes()


def test_archive_follows_no_link(saved_run, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (saved_run.folder / "metrics.jsonl").unlink()
    (saved_run.folder / "metrics.jsonl").symlink_to(secret)
    assert b"secret" not in runs_zip()


def test_no_runs_at_all():
    assert runs_csv() == ""
    assert zipfile.ZipFile(io.BytesIO(runs_zip())).namelist() == []
