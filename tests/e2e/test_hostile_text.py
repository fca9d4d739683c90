"""Text from URLs and saved runs, which must stay text on every page."""

import itertools
import json
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from open_app import open_app, trained_run

from tests.e2e.test_accessibility import LESSONS, TABS, opened
from vitdemo.runs.run import new_run, save_run

HOSTILE = [
    "[in](https://example.com)",
    "![x](https://example.com/x.png)",
    "www.example.com $x^2$ :material/home:",
    "<a href=//example.com>b</a> `c` :red[d]",
]
MARKUP = ", ".join(
    ["[href*='example.com']", "[src*='example.com']", "a[*|href*='example.com']"]
    + [f"[data-testid=stAlert] {tag}" for tag in ("a", "img", "code", "em", ".katex")]
    + [".stMain .katex-error", "[data-testid=stAlert] [aria-label='home icon']"]
)


@pytest.fixture
def watched(page, server):
    """Return the page of a visitor, all of whose requests must stay on the server."""
    foreign = []
    own = (server.url, "data:", "blob:")
    page.on("request", lambda sent: None if sent.url.startswith(own) else foreign.append(sent.url))
    yield page
    assert foreign == []


def parameters_of(script: str, monkeypatch) -> list[str]:
    """Return every URL parameter that a page knows."""
    known = set()
    with monkeypatch.context() as patch:
        patch.setattr("vitdemo.ui.url_state.check_names", known.update)
        open_app(script)
    return sorted(known)


@pytest.mark.parametrize("name", ["train", "attention", *LESSONS])
def test_values_in_the_url_stay_text(server, watched, monkeypatch, name):
    parameters = parameters_of(f"pages/{name}.py", monkeypatch)
    assert parameters
    for value in HOSTILE:
        values = dict.fromkeys([*parameters, "presentation", value], value)
        path = "" if name == "train" else name
        watched.goto(f"{server.url}/{path}?{urlencode(values)}")
        watched.get_by_test_id("stAlert").get_by_text(value[:10]).first.wait_for()
        assert watched.locator(MARKUP).count() == 0
        assert watched.get_by_test_id("stException").count() == 0


def test_fields_of_a_saved_run_stay_text(server, watched, monkeypatch, tiny, short):
    monkeypatch.setenv("VITDEMO_HOME", str(server.home))
    run = trained_run(tiny, short)
    config = json.loads((run.folder / "config.json").read_text())
    firsts = itertools.cycle(range(len(HOSTILE)))  # long names are cut after the first
    names = (" ".join(HOSTILE[first:] + HOSTILE[:first]) for first in firsts)
    config["classes"] = [f"{next(names)} {number}" for number in range(tiny.num_classes)]
    (run.folder / "config.json").write_text(json.dumps(config))
    failed = replace(new_run(tiny, short), state="failed", message=" and ".join(HOSTILE))
    save_run(failed)
    paths = [f"?run={failed.id}"]
    paths += [f"attention?run={run.id}&view={view}" for view in ("attention", *TABS)]
    for path in paths:
        opened(watched, f"{server.url}/{path}")
        text = watched.get_by_test_id("stMain")
        for value in HOSTILE:
            text.get_by_text(value[:10]).first.wait_for(state="attached")
        assert watched.locator(MARKUP).count() == 0, path
        assert watched.get_by_test_id("stException").count() == 0, path
