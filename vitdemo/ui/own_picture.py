"""A visitor's own picture, uploaded or taken: read once, and kept in memory for the session."""

from dataclasses import dataclass

import streamlit as st
from PIL import Image

from ..config import ConfigError
from ..data.uploads import FORMATS, MAX_BYTES, read_picture
from .wording import plain

TYPES = [name.lower() for name in (*FORMATS, "JPG")]


@dataclass(frozen=True)
class OwnPicture:
    """A picture as read from a file, or why it could not be read."""

    image: Image.Image | None  # upright, 8-bit RGB
    notes: list[str]  # on each conversion
    problem: str = ""


def own_picture(source: str, help: str) -> Image.Image | None:
    """Draw the uploader or the camera and return the last picture from it, if there is one.

    Args:
        source: `Upload` or `Camera`.
        help: what happens to the picture.
    """
    state = st.session_state
    # The next number makes another widget: without the file, and without errors of earlier files.
    key = f"{source}-{state.setdefault(f'{source}-number', 0)}"
    more = {"key": key, "on_change": _take, "args": (source, key)}
    if source == "Camera":
        st.camera_input("Take a picture", help=help, **more)
    else:
        more["max_upload_size"] = MAX_BYTES // 2**20
        st.file_uploader("Your picture", type=TYPES, help=f"PNG, JPEG or WebP. {help}", **more)
    own = state.get(f"{source}-picture")
    if own is None:
        st.caption("Until you choose a picture, the validation image is shown.")
        return None
    if own.problem:
        problem = f"{own.problem} Until then, the validation image is shown."
        st.error(plain(problem), icon=":material/broken_image:")
        return None
    for note in own.notes:
        st.caption(note)
    st.button("Remove this picture", on_click=_remove, args=(source,), icon=":material/delete:")
    return own.image


def _take(source: str, key: str) -> None:
    """Keep the picture that has just come; forget the last one if the widget was cleared."""
    file = st.session_state[key]
    if file is None:
        _remove(source)
        return
    own = st.session_state[f"{source}-picture"] = _read(file.getvalue())
    if source == "Upload" and own.image:
        st.session_state[f"{source}-number"] += 1


def _remove(source: str) -> None:
    st.session_state.pop(f"{source}-picture", None)
    st.session_state[f"{source}-number"] += 1


@st.cache_resource(max_entries=8, show_spinner=False, scope="session")
def _read(content: bytes) -> OwnPicture:
    try:
        return OwnPicture(*read_picture(content))
    except ConfigError as error:
        return OwnPicture(None, [], str(error))
