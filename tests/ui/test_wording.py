"""Sentences that several pages share. How `plain` looks in a browser: tests/e2e/test_plain.py."""

import pytest

from vitdemo.ui.wording import plain


@pytest.mark.parametrize(
    "message",
    [
        "Patch size 5 does not divide the image size 32. Use 1, 2, 4, 8, 16 or 32.",
        "The URL has learning_rate=-1 (a number), which is not available. Use “1e-05” or '0.1'!",
        "Accuracy: 87.6% · 1/2 + 3 = x^2; a-b",
    ],
)
def test_messages_stay_readable(message):
    assert plain(message) == message


def test_words_without_punctuation_stay_as_they_are():
    assert plain("A cat 42 語 é 👩‍🔬") == "A cat 42 語 é 👩‍🔬"


@pytest.mark.parametrize("blank", ["\n\n", "\t", "    ", "\u2028", "\r\n"])
def test_white_space_starts_no_paragraph_and_no_block(blank):
    assert plain(f"a{blank}b") == "a b"


@pytest.mark.parametrize("invisible", ["\u202e", "\u2066", "\x00", "\x1b", "\u200b", "\ud800"])
def test_invisible_characters_become_visible(invisible):
    assert plain(f"a{invisible}b") == "a\ufffdb"
