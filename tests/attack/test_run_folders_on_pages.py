"""Pages of a server whose data folder has hostile runs: they render for everyone."""

import os
import shutil
import time

import pytest

from tests.attack.aftermath import assert_unharmed
from tests.attack.test_run_folders import CONTENTS, SECRET

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes")


@pytest.fixture
def hostile_runs(server, tmp_path):
    """Make runs of pipes, links and hostile JSON; return their ids."""
    (tmp_path / "secret.txt").write_text(SECRET)
    runs = server.home / "runs"
    names = [f"20260131-1200{number:02d}-0a1b2c" for number in range(3 + len(CONTENTS))]
    pipe, link, linked, *others = (runs / name for name in names)
    for folder in (pipe, link, *others):
        folder.mkdir(parents=True)
    os.mkfifo(pipe / "config.json")
    (link / "config.json").symlink_to(tmp_path / "secret.txt")
    linked.symlink_to(tmp_path)
    (tmp_path / "config.json").write_text(SECRET)
    for folder, content in zip(others, CONTENTS.values(), strict=True):
        (folder / "config.json").write_text(content)
    yield names
    linked.unlink(missing_ok=True)
    shutil.rmtree(runs)


@pytest.mark.parametrize("page", ["", "attention"], ids=lambda page: page or "train")
def test_pages_render_beside_hostile_runs(visit, hostile_runs, page):
    visitor = visit(page)
    if not page:
        wanted = {f"{name} · damaged" for name in hostile_runs}
        until = time.monotonic() + 60
        while not wanted <= set(visitor.page.widget("Run")[1].options):  # some are read later
            assert time.monotonic() < until
            visitor.run()
    assert_unharmed(visitor, SECRET)
    visitor.close()


def test_hostile_run_is_shown_as_damaged_and_deleted(visit, hostile_runs, server, tmp_path):
    for name in hostile_runs[:3]:
        visitor = visit("", f"run={name}")
        assert any("are damaged" in text for text in visitor.page.texts("alert"))
        visitor.click("Delete")
        assert_unharmed(visitor, SECRET)
        assert not os.path.lexists(server.home / "runs" / name)
        visitor.close()
    assert (tmp_path / "secret.txt").read_text() == SECRET
