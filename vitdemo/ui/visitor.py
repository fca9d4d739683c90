"""The person who looks at the page, known by a cookie of their browser.

On a server that only one person uses, no cookie is set.
"""

from urllib.parse import quote, unquote

import streamlit as st

from ..runs import people
from ..runs.about import LONGEST, short
from ..runs.people import Person

# Cookies; in the session, their values.
PERSON, TEACHER, NICKNAME = "vitdemo_person", "vitdemo_teacher", "vitdemo_nickname"
TEACHER_PARAMETER = "teacher"  # of the URL that a teacher opens
# In a frame of another site, as on the page of a Space, only a cookie that is bound to that page is
# kept. The first tab of a new browser decides: another one that opens meanwhile takes over its id.
_keep = st.components.v2.component(
    "keep_cookies",
    html="",
    js="""
        export default function ({ data, setStateValue }) {
            const framed = location.protocol === "https:" && window.top !== window;
            const site = framed ? "SameSite=None; Secure; Partitioned" : "SameSite=Lax";
            const kept = Object.fromEntries(
                document.cookie.split("; ").map((cookie) => cookie.split("=")),
            );
            for (const [name, value] of Object.entries(data.cookies)) {
                if (name === data.person && kept[name]) continue;
                document.cookie = `${name}=${value}; Max-Age=31536000; Path=/; ${site}`;
            }
            const person = kept[data.person] ?? data.cookies[data.person];
            if (person !== data.cookies[data.person]) setStateValue("person", person);
        }
    """,
)


def visitor() -> Person:
    """Return the person who looks at this page."""
    if not people.has_many_people():
        return Person()
    state = st.session_state
    if PERSON not in state:
        kept = _cookie(PERSON)
        state[PERSON] = kept if people.SECRET.fullmatch(kept) else people.new_secret()
    if NICKNAME not in state:
        state[NICKNAME] = short(unquote(_cookie(NICKNAME)))
    return Person(people.owner_of(state[PERSON]), state[NICKNAME], _is_teacher())


def nickname_field() -> None:
    """Draw the field for the visitor's nickname. They need none."""

    def keep() -> None:
        st.session_state[NICKNAME] = short(st.session_state["nickname-field"])

    st.text_input(
        "Nickname (optional)",
        visitor().nickname,
        max_chars=LONGEST,
        key="nickname-field",
        on_change=keep,
        help="Your teacher sees it beside your runs. It is kept in this browser and in your runs.",
    )


def _cookie(name: str) -> str:
    """Return what the browser has kept; a tab knows the cookies that were there when it opened."""
    return st.context.cookies.get(name, "")


def _is_teacher() -> bool:
    state = st.session_state
    if TEACHER not in state:
        state[TEACHER] = people.is_teachers_token(_cookie(TEACHER))
    return state[TEACHER]


def read_teachers_secret() -> None:
    """Let whoever opens the URL with the teacher's secret be the teacher, and hide the secret."""
    given = st.query_params.pop(TEACHER_PARAMETER, None)
    if given is not None and people.is_teachers(given):
        st.session_state[TEACHER] = True


def keep_visitor() -> None:
    """Have the browser keep who its visitor is. To call on every page."""
    if not people.has_many_people():
        return
    person = visitor()
    cookies = {PERSON: st.session_state[PERSON]}
    if quote(person.nickname) != _cookie(NICKNAME):  # else an old tab would undo what a new one set
        cookies[NICKNAME] = quote(person.nickname)
    if person.is_teacher:
        cookies[TEACHER] = people.teachers_token()
    kept = _keep(
        key="keep-visitor",
        data={"cookies": cookies, "person": PERSON},
        on_person_change=lambda: None,
    )
    other = kept.get("person")
    if other and other != st.session_state[PERSON] and people.SECRET.fullmatch(other):
        st.session_state[PERSON] = other
        st.rerun()
