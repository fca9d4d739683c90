"""Who is in the class, and where the teacher has sent everyone."""

import time

from vitdemo.background import classroom
from vitdemo.background.classroom import Classroom


def test_everyone_with_an_open_page_is_there_once():
    room = Classroom()
    for name in ("Ada", "", "Ada L."):
        room.enter("a", name)
    room.enter("b", "")
    assert room.present() == {"a": "Ada L.", "b": ""}


def test_whoever_says_nothing_for_a_while_has_left(monkeypatch):
    room = Classroom()
    room.enter("a", "Ada")
    now = time.monotonic()
    monkeypatch.setattr(classroom.time, "monotonic", lambda: now + classroom.AWAY + 1)
    assert room.present() == {}
    room.enter("b", "Ben")
    assert list(room._seen) == ["b"]  # nothing is kept of those who left


def test_call_is_for_those_who_came_before_it():
    room, before = Classroom(), time.monotonic()
    assert room.called(before) is None
    room.call("attention", {"layer": "3"})
    call = room.called(before)
    assert (call.page, call.query) == ("attention", {"layer": "3"})
    assert room.called(time.monotonic()) is None
