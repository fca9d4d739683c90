"""Sentences that several pages share. How `plain` looks in a browser: tests/e2e/test_plain.py."""

import pytest

from vitdemo.ui.wording import plain


def test_words_without_punctuation_stay_as_they_are():
    assert plain("A cat 42 語 é 👩‍🔬") == "A cat 42 語 é 👩‍🔬"


@pytest.mark.parametrize("blank", ["\n\n", "\t", "    ", "\u2028", "\r\n"])
def test_white_space_starts_no_paragraph_and_no_block(blank):
    assert plain(f"a{blank}b") == "a b"


@pytest.mark.parametrize("invisible", ["\u202e", "\u2066", "\x00", "\x1b", "\u200b", "\ud800"])
def test_invisible_characters_become_visible(invisible):
    assert plain(f"a{invisible}b") == "a\ufffdb"
