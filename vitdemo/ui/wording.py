"""Sentences that several pages share, and text from outside as Streamlit shows it literally."""

import re

from ..config import ModelConfig

# What Streamlit would read as more than text. `late` becomes a link, an icon, an emoji or an arrow
# when Markdown has been read already, where a backslash does not stop it.
_MARKUP = re.compile(
    r"""
    (?P<late> :(?=\S) | @ | (?<=www)(?=\.|\Z) | (?<=[-<>~])(?=[-=>]) )
    | [\\`*\[\]<&$~|]
    | (?<![^\W_])_ | _(?![^\W_])  # emphasis, which an underscore within a word is not
    | \A\d*[-+\#>=.)]            # at the start: a list, heading, quote or rule
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PART = ":gray[]"  # an empty element, which shows nothing and parts the text before from that after
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
    text = re.sub(r"\s+", " ", text)
    text = "".join(c if c.isprintable() or c in _JOINERS else "\ufffd" for c in text)
    return _MARKUP.sub(_literal, text)


def _literal(markup: re.Match) -> str:
    text, part = markup[0], "" if markup["late"] is None else _PART
    return (f"{text[:-1]}\\{text[-1]}" if text else "") + part


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
