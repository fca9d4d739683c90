"""The settings on the Train page, what they cost, and the button that trains them."""

import streamlit as st

from .. import url_state
from ..fragments import fragment
from ..loading import torch_is_loaded
from ..visitor import visitor
from . import actions, explanations, settings
from .estimates import show_costs, show_time

_ELSEWHERE = "shown_elsewhere"  # in the session: what the rest of the page shows of the settings


def draw() -> None:
    """Draw the settings. When one changes, only they run again, not the run beside them."""
    st.session_state.pop(_ELSEWHERE, None)
    _draw()


def rest_is_drawn() -> None:
    """Keep what the rest of the page shows, which is drawn again when that changes."""
    st.session_state[_ELSEWHERE] = _elsewhere()


@fragment
def _draw() -> None:
    now = _elsewhere()
    if st.session_state.get(_ELSEWHERE, now) != now:
        st.rerun()  # the whole page
    model, training = settings.chosen()
    settings.draw_presets()
    settings.draw_front()
    actions.train_button(model, training)
    show_costs(model)
    if not torch_is_loaded():
        return
    show_time(model, training)
    settings.draw_groups()
    actions.full_data_set()
    explanations.patch_picture(model)
    settings.write_url(st.query_params.get("run", ""))


def _elsewhere() -> tuple:
    """Return what the rest of the page depends on and a click in this column can change."""
    return (
        st.session_state.get("run"),
        visitor().nickname,
        explanations.is_papers_code(),
        url_state.has_problems(),
    )
