"""Fragments say in words what went wrong in them."""

import pytest
from streamlit.testing.v1 import AppTest


def page(message: str) -> None:
    import streamlit as st

    from vitdemo.config import ConfigError
    from vitdemo.ui.fragments import fragment

    def draw(text: str) -> None:
        if text:
            raise ConfigError(text)
        st.write("drawn")

    fragment(draw)(message)
    st.write("the rest")


@pytest.mark.parametrize("message", ["", "The run was *deleted*."])
def test_an_error_in_a_fragment_leaves_the_rest_of_the_page(message):
    app = AppTest.from_function(page, args=(message,)).run()
    assert not app.exception
    assert [error.value for error in app.error] == (
        [r"The run was \*deleted\*."] if message else []
    )
    assert [text.value for text in app.markdown] == (
        ["the rest"] if message else ["drawn", "the rest"]
    )
