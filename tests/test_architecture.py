"""Imports point one way, from the layers above to those below; no import goes back up."""

import ast
from pathlib import Path

import pytest

import vitdemo

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "vitdemo"
LAYERS = [  # from the lowest; a module imports from its own layer and those below
    {"config", "files", "machine"},
    {"costs", "data", "model"},
    {"training"},
    {"runs"},
    {"background", "explain", "lessons", "figures"},
    {"ui"},
    {"__main__", ""},  # the command line, and vitdemo/__init__.py
]
HEIGHT = {part: height for height, layer in enumerate(LAYERS) for part in layer}


def name_of(path):
    """Return the name of a module: vitdemo.ui.live for `vitdemo/ui/live.py`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path, top_only=False):
    """Return the full names of all modules that a file imports, or only those at its top level."""
    tree = ast.parse(path.read_text())
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    found = set()
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(part for part in (base, node.module) if part)
            found |= (
                {source}
                if node.module and source != "vitdemo"
                else {f"{source}.{a.name}" for a in node.names}
            )
    return found


def part_of(module):
    """Return the folder of a module: ui for `vitdemo.ui.chart`. None outside of the package."""
    top, *rest = module.split(".")
    part = rest[0] if rest else ""
    return vitdemo._HOMES.get(part, part).split(".")[0] if top == "vitdemo" else None


MODULES = sorted(PACKAGE.rglob("*.py"))
PAGES = sorted(ROOT.glob("pages/*.py")) + sorted(ROOT.glob("app.py"))
NAMES = [str(path.relative_to(ROOT)) for path in MODULES]


def test_imports_of_finds_all_forms_of_import(tmp_path, monkeypatch):
    monkeypatch.setattr("test_architecture.ROOT", tmp_path)
    path = tmp_path / "vitdemo" / "ui" / "live.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "import os.path, vitdemo.background.tasks as t\n"
        "from ..config import SETTINGS\nfrom ..runs import run\nfrom . import url\n"
        "from vitdemo import model\nfrom vitdemo.data.cifar10 import normalize\n"
        "def f():\n    import streamlit as st\n"
    )
    expected = {
        "os.path",
        "vitdemo.background.tasks",
        "vitdemo.config",
        "vitdemo.runs",
        "vitdemo.ui.url",
        "vitdemo.model",
    }
    assert imports_of(path) == expected | {"vitdemo.data.cifar10", "streamlit"}
    assert "streamlit" not in imports_of(path, top_only=True)


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_only_ui_imports_streamlit(path):
    libraries = {module.split(".")[0] for module in imports_of(path)}
    assert "streamlit" not in libraries or part_of(name_of(path)) == "ui"


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_only_figures_and_ui_import_plotly(path):
    libraries = {module.split(".")[0] for module in imports_of(path)}
    assert "plotly" not in libraries or part_of(name_of(path)) in ("figures", "ui")


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_no_module_imports_from_a_higher_layer(path):
    height = HEIGHT[part_of(name_of(path))]
    assert {
        module for module in imports_of(path) if HEIGHT.get(part_of(module), -1) > height
    } == set()


def test_every_module_has_a_layer():
    assert {part_of(name_of(path)) for path in MODULES} <= set(HEIGHT)


def test_no_circular_imports():
    """Remove modules that import no remaining one until none is left; a circle would remain."""
    needs = {name_of(path): imports_of(path, top_only=True) for path in MODULES}
    while free := [name for name in needs if not needs[name] & set(needs) - {name}]:
        for name in free:
            del needs[name]
    assert needs == {}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_module_imports_a_page(path):
    name = name_of(path)
    assert all(name not in imports_of(module) for module in MODULES + PAGES)


def test_public_names():
    names = """
        ModelConfig TrainConfig PRESETS VisionTransformer Trace ConfigError load_cifar10 train
        evaluate Run save_checkpoint load_checkpoint Data Split TrainingQueue list_runs load_run
        load_weights to_timm from_timm
    """
    assert set(names.split()) <= set(vitdemo.__all__)
    assert all(hasattr(vitdemo, name) for name in vitdemo.__all__)


def test_unknown_public_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="vitdemo has no 'transformer'"):
        _ = vitdemo.transformer
