"""Numbers in the sentences of the lessons are computed, except for sections, years and steps."""

import ast
import re
from pathlib import Path

import pytest
from open_app import open_app

from vitdemo.ui.lessons.lesson import Lesson
from vitdemo.ui.lessons.order import ORDER

LESSONS = Path(__file__).parents[2] / "vitdemo" / "ui" / "lessons"
NUMBER = re.compile(r"(?<![\w.,])\d[\d.,]*")
FREE = (  # where a number may be typed
    r"`[^`]*`",  # names in the code
    r"\$[^$]*\$|\\[a-z]+\{.*",  # formulas
    r"(section|Section|Figure|Table|footnote) [\d.]+",
    r"(et al\.|and Hutter|of|in|In) 20\d\d",  # years
    r"^\d\. [A-Z]",  # steps of a calculation
    r"^blocks\[0\].*",  # names of modules
    r"top-5|CIFAR-10|JFT-300M|chance \(10%\)|a power of 1",
    r"layer 1, head 1|head 1|test image 1|token 0|classes 0, 1 and 2",
    r"^\d+ times$",  # answers to choose
)
SMALL = {"0", "1", "2"}  # as in "sums to 1"


def sentences(path):
    """Yield line and text of each string in a module that is neither a docstring nor a format."""
    tree = ast.parse(path.read_text())
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        if isinstance(node, ast.FormattedValue) and node.format_spec:
            skipped |= {id(part) for part in ast.walk(node.format_spec)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in skipped
        ):
            yield node.lineno, node.value


@pytest.mark.parametrize("path", sorted(LESSONS.glob("*.py")), ids=lambda path: path.stem)
def test_numbers_in_sentences_are_computed(path):
    typed = []
    for line, text in sentences(path):
        if not re.search("[A-Za-z]{3}", text):
            continue  # an answer to choose, or the initial value of a matrix
        for free in FREE:
            text = re.sub(free, "", text)
        found = {number.rstrip(".,") for number in NUMBER.findall(text)} - SMALL
        typed += [f"line {line}: {number} in {text!r}" for number in found]
    assert not typed


def number_in(answer):
    """Return the number that an answer consists of: `80%`, `1/4`, `1,025`; None if it has words."""
    parts = re.fullmatch(r"([\d.,]+)(?:/(\d+))?(%?)", answer)
    if not parts:
        return None
    number = float(parts[1].replace(",", "")) / float(parts[2] or 1)
    return number / 100 if parts[3] else number


@pytest.mark.parametrize("page", ORDER, ids=lambda page: page.name)
def test_one_answer_is_correct_and_no_other_is_close(page, monkeypatch):
    asked = []
    monkeypatch.setattr(
        Lesson,
        "predict",
        lambda self, name, question, answers, truth, why: asked.append((answers, truth())),
    )
    open_app(page.script, **({"picture": 13} if page.name == "start" else {}))
    assert 2 <= len(asked) <= 3
    for answers, truth in asked:
        for answer, value in answers.items():
            assert value == pytest.approx(number_in(answer) or value, abs=0.005)
        near, next_ = sorted(abs(value - truth) for value in answers.values())[:2]
        assert near <= 0.25 * abs(truth) + 0.03
        assert next_ > 1.5 * near
