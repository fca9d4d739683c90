"""Damaged runs on the pages: named, deletable, and no burden to other runs."""

import json
import shutil
from pathlib import Path

import pytest
import streamlit as st
from open_app import by_label, open_app

from vitdemo.data import cifar10
from vitdemo.runs.pretrained import weights_file
from vitdemo.runs.run import list_runs

ROOT = Path(__file__).parents[2]
PAGES = ("pages/train.py", "pages/attention.py")


@pytest.fixture
def damaged(saved_run):
    """Return the name of a damaged copy of a run, which is as whole as before."""
    name = "20260131-120000-0a1b2c"
    shutil.copytree(saved_run.folder, saved_run.folder.with_name(name))
    path = saved_run.folder.with_name(name) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"threads": "*many*"}))
    return name


@pytest.mark.parametrize("page", PAGES)
def test_damaged_run_costs_others_nothing(saved_run, damaged, page):
    app = open_app(page, run=saved_run.id)
    assert not app.error
    assert app.query_params["run"] == saved_run.id


def test_train_names_a_damaged_run_and_deletes_it(saved_run, damaged):
    app = open_app(run=damaged)
    picker = by_label(app.selectbox, "Run")
    assert picker.value == damaged
    assert f"{damaged} · damaged" in picker.options
    assert len(app.error) == 1
    assert "threads is not a whole number" in app.error[0].value.replace("\\", "")
    by_label(app.button, "Delete").click().run()
    assert not app.exception
    assert list_runs() == [saved_run]
    assert not app.error
    assert app.session_state["run"] != damaged


def test_attention_says_that_the_chosen_run_is_damaged(saved_run, damaged):
    app = open_app("pages/attention.py", run=damaged)
    assert "are damaged" in app.info[0].value
    assert "Another model is shown." in app.info[0].value
    assert damaged not in str(by_label(app.selectbox, "Model").options)


def test_name_that_is_no_date_is_listed(saved_run):
    saved_run.folder.rename(saved_run.folder.with_name("20269999-999999-abcdef"))
    app = open_app()
    assert "20269999-999999-abcdef · damaged" in by_label(app.selectbox, "Run").options


def without_markup(element) -> str:
    return element.value.replace("\\", "").replace(":gray[]", "")


@pytest.fixture
def no_checkpoints(tmp_path, monkeypatch):
    """Let the folder of the shipped checkpoints be empty."""
    monkeypatch.setattr("vitdemo.runs.run.SHIPPED", tmp_path)
    monkeypatch.setattr("vitdemo.runs.shipped.SHIPPED", tmp_path)


@pytest.fixture
def no_sheets(tmp_path, monkeypatch):
    """Let the images that ship be missing, as on a server that was just started."""
    monkeypatch.setattr("vitdemo.data.cifar10.SHEETS", tmp_path)
    cifar10._sample.cache_clear()
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    cifar10._sample.cache_clear()


def test_missing_checkpoint_is_named_on_train(no_checkpoints):
    app = open_app(run="vit")
    assert "checkpoints/vit.safetensors is missing" in without_markup(app.error[0])
    assert "Delete" not in [button.label for button in app.button]


@pytest.mark.parametrize("name", ["start", "image_to_tokens", "parameters", "block"])
def test_missing_checkpoint_is_named_on_a_lesson(no_checkpoints, name):
    app = open_app(f"pages/{name}.py")
    assert "checkpoints/vit.safetensors is missing" in without_markup(app.error[0])


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "pages").glob("*.py")))
def test_missing_images_end_no_page_in_an_exception(no_sheets, page):
    app = open_app(f"pages/{page}")
    texts = [without_markup(element) for element in (*app.error, *app.warning)]
    assert all("vitdemo/data/sheets/" in text for text in texts)
    if page in ("train.py", "attention.py", "start.py", "image_to_tokens.py"):
        assert texts


def test_damaged_download_can_be_deleted(home):
    path = weights_file("vit_b_16")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"cut off")
    app = open_app("pages/attention.py", run="vit_b_16")
    assert "vit_b_16.safetensors is not a complete" in without_markup(app.error[0])
    by_label(app.button, "Delete this download").click().run()
    assert not path.exists()
    assert not app.error
    assert any("Download vit_b_16" in button.label for button in app.button)
