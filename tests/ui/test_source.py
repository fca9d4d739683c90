"""Source is cut at its notes without losing a line; notes on missing lines are rejected."""

import re

import pytest

from vitdemo.ui.lessons.model_walk import MODEL
from vitdemo.ui.lessons.source import pieces, short_source
from vitdemo.ui.lessons.training_walk import LOOP


class Example:
    def first(self):
        print(1)
        return 1

    def second(self):
        print(2)
        return 2


def documented():
    """Print a number.

    Args:
        none.
    """
    print(1)

    def inner():
        """Do nothing."""


def test_source_is_cut_into_pieces():
    assert pieces(Example.second, (("def", "x"), ("return", "y"))) == [
        ("x", "def second(self):\n    print(2)"),
        ("y", "return 2"),
    ]
    assert [
        code.splitlines()[0]
        for _, code in pieces(Example, (("first", ""), ("return", ""), ("return", "")))
    ] == [
        "class Example:",
        "    return 1",
        "return 2",
    ]


def test_docstrings_are_cut_to_their_first_line():
    expected = [
        "def documented():",
        '    """Print a number."""',
        "    print(1)",
        "",
        "    def inner():",
        '        """Do nothing."""',
    ]
    assert short_source(documented) == "\n".join(expected) + "\n"


@pytest.mark.parametrize(
    "notes", [(("def", ""), ("print(3)", "")), (("return 2", ""), ("print(2)", ""))]
)
def test_notes_on_missing_lines_are_rejected(notes):
    with pytest.raises(ValueError, match=r"Example\.second has no line with"):
        pieces(Example.second, notes)


@pytest.mark.parametrize(("part", "notes"), [*MODEL.values(), *LOOP.values()], ids=[*MODEL, *LOOP])
def test_pieces_keep_every_line_and_contain_the_names_in_their_notes(part, notes):
    lines = [
        line.strip()
        for _, code in pieces(part, notes)
        for line in code.splitlines()
        if line.strip()
    ]
    assert lines == [line.strip() for line in short_source(part).splitlines() if line.strip()]
    for _, says in notes:
        for name in re.findall("`([^`]+)`", says):
            assert name.rpartition(".")[2].removesuffix("()") in "\n".join(lines)
