"""Several people on one server: each sees and changes their own runs."""

from dataclasses import replace

import pytest
from open_app import by_label, open_app

from vitdemo.background.training_queue import QUEUE
from vitdemo.runs import people
from vitdemo.runs.about import About, write_about
from vitdemo.runs.run import load_run, save_run
from vitdemo.ui import visitor
from vitdemo.ui.all_runs import _say
from vitdemo.ui.offered_runs import status_of


@pytest.fixture
def many(monkeypatch):
    """Let the server have a teacher, and each app of a test be a new browser without cookies."""
    monkeypatch.setenv("VITDEMO_TEACHER_SECRET", "blue whale")
    monkeypatch.setattr(visitor, "_cookie", lambda name: "")


@pytest.fixture
def hers(saved_run):
    """Return a stopped run that belongs to somebody else."""
    write_about(saved_run.folder, About(people.owner_of("her secret"), "Ada"))
    save_run(replace(saved_run, state="stopped", history=saved_run.history[:1]))
    saved_run.state_file.write_bytes(b"")
    return load_run(saved_run.id)


def labels_of(app) -> list[str]:
    return [button.label for button in app.button]


def picked(app) -> list[str]:
    return by_label(app.selectbox, "Run").options


def test_a_server_for_one_shows_everything(hers):
    app = open_app(run=hers.id)
    assert app.query_params["run"] == hers.id
    assert "Resume" in labels_of(app)


@pytest.mark.parametrize("page", ["pages/train.py", "pages/attention.py"])
def test_runs_of_others_are_neither_listed_nor_shown(many, hers, page):
    app = open_app(page, run=hers.id)
    assert not app.exception
    assert app.query_params["run"] != hers.id
    assert "or it is not shared with you" in app.warning[0].value
    label = "Run" if "train" in page else "Model"
    assert not any("20 images" in name for name in by_label(app.selectbox, label).options)


def test_link_to_a_shared_run_shows_it_for_reading(many, hers):
    write_about(hers.folder, replace(hers.about, shared=True))
    assert app_lists(open_app(), hers) is False
    app = open_app(run=hers.id)
    assert app.query_params["run"] == hers.id
    assert not any("shared" in warning.value for warning in app.warning)
    assert not {"Resume", "Stop"} & set(labels_of(app))
    assert app_lists(app, hers)


def test_published_run_is_listed_for_everyone(many, hers):
    write_about(hers.folder, replace(hers.about, published=True))
    assert app_lists(open_app(), hers)


def app_lists(app, run) -> bool:
    return any("20 images" in name for name in picked(app))


def test_teacher_sees_all_and_the_secret_leaves_the_url(many, hers):
    app = open_app(run=hers.id, teacher="blue whale")
    assert app.query_params["run"] == hers.id
    assert "teacher" not in app.query_params
    assert "Resume" in labels_of(app)


def test_wrong_secret_changes_nothing(many, hers):
    app = open_app(run=hers.id, teacher="blue")
    assert app.query_params["run"] != hers.id
    assert "teacher" not in app.query_params


@pytest.mark.slow
def test_run_belongs_to_whoever_started_it(many):
    app = open_app(patch_size=16, embed_dim=16, depth=1, num_heads=1, epochs=1, train_images=100)
    by_label(app.button, "Train").click().run()
    run = QUEUE.wait(app.session_state["run"], 60).run
    assert run.about.owner == people.owner_of(app.session_state[visitor.PERSON])
    assert run.about.owner not in app.session_state[visitor.PERSON]
    app.run()
    assert app.query_params["run"] == run.id
    assert open_app(run=run.id).query_params["run"] != run.id


def test_nothing_is_changed_for_somebody_else(many, hers):
    """Also where a click comes from a page that is out of date."""
    _say(hers.id, {"name": "mine"})
    assert load_run(hers.id).about == hers.about
    assert status_of(hers.id) is None
