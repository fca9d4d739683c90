"""Query strings that no link of the app has: each page says so in a sentence, or ignores them."""

from urllib.parse import quote, urlencode

import pytest

from tests.attack.aftermath import assert_unharmed

PAGES = {  # path -> some of its parameters
    "": ("run", "preset", "depth", "epochs", "seed", "train_images"),
    "attention": ("run", "layer", "token", "view", "ablated", "picture"),
    "by_hand": ("q", "row", "divisor", "hide", "reveal"),
}
VALUES = {
    "markdown": "[in](https://example.com) ![x](https://example.com/x.png) $x^2$ `c` :red[d]",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "template": "{{7*7}} ${7*7} %(x)s {0.__class__}",
    "up": "../../../../../../etc/passwd",
    "path": "/proc/self/environ",
    "UNC": r"\\example.com\share",
    "null": "vit\0.safetensors",
    "control": "a\r\nSet-Cookie: x=y\x1b[31m\u202e\ufeff",
    "surrogates": "%ED%A0%80",
    "long": "x" * 100_000,
    "digits": "9" * 10_000,
    "NaN": "nan",
    "infinity": "-inf",
    "negative": "-1",
    "fraction": "1e-400",
    "list": "1,2,3,x" * 1_000,
    "empty": "",
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page or "train")
def test_hostile_values(visit, page, value):
    visitor = visit(page, urlencode(dict.fromkeys(PAGES[page], value)))
    assert_unharmed(visitor)
    visitor.close()


MALFORMED = {
    "no pairs": "&&&&====&&",
    "many": "&".join(f"a{number}=1" for number in range(5_000)),
    "same": "&".join(["depth=3"] * 5_000),
    "percent": "depth=%&layer=%zz&%00=%00",
    "names": urlencode({"<b>x</b>": 1, "[x](//example.com)": 2, "__class__": 3, "\0": 4}),
    "internal": urlencode({"$$ID-0": 1, "$$STREAMLIT_INTERNAL_KEY_x": 2, "own_models": "own-0"}),
    "session keys": urlencode({"own_upload": "/etc/passwd", "has_cls": "x", "drawn": "x"}),
    "embed": "embed=true&embed_options=dark_theme&embed_options=<script>",
    "bytes": quote(bytes(range(256))),
    "raw": "depth=\x7f\t\n'\"<>",
}


@pytest.mark.parametrize("query", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("page", ["", "attention", "by_hand"], ids=lambda page: page or "train")
def test_malformed_query_strings(visit, page, query):
    visitor = visit(page, query)
    assert_unharmed(visitor)
    visitor.close()


IDS = [
    "own-" + "0" * 20,
    "own-../../../../x",
    "own-" + "f" * 19 + "/",
    "20260131-120000-0a1b2c",
    "20260131-120000-0a1b2c/../..",
    "../runs",
    "vit/../hybrid",
    "vit.safetensors",
    "VIT",
    ".",
    "CON",
    "None",
]


@pytest.mark.parametrize("run_id", IDS)
@pytest.mark.parametrize("page", ["", "attention"], ids=lambda page: page or "train")
def test_ids_of_no_run(visit, page, run_id):
    visitor = visit(page, urlencode({"run": run_id}))
    problems = " ".join(visitor.page.texts("alert"))
    assert "There is no run" in problems
    assert_unharmed(visitor)
    visitor.close()
