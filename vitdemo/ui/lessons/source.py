"""The source of a running part, cut into pieces that are explained one by one."""

import inspect
import re
from textwrap import dedent


def short_source(part) -> str:
    """The source of a class or function, each docstring cut to its first line."""
    return re.sub(r'"""([^"\n]+)\n[^"]*"""', r'"""\1"""', dedent(inspect.getsource(part)))


def pieces(part, notes: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Cut the source of a class or function where its notes say.

    Args:
        part: a class or function.
        notes: of each piece words of its first line, and what it does. A piece begins with the first such line after the
            beginning of the one in front of it; the first piece with the source.

    Returns:
        what it does, and its lines, for each piece.

    Raises:
        ValueError: the source has no such line there.
    """
    lines = short_source(part).splitlines()
    starts = [-1]
    for words, _ in notes:
        after = range(starts[-1] + 1, len(lines))
        start = next((number for number in after if words in lines[number]), None)
        if start is None:
            raise ValueError(
                f"{part.__qualname__} has no line with {words!r}, or not in this place."
            )
        starts.append(start)
    starts[:2] = [0]
    ends = [*starts[1:], len(lines)]
    return [
        (says, dedent("\n".join(lines[start:end]).strip("\n")))
        for (_, says), start, end in zip(notes, starts, ends, strict=True)
    ]
