"""A sentence for those who use a screen reader, spoken when it changes."""

import streamlit as st

_announcement = st.components.v2.component(
    "announcement",
    html='<div class="said" role="status" aria-live="polite"></div>',
    css=".said { position: absolute; overflow: hidden; width: 1px; height: 1px; }",
    # What is there at first is on the page anyway.
    js="""
        export default function ({ data, parentElement }) {
            const said = parentElement.querySelector(".said");
            said.last ??= data.text;
            if (said.last !== data.text) said.textContent = said.last = data.text;
        }
    """,
)


def announce(text: str, key: str) -> None:
    """Have a text spoken when it changes; it is not seen.

    Args:
        text: what has just happened, in one sentence.
        key: unique key on the page.
    """
    _announcement(key=key, data={"text": text})
