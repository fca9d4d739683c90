"""A class: students who train, and the teacher who watches, pauses and sends them to a page."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.server import Server


@pytest.fixture
def school(tmp_path, monkeypatch):
    """Return a server with a teacher, in which nothing may raise."""
    monkeypatch.setenv("VITDEMO_TEACHER_SECRET", "blue whale")
    running = Server(tmp_path)
    running.start()
    yield running
    running.kill()
    assert running.failures() == []


@pytest.fixture
def visit(browser, school):
    """Return a function that opens a page of the app in a browser of its own."""
    contexts = []

    def open_page(path: str):
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{school.url}{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()


def button(page, label: str):
    return page.get_by_role("button", name=label, exact=True)


def test_teacher_watches_pauses_and_leads_a_class(visit, school):
    teacher = visit("/teacher?teacher=blue%20whale")
    teacher.get_by_text("No run is training or waiting.").wait_for()
    assert "whale" not in teacher.url

    # A student with a nickname trains; the teacher's page shows it by itself.
    student = visit("/?depth=4&epochs=200")
    expect(student.get_by_role("link", name="Class")).to_have_count(0)
    student.get_by_role("textbox", name="Nickname").fill("Ada <b>L.</b>")
    student.get_by_role("textbox", name="Nickname").press("Enter")
    button(student, "Train").click()
    row = teacher.get_by_role("row").filter(has_text="Ada <b>L.</b>")
    expect(row).to_contain_text("of 200", timeout=30_000)
    expect(row).to_contain_text("training", timeout=30_000)

    run = re.search(r"run=[\w-]+", student.url)[0]

    # Paused, it rests after its epoch, and goes on.
    button(teacher, "Pause all runs").click()
    student.get_by_text("The teacher has paused all runs.").first.wait_for()
    expect(row).to_contain_text("paused", timeout=30_000)
    button(teacher, "Go on").click()
    student.get_by_text(re.compile(r"Epoch \d+ of 200 .* images/s")).wait_for()

    # Everyone is sent to a page; the teacher stays. What is no page is refused.
    url = teacher.get_by_role("textbox", name="Page for everyone")
    url.fill("https://elsewhere.example/nothing/there")
    url.press("Enter")
    button(teacher, "Send everyone there").click()
    teacher.get_by_text("This app has no page there.").wait_for()
    url.fill(f"{school.url}/attention?run=vit&layer=2")
    url.press("Enter")
    button(teacher, "Send everyone there").click()
    student.wait_for_url(re.compile(r"/attention\?.*layer=2"))
    student.get_by_role("img", name=re.compile("[Ll]ayer 2")).first.wait_for()
    assert teacher.url.endswith("/teacher")

    # The nickname and the run are still the student's, in a new tab, too.
    tab = student.context.new_page()
    tab.goto(f"{school.url}/?{run}")
    nickname = tab.get_by_role("textbox", name="Nickname")
    expect(nickname).to_have_value("Ada <b>L.</b>", timeout=30_000)
    expect(button(tab, "Stop")).to_be_enabled(timeout=30_000)

    # The teacher stops the run.
    teacher.get_by_role("combobox", name=re.compile("Run to stop")).click()
    teacher.get_by_role("option").first.click()
    button(teacher, "Stop this run").click()
    tab.get_by_text(re.compile(r"Stopped after \d+ of 200 epochs")).wait_for()

    # All runs come as a table.
    with teacher.expect_download() as download:
        button(teacher, "All runs (CSV)").click()
    lines = download.value.path().read_text().splitlines()
    assert len(lines) == 2
    assert "Ada <b>L.</b>" in lines[1]


def test_old_tab_keeps_the_nickname_that_a_new_one_has_set(visit):
    old = visit("/")
    nickname = "Ada"
    old.get_by_role("textbox", name="Nickname").wait_for()
    new = old.context.new_page()
    new.goto(old.url)
    field = new.get_by_role("textbox", name="Nickname")
    field.fill(nickname)
    field.press("Enter")
    new.wait_for_function("document.cookie.includes('vitdemo_nickname=Ada')")
    old.get_by_role("link", name="Attention", exact=True).click()
    old.get_by_role("slider", name="Layer").wait_for()
    newest = old.context.new_page()
    newest.goto(new.url)
    field = newest.get_by_role("textbox", name="Nickname")
    expect(field).to_have_value(nickname, timeout=30_000)
