"""Sentences that several pages share, and text from outside as Streamlit shows it literally."""

import re
import string

from ..config import ModelConfig

# Streamlit turns some text into links, icons, emoji and arrows after it has read the Markdown,
# where a backslash does not stop it. An empty colored element, which shows nothing, parts the text.
_PARTS = re.compile(r"(?=[:@])|(?<=[-<>=~])(?=[-<>=~])|(?<=w)(?=[w.])", re.IGNORECASE)
_PART = ":gray[]"
_JOINERS = "\u200c\u200d"  # invisible, but part of Persian words and of emoji


def plain(text: str) -> str:
    """Return Markdown that shows a text from outside as it is.

    No part of it becomes a link, picture, icon, formula, color, emoji, heading or HTML. Invisible
    characters, which could reorder the words around them, become U+FFFD.

    Args:
        text: from a URL, a file or an upload. White space counts as one space.

    Returns:
        for what Streamlit reads as Markdown, such as messages, captions and labels; not for the
        options of a selectbox, alternative texts or tables, which show text as it is.
    """
    words = _PARTS.split(re.sub(r"\s+", " ", text))
    return _PART.join("".join(map(_literal, word)) for word in words)


def _literal(character: str) -> str:
    if character in string.punctuation:
        return f"\\{character}"
    return character if character.isprintable() or character in _JOINERS else "\ufffd"


def stem_note(model: ModelConfig) -> str:
    """Return a sentence on the pixels that a token of a conv stem depends on; empty for patches."""
    if model.stem == "patch":
        return ""
    # Each 3 × 3 convolution reaches one pixel further at its own resolution. In pixels of the image
    # these are 1, 2, 4, … up to half a patch, which add up to one less than the patch size.
    margin = model.patch_size - 1
    pixels = "1 pixel" if margin == 1 else f"{margin} pixels"
    return (
        f" A convolutional stem computes the tokens, so each also depends on a margin of {pixels} "
        "around its patch."
    )
