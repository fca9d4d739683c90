"""Common parts of the lesson pages: heading, controls in the URL, questions, source code."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from .. import url_state
from ..frame import frame
from ..presentation import title
from .order import ORDER
from .source import pieces

HIDE = "hide"  # URL parameter: names of controls that a teacher hides
REVEAL = "reveal"  # URL parameter, and control: show all answers


@contextmanager
def lesson(script: str, lead: str) -> Iterator["Lesson"]:
    """Open a lesson page: show its title and lead, and at the end set the URL and link neighbors.

    Args:
        script: the page's script, as in ORDER.
        lead: one sentence on what can be learned here.
    """
    frame()
    page = Lesson(script)
    title(page.info.title)
    with st.container(horizontal=True, vertical_alignment="center"):
        place = f"page {page.number + 1} of {len(ORDER)}"
        st.caption(f"Section {page.info.section} of the paper · {place}", width="content")
        page.offer_answers()
    st.write(lead)
    problems = st.container()
    yield page
    page.sync_url()
    with problems:
        url_state.show_problems()
    page.link_neighbors()


class Lesson:
    """A lesson page: its controls, questions and source code.

    Args:
        script: the page's script, as in ORDER.
    """

    def __init__(self, script: str):
        self.number = [page.script for page in ORDER].index(script)
        self.info = ORDER[self.number]
        self.revealed = False  # whether the answers to all questions are shown
        self.values = {}  # name of a control -> its value and default
        names = st.query_params.get(HIDE, "")
        self.hidden = tuple(name for name in names.split(",") if name)

    def key(self, name: str) -> str:
        """Return the session key of a control."""
        return f"{self.info.name}-{name}"

    def choose(self, name: str, label: str, options, default, help: str, **more):
        """Draw a segmented control whose value is in the URL, unless the URL hides it.

        Args:
            name: the parameter in the URL.
            label: the label of the control.
            options: the values to choose from.
            default: the initial value.
            help: the effect of the control.
            more: further arguments of `st.segmented_control`.

        Returns:
            The chosen option.
        """
        key = self._restore(name, options, default)
        if name not in self.hidden:
            st.segmented_control(
                label, options, key=key, help=help, required=True, persist_state="session", **more
            )
        return self._value(name, default)

    def offer_answers(self) -> None:
        """Draw the switch that reveals the answers to all questions, unless the URL hides it."""
        key = self.key(REVEAL)
        if key not in st.session_state:
            st.session_state[key] = url_state.read(REVEAL, ("yes",), "no") == "yes"
        if REVEAL not in self.hidden:
            st.toggle(
                "Reveal answers",
                key=key,
                help="Shows the answers to all questions on this page. The URL keeps this setting.",
                persist_state="session",
            )
        self.revealed = st.session_state[key]
        self.values[REVEAL] = ("yes" if self.revealed else "no", "no")

    def slide(self, name: str, label: str, options, default, help: str):
        """Draw a slider over the options; otherwise the same as `choose`."""
        key = self._restore(name, options, default)
        if name not in self.hidden:
            st.select_slider(label, options, key=key, help=help, persist_state="session")
        return self._value(name, default)

    def _restore(self, name: str, options, default) -> str:
        """Take a control's initial value from the URL, and return its session key."""
        key = self.key(name)
        if key not in st.session_state:
            st.session_state[key] = url_state.read(name, options, default)
        return key

    def _value(self, name: str, default):
        """Return a control's value, and remember it for the URL."""
        value = st.session_state[self.key(name)]
        if value is None:  # no option is chosen, which no browser sends
            value = default
        self.values[name] = (value, default)
        return value

    def write(self, name: str, label: str, default: str, help: str, height: int) -> str:
        """Draw a text area whose lines are separated by semicolons in the URL; return its text."""
        key = self.key(name)
        if key not in st.session_state:
            st.session_state[key] = st.query_params.get(name, default).replace(";", "\n")[:1000]
        if name not in self.hidden:
            st.text_area(label, key=key, persist_state="session", help=help, height=height)
        text = st.session_state[key]
        self.values[name] = (text.replace("\n", ";"), default.replace("\n", ";"))
        return text

    def predict(
        self,
        name: str,
        question: str,
        answers: dict[str, float],
        truth: Callable[[], float],
        why: str,
    ) -> bool:
        """Ask a question whose answer is a number, computed when a visitor answers or reveals it.

        Args:
            name: a name for the question, unique on the page.
            question: the text of the question.
            answers: choice -> value; the one closest to the computed number is correct.
            truth: computes the number.
            why: the explanation; `{:.3g}`, or another format, stands for the computed number.

        Returns:
            Whether the answer is shown.
        """
        with st.container(border=True):
            st.markdown(f"**Predict first.** {question}")
            chosen = st.radio(
                question,
                answers,
                index=None,
                key=self.key(f"{name}-answer"),
                horizontal=True,
                label_visibility="collapsed",
            )
            if chosen is None and not self.revealed:
                st.caption("Choose an answer to see the result.")
                return False
            _show_result(chosen, answers, truth(), why)
        return True

    def code(self, part, text: str) -> None:
        """Show the source of a part of the running program in an expander.

        Args:
            part: a class or function.
            text: what to look at.
        """
        with st.expander(f"The code that runs: `{part.__qualname__}`", icon=":material/code:"):
            st.markdown(text)
            st.code(inspect.getsource(part), language="python")

    def walk(self, parts: dict[str, tuple], sizes: dict[str, int] | None = None) -> None:
        """Explain the source of several parts, one part at a time, piece by piece.

        Args:
            parts: label -> a class or function, and its notes as for `source.pieces`.
            sizes: the values of `{name}` in the notes.
        """
        help = "The part of the program whose source is explained below."
        name = self.choose("part", "Part", tuple(parts), next(iter(parts)), help)
        for text, code in pieces(*parts[name]):
            words, source = st.columns([2, 3])
            words.markdown(text.format(**(sizes or {})))
            source.code(code, language="python", wrap_lines=True)

    def sync_url(self) -> None:
        """Write the values of the controls to the URL, and note its unknown parameters."""
        url_state.check_names({*self.values, HIDE})
        changed = {
            name: value for name, (value, default) in self.values.items() if value != default
        }
        if self.hidden:
            changed[HIDE] = self.hidden
        url_state.write(changed)

    def link_neighbors(self) -> None:
        """Link the previous and the next page."""
        left, right = st.columns(2)
        if self.number > 0:
            before = ORDER[self.number - 1]
            left.page_link(before.script, label=before.title, icon=":material/arrow_back:")
        if self.number + 1 < len(ORDER):
            after = ORDER[self.number + 1]
            right.page_link(after.script, label=after.title, icon=":material/arrow_forward:")


def _show_result(chosen: str | None, answers: dict[str, float], number: float, why: str) -> None:
    correct = min(answers, key=lambda answer: abs(answers[answer] - number))
    if chosen is None:
        st.markdown(f":material/visibility: **Answer: {correct}.** {why.format(number)}")
    elif chosen == correct:
        st.markdown(f":material/check_circle: **Correct.** {why.format(number)}")
    else:
        st.markdown(f":material/cancel: **Not quite.** {why.format(number)}")
