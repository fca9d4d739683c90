"""A visitor without a browser, who speaks Streamlit's own protocol to a running server.

    with Visitor(server.url, "attention", "layer=2") as visitor:
        visitor.run()  # opens the page, and returns when its script has finished
        visitor.set("Layer", ["3"])
        visitor.click("Remove this picture")
        visitor.upload("Model file", "mine.safetensors", content)
        assert visitor.page.texts("alert") == []

It sends what it is told to, so values that no browser would send reach the server, too.
"""

import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import connect

from tests.drawn_page import ENDS, DrawnPage
from tests.http_requests import guards, put_file, xsrf_token

TRIGGERS = ("trigger_value", "string_trigger_value", "json_trigger_value")  # count once


class Visitor:
    """One session of the app.

    Args:
        url: of the server.
        path: of the page in the URL; empty for the first.
        query: query string of the URL.
        timeout: seconds to wait for the end of a script run.
    """

    def __init__(self, url: str, path: str = "", query: str = "", timeout: float = 60):
        self.url, self.path, self.query, self.timeout = url, path, query, timeout
        self.page = DrawnPage()
        self.received: list[ForwardMsg] = []  # all messages, until someone empties it
        self.session_id = ""
        self.guards = guards(url, xsrf_token(url))
        self._page_hash = ""
        self._states: dict[str, WidgetState] = {}
        connection = connect(
            f"ws://{urlsplit(url).netloc}/_stcore/stream",
            subprotocols=["streamlit", self.guards["X-Xsrftoken"]],
            additional_headers={"Cookie": self.guards["Cookie"]},
            origin=url,
            max_size=None,
            compression=None,
        )
        self._open = ExitStack()
        self._socket = self._open.enter_context(connection)

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Leave, as a closed tab does."""
        self._open.close()

    def run(self, *states: WidgetState, fragment: str = "", auto: bool = False) -> float:
        """Run the page, or one of its fragments, and return the seconds until it has finished.

        Args:
            states: values of widgets to send with it. They are kept, except for clicks.
            fragment: id of the fragment to run; empty for the whole page.
            auto: whether it runs because its time has come (see `page.polls`).
        """
        started = time.monotonic()
        self.send(self.rerun_message(*states, fragment=fragment, auto=auto))
        self.wait()
        return time.monotonic() - started

    def rerun_message(
        self, *states: WidgetState, fragment: str = "", auto: bool = False
    ) -> BackMsg:
        """Return the message that `run` sends."""
        message = BackMsg()
        request = message.rerun_script
        request.query_string, request.fragment_id = self.query, fragment
        request.page_script_hash, request.page_name = self._page_hash, self.path
        request.is_auto_rerun = auto
        request.context_info.url = f"{self.url}/{self.path}"
        self._states |= {state.id: state for state in states}
        request.widget_states.widgets.extend(self._states.values())
        for state in states:
            if state.WhichOneof("value") in TRIGGERS:
                del self._states[state.id]
        return message

    def send(self, message: BackMsg | bytes) -> None:
        """Send a message, or bytes that are none."""
        raw = message if isinstance(message, bytes) else message.SerializeToString()
        self._socket.send(raw)

    def wait(self) -> None:
        """Read messages until a run of the script has ended, and no other follows at once."""
        until = time.monotonic() + self.timeout
        while True:
            message = self.receive(until)
            if message.WhichOneof("type") == "script_finished":
                assert message.script_finished != ForwardMsg.FINISHED_WITH_COMPILE_ERROR
                if message.script_finished in ENDS:
                    return

    def receive(self, until: float) -> ForwardMsg:
        """Return the next message from the server, and draw what it says.

        Raises:
            TimeoutError: none has come until then, in seconds of `time.monotonic`.
        """
        raw = self._socket.recv(timeout=max(0.0, until - time.monotonic()))
        message = ForwardMsg.FromString(raw)
        self.received.append(message)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.session_id = message.new_session.initialize.session_id or self.session_id
        elif kind == "navigation":
            self._page_hash = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        self.page.take(message)
        return message

    def catch_up(self) -> None:
        """Read everything that the server has sent so far."""
        self.send(BackMsg(app_heartbeat=True))
        until = time.monotonic() + self.timeout
        while self.receive(until).WhichOneof("type") != "heartbeat_ack":
            pass

    def until(self, condition: Callable[[], object]) -> float:
        """Rerun what reruns by itself until a condition holds; return the seconds that took.

        The first visitor of a server sees a part of a page until torch is loaded, and so needs
        `visitor.until(lambda: visitor.page.has("Run"))` or the like.

        Raises:
            TimeoutError: it does not hold in time, or nothing reruns by itself any more.
        """
        started = time.monotonic()
        due = {}  # fragment -> when it is to run
        while not condition():
            now = time.monotonic()
            due = {name: due.get(name, now + every) for name, every in self.page.polls.items()}
            if not due or now > started + self.timeout:
                raise TimeoutError("the page does not come to what is waited for")
            first = min(due, key=due.get)
            time.sleep(max(0.0, due.pop(first) - now))
            self.run(fragment=first, auto=True)
        return time.monotonic() - started

    def set(self, label: str, value) -> float:
        """Give a widget a value, run its part of the page, and return the seconds that took.

        Args:
            label: of the widget.
            value: as the browser sends it: the text of an option, or a list of these.
        """
        field, widget = self.page.widget(label)
        fragment = self.page.fragment_of(widget)
        return self.run(widget_state(widget.id, field, value), fragment=fragment)

    def click(self, label: str) -> float:
        """Click a button, run its part of the page, and return the seconds that took."""
        return self.set(label, True)

    def upload(self, label: str, name: str, content: bytes, kind: str = "file_uploader") -> float:
        """Upload a file, run the page with it, and return the seconds that took."""
        started = time.monotonic()
        file_id = str(uuid.uuid4())
        path = f"/_stcore/upload_file/{self.session_id}/{file_id}"
        answer = put_file(self.url, path, name, content, self.guards)
        assert answer.status == 204, answer
        state = WidgetState(id=self.page.find(kind, label).id)
        info = state.file_uploader_state_value.uploaded_file_info.add()
        info.file_id, info.name, info.size = file_id, name, len(content)
        self.run(state)
        return time.monotonic() - started


def widget_state(widget_id: str, field: str, value) -> WidgetState:
    """Return the state of a widget: a value in one of the fields of WidgetState."""
    state = WidgetState(id=widget_id)
    if field.endswith("_array_value"):
        getattr(state, field).SetInParent()  # an empty list is a value, too
        getattr(state, field).data.extend(value)
    else:
        setattr(state, field, value)
    return state
