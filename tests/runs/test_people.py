"""Who may do what with a run."""

from dataclasses import replace

import pytest

from vitdemo.runs import people
from vitdemo.runs.about import NO_OWNER, About
from vitdemo.runs.people import Person

ADA, BEN, TEACHER = Person("a", "Ada"), Person("b"), Person("t", is_teacher=True)
HERS = About("a", "Ada")


def test_a_server_for_one_asks_nobody():
    assert Person().is_alone
    assert Person().about_new_run() == NO_OWNER
    assert all(Person().may_change(about) for about in (NO_OWNER, HERS))


def test_only_the_owner_and_the_teacher_change_a_run():
    assert ADA.about_new_run() == HERS
    assert ADA.may_change(HERS)
    assert TEACHER.may_change(HERS)
    for about in (HERS, NO_OWNER, replace(HERS, shared=True), replace(HERS, published=True)):
        assert not BEN.may_change(about)


def test_others_read_what_is_shared_or_published():
    assert not BEN.may_read(HERS)
    assert not BEN.may_read(replace(HERS, pinned=True))
    assert BEN.may_read(replace(HERS, shared=True))
    assert BEN.may_read(replace(HERS, published=True))


@pytest.mark.parametrize(
    ("variables", "many"),
    [({}, False), ({"SPACE_ID": "x"}, True), ({"VITDEMO_TEACHER_SECRET": "x"}, True)],
)
def test_when_a_server_is_for_many(monkeypatch, variables, many):
    for name in ("SPACE_ID", "VITDEMO_TEACHER_SECRET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert people.has_many_people() is many


def test_secrets_cannot_be_read_from_what_a_run_keeps():
    secrets = {people.new_secret() for _ in range(100)}
    assert len(secrets) == 100
    for secret in secrets:
        assert people.SECRET.fullmatch(secret)
        assert secret not in people.owner_of(secret)
    assert len({people.owner_of(secret) for secret in secrets}) == 100


def test_teachers_secret(monkeypatch):
    monkeypatch.delenv("VITDEMO_TEACHER_SECRET", raising=False)
    assert not people.is_teachers("")
    assert not people.is_teachers_token("")
    monkeypatch.setenv("VITDEMO_TEACHER_SECRET", "blue whale")
    assert people.is_teachers("blue whale")
    assert not people.is_teachers("blue")
    assert not people.is_teachers("")
    token = people.teachers_token()
    assert "blue" not in token
    assert people.is_teachers_token(token)
    monkeypatch.setenv("VITDEMO_TEACHER_SECRET", "red whale")
    assert not people.is_teachers_token(token)
