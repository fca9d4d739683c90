"""Everyone's page tells the server that somebody is there, and goes where the teacher sends it."""

import time
from urllib.parse import parse_qsl, urlencode, urlsplit

import streamlit as st

from ..background.classroom import CLASSROOM
from ..config import ConfigError
from ..runs import people
from .fragments import fragment
from .lessons.order import ORDER
from .visitor import visitor

EVERY = 15.0  # seconds; every rerun takes time from the runs in training
PAGES = ("", "attention", *(page.name for page in ORDER))  # in the URL; the first one is Train
_JOINED = "joined_class"  # in the session: when it began, so that no call is followed twice
# A new session opens the page, as for every link, since the old one may show other settings there.
_go = st.components.v2.component(
    "go_to_page",
    html="",
    js="""
        export default function ({ data }) {
            location.assign(new URL(data.url, document.baseURI));
        }
    """,
)


def follow_class() -> None:
    """Say that the visitor is there, and follow the teacher's calls. To draw on every page."""
    if people.has_many_people():
        st.session_state.setdefault(_JOINED, time.monotonic())
        fragment(_follow, run_every=EVERY)()


def _follow() -> None:
    person = visitor()
    CLASSROOM.enter(person.owner, person.nickname)
    call = CLASSROOM.called(since=st.session_state[_JOINED])
    if call and not person.is_teacher:
        _go(key="go-to-page", data={"url": f"{call.page}?{urlencode(call.query)}"})


def call_class(url: str) -> None:
    """Send everyone to a page of this app.

    Args:
        url: as the browser shows it, or only the part from the page's name on.

    Raises:
        ConfigError: this app has no such page.
    """
    parts = urlsplit(url.strip())
    page = parts.path.rstrip("/").rpartition("/")[2]
    has_site = bool(parts.netloc)
    if page not in PAGES and has_site and "/" not in parts.path.strip("/"):
        page = ""  # the first page of an app under a path of its site
    if page not in PAGES:
        raise ConfigError(
            f"This app has no page {page[:40]}. Open the page that all shall see, and copy its URL."
        )
    query = {name: value for name, value in parse_qsl(parts.query) if name != "teacher"}
    CLASSROOM.call(page, query)
