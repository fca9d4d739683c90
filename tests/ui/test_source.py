"""Source is cut where its notes say, loses no line, and notes on what is gone are refused."""

import re

import pytest

from vitdemo.ui.lessons.source import pieces, short_source
from vitdemo.ui.lessons.walks import LOOP, MODEL


class Example:
    def first(self):
        print(1)
        return 1

    def second(self):
        print(2)
        return 2


def documented():
    """Says much.

    Args:
        none.
    """
    print(1)

    def inner():
        """Says little."""


def test_a_source_in_pieces():
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


def test_of_a_docstring_the_first_line_stays():
    expected = 'def documented():\n    """Says much."""\n    print(1)\n\n    def inner():\n        """Says little."""\n'
    assert short_source(documented) == expected


@pytest.mark.parametrize(
    "notes", [(("def", ""), ("print(3)", "")), (("return 2", ""), ("print(2)", ""))]
)
def test_notes_on_what_is_not_there(notes):
    with pytest.raises(ValueError, match=r"Example\.second has no line with"):
        pieces(Example.second, notes)


@pytest.mark.parametrize(("part", "notes"), [*MODEL.values(), *LOOP.values()], ids=[*MODEL, *LOOP])
def test_no_line_is_lost_and_what_is_named_is_there(part, notes):
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
