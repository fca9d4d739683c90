"""The page that a server's messages draw: its elements, found by kind and label."""

from collections.abc import Iterator

from google.protobuf.message import Message
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ENDS = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
FIELDS = {  # kind of a widget -> field of WidgetState that holds its value
    "button": "trigger_value",
    "button_group": "string_array_value",
    "checkbox": "bool_value",
    "download_button": "trigger_value",
    "number_input": "double_value",
    "pagination": "int_value",
    "radio": "string_value",
    "selectbox": "string_value",
    "slider": "double_array_value",
    "text_area": "string_value",
    "text_input": "string_value",
}


class DrawnPage:
    """What a visitor sees, kept as the browser keeps it: by place, until a run leaves it out."""

    def __init__(self):
        self.polls: dict[str, float] = {}  # fragments that rerun by themselves, and their seconds
        self._elements: dict[tuple[int, ...], tuple[str, Message]] = {}  # place -> kind, message
        self._fragments: dict[tuple[int, ...], str] = {}  # place -> fragment that drew it
        self._drawn: set[tuple[int, ...]] = set()  # places drawn by the present run
        self._running: tuple[str, ...] = ()  # the fragments that it runs; none for the whole page

    def take(self, message: ForwardMsg) -> None:
        """Draw what a message says."""
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._running = tuple(message.metadata.run.fragment_ids)
            self._drawn = set()
            if not self._running:
                self.polls = {}
        elif kind == "delta":
            self._draw(tuple(message.metadata.delta_path), message.delta)
        elif kind == "auto_rerun":
            self.polls[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        elif kind == "stop_auto_rerun":
            for fragment in message.stop_auto_rerun.fragment_ids:
                self.polls.pop(fragment, None)
        elif kind == "script_finished" and message.script_finished in ENDS:
            self._clear_stale()

    def _draw(self, place: tuple[int, ...], delta: Message) -> None:
        kind = delta.WhichOneof("type")
        if kind == "new_transient":  # such as a spinner, which leaves what is there
            return
        content = delta.add_block if kind == "add_block" else delta.new_element
        self._elements[place] = (content.WhichOneof("type") or "block", content)
        self._fragments[place] = delta.fragment_id
        self._drawn.add(place)
        if kind == "new_element":  # what was inside of a container here is gone
            for other in [o for o in self._elements if o != place == o[: len(place)]]:
                del self._elements[other]

    def _clear_stale(self) -> None:
        """Remove what the run that has just ended could have drawn, but did not."""
        for place in set(self._elements) - self._drawn:
            if not self._running or self._fragments[place] in self._running:
                del self._elements[place]

    def all(self, *kinds: str) -> Iterator[tuple[str, Message]]:
        """Yield kind and message of all elements, or of those of these kinds, from the top.

        A kind is a field of Streamlit's Element or Block: heading, alert, selectbox, popover …
        """
        for _, (kind, content) in sorted(self._elements.items()):
            if kind != "block" and (kind in kinds or not kinds):
                yield kind, getattr(content, kind)

    def texts(self, *kinds: str) -> list[str]:
        """Return the text of all elements of these kinds: markdown, alert, heading …"""
        return [message.body for _, message in self.all(*kinds)]

    def find(self, kind: str, label: str = "") -> Message:
        """Return the first element of a kind, with this label if one is given."""
        for _, message in self.all(kind):
            if not label or message.label == label:
                return message
        raise AssertionError(f"the page has no {kind} {label}")

    def widget(self, label: str) -> tuple[str, Message]:
        """Return the field of a widget's value, and its message."""
        for kind, message in self.all(*FIELDS):
            if getattr(message, "label", "") == label:
                is_select_slider = kind == "slider" and message.type == message.SELECT_SLIDER
                return "string_array_value" if is_select_slider else FIELDS[kind], message
        shown = [f"{kind}: {str(message)[:200]}" for kind, message in self.all()]
        raise AssertionError(f"the page has no widget {label}, but {shown}")

    def has(self, label: str) -> bool:
        """Return whether there is a widget with this label."""
        return any(getattr(message, "label", "") == label for _, message in self.all(*FIELDS))

    def fragment_of(self, widget: Message) -> str:
        """Return the id of the fragment that drew a widget; empty for the page itself."""
        for place, (kind, content) in self._elements.items():
            if kind != "block" and getattr(getattr(content, kind), "id", "") == widget.id:
                return self._fragments[place]
        return ""
