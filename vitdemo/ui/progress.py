"""A progress bar that moves in steps: the gliding `st.progress` keeps the browser painting."""

import streamlit as st

_progress = st.components.v2.component(
    "progress",
    html="""
        <div class="text"></div>
        <div class="track" role="progressbar"><div class="done"></div></div>
    """,
    css="""
        .text {
            color: var(--st-text-color);
            font: 0.875rem var(--st-font);
            margin-bottom: 0.25rem;
        }
        .track {
            background: var(--st-secondary-background-color);
            border-radius: 0.25rem;
            height: 0.5rem;
        }
        .done {
            background: var(--st-primary-color);
            border-radius: 0.25rem;
            height: 100%;
        }
    """,
    js="""
        export default function ({ data, parentElement }) {
          const find = (name) => parentElement.querySelector(name);
          find(".text").textContent = data.text;
          find(".done").style.width = `${100 * data.fraction}%`;
          find(".track").setAttribute("aria-valuenow", Math.round(100 * data.fraction));
          find(".track").setAttribute("aria-label", data.text);
        }
    """,
)


def progress(fraction: float, text: str) -> None:
    """Show a bar under a text.

    Args:
        fraction: 0 to 1.
        text: status, in one line.
    """
    _progress(data={"fraction": fraction, "text": text})
