"""The source code of the running program, cut into pieces that are explained one by one."""

import ast
import inspect
from textwrap import dedent


def short_source(part) -> str:
    """Return the source of a class or function, with each docstring cut to its first line."""
    source = dedent(inspect.getsource(part))
    lines = source.splitlines(keepends=True)
    for docstring in _docstrings(source):
        first, last = docstring.lineno - 1, docstring.end_lineno - 1  # from 0
        if last > first:
            lines[first] = lines[first].rstrip() + '"""\n'
            lines[first + 1 : last + 1] = [""] * (last - first)  # keep the count of lines
    return "".join(lines)


def _docstrings(source: str) -> list[ast.Expr]:
    """Find the docstrings of all classes and functions in the source."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            found.append(node.body[0])
    return found


def pieces(part, notes: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Cut the source of a class or function into one piece for each note.

    Args:
        part: a class or function.
        notes: pairs of words in the first line of a piece, and the text that explains it. A piece
            begins at the first such line after the beginning of the previous piece. The first
            piece begins with the source, decorators included.

    Returns:
        The text and the source of each piece.

    Raises:
        ValueError: The source has no such line there.
    """
    lines = short_source(part).splitlines()
    starts = []
    following = 0  # the line at which the search for the next piece begins
    for words, _ in notes:
        start = _line_with(words, lines, following)
        if start is None:
            raise ValueError(f"{part.__qualname__} has no line with {words!r} at this position.")
        starts.append(start)
        following = start + 1
    starts[0] = 0
    ends = [*starts[1:], len(lines)]
    return [
        (text, dedent("\n".join(lines[start:end]).strip("\n")))
        for (_, text), start, end in zip(notes, starts, ends, strict=True)
    ]


def _line_with(words: str, lines: list[str], start: int) -> int | None:
    """Return the number of the first line from `start` on that contains the words."""
    for number in range(start, len(lines)):
        if words in lines[number]:
            return number
    return None
