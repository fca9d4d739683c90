"""The pickers with many runs, and the dialog with all of them."""

import threading
from dataclasses import replace

import pytest
from open_app import by_label, open_app, trained_run

from vitdemo.background.training_queue import QUEUE
from vitdemo.model import VisionTransformer
from vitdemo.runs.about import About, write_about
from vitdemo.runs.index import OFFERED
from vitdemo.runs.run import load_run, new_run, save_run
from vitdemo.ui.run_name import run_name

PAGES = ("pages/train.py", "pages/attention.py")
HOSTILE = "*bold* [link](https://example.com) :red[x] <b>"


@pytest.fixture
def many(tiny, short):
    """Return 45 saved runs with weights, oldest first; the first is pinned."""
    runs = []
    for number in range(45):
        run = replace(new_run(tiny, short), id=f"20260131-1200{number:02}-0a1b2c", state="finished")
        save_run(run, VisionTransformer(tiny, seed=0))
        runs.append(run)
    write_about(runs[0].folder, About(pinned=True))
    write_about(runs[1].folder, About(name=HOSTILE, tags=("class 7b",)))
    return [load_run(run.id) for run in runs]


def opened(page="pages/train.py", **parameters):
    """Open a page and its dialog."""
    app = open_app(page, **parameters)
    return clicked(app, "All runs")


def clicked(app, label):
    by_label(app.button, label).click().run()
    assert not app.exception
    return app


def selected(app, run):
    app.radio[-1].set_value(run.id).run()
    assert not app.exception
    return app


@pytest.mark.parametrize(("page", "label"), [*zip(PAGES, ("Run", "Model"), strict=True)])
def test_picker_offers_newest_pinned_and_chosen_run(many, page, label):
    app = open_app(page, run=many[3].id)
    options = by_label(app.selectbox, label).options
    names = [run_name(run) for run in many]
    assert options[: OFFERED + 2] == [*reversed(names[15:]), names[3], names[0]]
    assert options[OFFERED + 2].startswith("Shipped example")
    assert by_label(app.selectbox, label).value == many[3].id
    assert app.query_params["run"] == many[3].id


def test_dialog_is_offered_where_there_are_runs(saved_run, tiny, short):
    assert by_label(open_app().button, "All runs")


def test_dialog_is_not_offered_without_runs():
    assert "All runs" not in [button.label for button in open_app().button]


def test_pages_of_the_dialog_list_every_run(many):
    app, listed = opened(), []
    assert "45 runs" in " ".join(caption.value for caption in app.caption)
    for number in (1, 2, 3):
        app.pagination[-1].set_value(number).run()
        listed += app.radio[-1].options
    assert HOSTILE not in listed[-2]  # as Markdown, which shows it as it is
    listed = [option.replace("\\", "").replace(":gray[]", "") for option in listed]
    assert len(listed) == 45
    assert listed[-1] == f"★ {run_name(many[0])}"
    assert listed[-2].startswith(HOSTILE)
    assert listed[-2].endswith("#class 7b")


def test_run_that_was_found_is_shown(many):
    app = opened()
    by_label(app.text_input, "Search").set_value("BOLD 7b").run()
    assert len(app.radio[-1].options) == 1
    app = clicked(selected(app, many[1]), "Show")
    assert app.session_state["run"] == app.query_params["run"] == many[1].id
    assert by_label(app.selectbox, "Run").value == many[1].id
    assert "Show" not in [button.label for button in app.button]  # the dialog is closed


def test_nothing_found(many):
    app = opened()
    by_label(app.text_input, "Search").set_value("no such run").run()
    assert not app.exception
    assert "0 runs" in " ".join(caption.value for caption in app.caption)


def test_run_is_pinned_and_no_longer(many):
    app = clicked(selected(opened(), many[-1]), "Pin")
    assert load_run(many[-1].id).about.pinned
    clicked(selected(app, many[-1]), "Unpin")
    assert not load_run(many[-1].id).about.pinned


def test_run_is_renamed(many):
    app = selected(opened(), many[-1])
    by_label(app.text_input, "Name").set_value("  Wide\tone ")
    by_label(app.text_input, "Tags").set_value("a, b,, a," + ",".join("cdefghijklm"))
    clicked(app, "Save")
    about = load_run(many[-1].id).about
    assert (about.name, about.tags) == ("Wide one", tuple("abcdefghij"))
    assert app.radio[-1].options[0].startswith("Wide one")


def test_run_is_deleted(many):
    app = clicked(selected(opened(run=many[-1].id), many[-1]), "Delete this run")
    assert not many[-1].folder.exists()
    assert many[-2].folder.exists()
    assert "run" not in app.session_state or app.session_state["run"] != many[-1].id
    assert "44 runs" in " ".join(caption.value for caption in app.caption)
    assert not app.toast  # it would take the place of the dialog in the browser, which fails


def test_run_that_waits_is_not_deleted(many, monkeypatch):
    app = selected(opened(), many[-1])
    status = replace(QUEUE.status_of(many[-1]), run=replace(many[-1], state="waiting"))
    with monkeypatch.context() as patch:
        patch.setattr(QUEUE, "snapshot", lambda run_id: status if run_id == many[-1].id else None)
        clicked(app, "Delete this run")
    assert many[-1].folder.exists()
    assert "Stop it before you delete it" in app.error[0].value


def test_damaged_run_can_be_deleted_but_not_renamed(many):
    (many[-1].folder / "config.json").write_text("{")
    app = selected(opened(), many[-1])
    labels = [button.label for button in app.button]
    assert "Pin" not in labels
    clicked(app, "Delete this run")
    assert not many[-1].folder.exists()


def test_runs_without_weights_are_not_listed_as_models(tiny, short):
    save_run(replace(new_run(tiny, short), state="stopped"))
    assert "All runs" not in [button.label for button in open_app("pages/attention.py").button]
    trained = trained_run(tiny, short)
    app = opened("pages/attention.py")
    assert len(app.radio[-1].options) == 1
    clicked(selected(app, trained), "Show")
    assert app.query_params["run"] == trained.id


def test_dialog_stays_open_when_the_page_reruns(many):
    app = opened().run()
    assert app.radio[-1].label == "Runs, newest first"


def test_another_model_may_be_any_run(many):
    app = open_app("pages/attention.py", run=many[-1].id, compare="True", other_run=many[3].id)
    assert by_label(app.selectbox, "Other model").value == many[3].id
    assert app.query_params["other_run"] == many[3].id


def test_wrong_limit_for_old_runs_is_named(monkeypatch):
    monkeypatch.setenv("VITDEMO_KEEP_DAYS", "ten")
    app = open_app()
    assert "VITDEMO_KEEP_DAYS is 'ten'" in app.error[0].value.replace("\\", "")


def test_old_runs_are_deleted_when_the_app_starts(many, monkeypatch):
    monkeypatch.setenv("VITDEMO_KEEP_RUNS", "40")
    open_app()
    for thread in threading.enumerate():
        if thread.name == "leftovers":
            thread.join(60)
    assert [run.folder.exists() for run in many] == [True] + [False] * 5 + [True] * 39
