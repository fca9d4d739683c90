"""Text from outside, as the browser shows it when Streamlit has read it as Markdown."""

import json
import random
import string

import pytest

from tests.e2e.server import Server

HOSTILE = [
    "[Log in again](https://example.com)",
    "![x](https://example.com/x.png)",
    "[a]: https://example.com",
    "<https://example.com> <b>bold</b> <img src=x onerror=alert(1)> <!-- -->",
    "https://example.com/a?b=c#d and http://example.com.",
    "www.example.com, WWW.example.com and a.b+c@example.com",
    "mailto:a@example.com xmpp:a@example.com/b",
    "*emphasis* **strong** _e_ __s__ ~~struck~~ `code` ``more``",
    "$x^2$ and $$\\frac{1}{2}$$ \\(y\\) \\[z\\]",
    ":material/home: :material_home: :streamlit: :smile: :+1: :red[red] :blue-background[b]",
    ":color[a]{foreground=red} :small[a] :help[a] :shimmer[a] :violet-badge[b] :gray[]",
    "# heading",
    "- item",
    "1. item",
    "1) item",
    "> quote",
    "---",
    "=====",
    "~~~ python",
    "``` python",
    "| a | b | --- | --- |",
    "[ ] task [x] task [^1] [^1]: note",
    "&lt;b&gt; &amp; &#42; \\* \\",
    "a -> b <- c <-> d -- e >= f <= g ~= h",
    "->",
    "--",
    "-- : -- . ->",
    "www",
    string.punctuation,
    string.punctuation[::-1],
    string.ascii_letters + string.digits + " é ß 語 ع 👍 ½",
    "12. twelve",
    "123) many",
    "snake_case _emphasis_ __init__ a_ _b c__d ___",
    "help:help :help a:red[b] 10:30 : ::: https:",
    "{foreground=red} : [a] {a=b} ::name[x]{y} :::name",
]
RNG = random.Random(0)
PIECES = [*string.punctuation, *"abw1 \n", "www.", "https://a.b", ":red[", "->", "--", "  ", "ab"]
HOSTILE += ["".join(RNG.choices(PIECES, k=30)).strip() for _ in range(100)]
SCRIPT = """
import json
import streamlit as st
from vitdemo.ui.wording import plain

for number, text in enumerate(json.loads({texts!r})):
    with st.container(key=f"text-{{number}}"):
        for show in (st.markdown, st.caption, st.error, st.button):
            with st.container(key=f"{{show.__name__}}-{{number}}"):
                show(plain(text))
    with st.container(key=f"within-{{number}}"):
        st.info(f"**Before** {{plain(text)}}. After :smile: $x$")
st.title("done")
"""
MARKUP = (
    "a, img, code, pre, svg:not([data-testid]), .katex, em, strong, del, h1, h2, h3, ul, ol, hr, "
    "table, blockquote, input, [role=img], .stMarkdownColoredText:not(:empty), [style*=font], "
    ".stMarkdownColoredBackground, .stMarkdownBadge, streamlit-help-icon"
)
# For each paragraph its text, and how many elements in it match.
SHOWN = """([where, markup]) => [...document.querySelectorAll(where)]
    .map((element) => [element.textContent, element.querySelectorAll(markup).length])"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """Return a function that starts a script and returns its URL."""
    started = []

    def start(text: str) -> str:
        folder = tmp_path_factory.mktemp("script")
        (folder / "script.py").write_text(text)
        server = Server(folder, str(folder / "script.py"))
        server.start()
        started.append(server)
        return server.url

    yield start
    for server in started:
        server.kill()


def test_text_from_outside_is_shown_literally(script, page):
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    url = script(SCRIPT.format(texts=json.dumps(HOSTILE)))
    page.goto(url)
    page.get_by_role("heading", name="done").wait_for()
    for number, hostile in enumerate(HOSTILE):
        text = " ".join(hostile.split())
        for kind in ("markdown", "caption", "error", "button"):
            page.locator(f".st-key-{kind}-{number} p").first.wait_for()
            shown = page.evaluate(SHOWN, [f".st-key-{kind}-{number} p", MARKUP])
            assert shown == [[text, 0]], kind
        where = f".st-key-within-{number} p"
        (within, markup), *more = page.evaluate(SHOWN, [where, "a, img, code, svg, h1, em, del"])
        assert within[: len(text) + 16] == f"Before {text}. After 😄"
        assert (markup, more) == (0, []), text
    assert all(request.startswith((url, "data:", "blob:")) for request in requests)
