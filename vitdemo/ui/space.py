"""The app for a page of another site that shows it in a frame, as Hugging Face does with a Space.

There, browsers keep the cookie that protects uploads only if it is `Partitioned`: bound to that
page and to this app. Streamlit has no option for it. `Dockerfile` starts this script in a Space.
"""

from pathlib import Path

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.starlette import App


class PartitionCookies:
    """Add `Partitioned` to each cookie that other sites' frames may use (`SameSite=None`)."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def partition(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [_partitioned(*header) for header in message["headers"]]
            await send(message)

        await self.app(scope, receive, partition)


def _partitioned(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Return a header as it is, or with `Partitioned` if it sets such a cookie."""
    if name == b"set-cookie" and b"SameSite=None" in value:
        return name, value + b"; Partitioned"
    return name, value


app = App(Path(__file__).parents[2] / "app.py", middleware=[Middleware(PartitionCookies)])
