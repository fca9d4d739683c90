"""What each page of the annotation has: where one is, controls in the address, questions to answer first, running code."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from .. import url_state
from ..frame import frame
from ..presentation import title
from .order import ORDER
from .source import pieces

HIDE = "hide"  # in the address: names of controls that a teacher leaves out


@contextmanager
def lesson(script: str, lead: str) -> Iterator["Lesson"]:
    """Open a page of the lessons: its frame, title and lead; at the end, URL and neighbors.

    Args:
        script: of the page, as in ORDER.
        lead: one sentence on what can be learned here.
    """
    frame()
    page = Lesson(script)
    title(page.place.title)
    st.caption(f"Section {page.place.section} of the paper · page {page.number + 1} of {len(ORDER)}")
    st.write(lead)
    problems = st.container()
    yield page
    page.sync_url()
    with problems:
        url_state.show_problems()
    page.link_neighbors()


class Lesson:
    """What the sections of a lesson page share: controls, questions, code.

    Args:
        script: of the page, as in ORDER.
    """

    def __init__(self, script: str):
        self.number = [place.script for place in ORDER].index(script)
        self.place = ORDER[self.number]
        self.values = {}  # of each control: name -> value and default
        names = st.query_params.get(HIDE, "")
        self.hidden = tuple(name for name in names.split(",") if name)

    def key(self, name: str) -> str:
        """Of a control, in the session."""
        return f"{self.place.name}-{name}"

    def choose(
        self,
        name: str,
        label: str,
        options,
        default,
        help: str,
        draw: Callable = st.segmented_control,
        **more,
    ):
        """A control whose value is in the address; drawn unless the address hides it.

        Args:
            name: in the address.
            label: of the control.
            options: what can be chosen.
            default: at first.
            help: what it does.
            draw: of Streamlit.
            more: for `draw`.
        """
        key = self.key(name)
        if key not in st.session_state:
            st.session_state[key] = url_state.read(name, options, default)
        if name not in self.hidden:
            if draw is st.segmented_control:
                more |= {"required": True}
            draw(label, options, key=key, persist_state="session", help=help, **more)
        self.values[name] = (st.session_state[key], default)
        return st.session_state[key]

    def write(self, name: str, label: str, default: str, help: str, height: int) -> str:
        """A field for text of several lines; in the address they are separated by semicolons."""
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
        """A question to answer before the computation does; whether somebody has.

        Args:
            name: of this question on the page.
            question: whose answer is a number.
            answers: what can be chosen; the one nearest to the truth is right.
            truth: computes it, once somebody has committed to an answer.
            why: the reason; `{:.3g}`, or another format, stands for the computed number.
        """
        with st.container(border=True):
            st.markdown(f"**Predict first.** {question}")
            key = self.key(f"{name}-answer")
            chosen = st.radio(
                question,
                answers,
                index=None,
                key=key,
                horizontal=True,
                label_visibility="collapsed",
            )
            if chosen is None:
                st.caption("Choose an answer to see the computed one.")
                return False
            found = truth()
            right = min(answers, key=lambda answer: abs(answers[answer] - found))
            verdict, icon = (
                ("Right.", ":material/check_circle:")
                if chosen == right
                else ("Not quite.", ":material/cancel:")
            )
            st.markdown(f"{icon} **{verdict}** {why.format(found)}")
        return True

    def code(self, part, says: str) -> None:
        """The source of a part of the running program, beside what it does.

        Args:
            part: a class or function.
            says: what to look at.
        """
        with st.expander(f"The code that runs: `{part.__qualname__}`", icon=":material/code:"):
            st.markdown(says)
            st.code(inspect.getsource(part), language="python")

    def walk(self, parts: dict[str, tuple], sizes: dict[str, int] | None = None) -> None:
        """The source of several parts, one at a time, piece by piece beside what each does.

        Args:
            parts: label -> a class or function, and its notes as for `source.pieces`.
            sizes: what stands for `{name}` in the notes.
        """
        name = self.choose(
            "part",
            "Part",
            tuple(parts),
            next(iter(parts)),
            "Whose source is shown, piece by piece.",
        )
        for says, code in pieces(*parts[name]):
            words, source = st.columns([2, 3])
            words.markdown(says.format(**(sizes or {})))
            source.code(code, language="python", wrap_lines=True)

    def sync_url(self) -> None:
        """Make the URL say what the controls say, and note parameters that this page does not know."""
        url_state.check_names({*self.values, HIDE})
        changed = {
            name: value for name, (value, default) in self.values.items() if value != default
        }
        url_state.write(changed | ({HIDE: self.hidden} if self.hidden else {}))

    def link_neighbors(self) -> None:
        """Link the pages before and after."""
        before, after = st.columns(2)
        if self.number:
            place = ORDER[self.number - 1]
            before.page_link(place.script, label=place.title, icon=":material/arrow_back:")
        if self.number + 1 < len(ORDER):
            place = ORDER[self.number + 1]
            after.page_link(place.script, label=place.title, icon=":material/arrow_forward:")
