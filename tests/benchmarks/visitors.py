"""People with the app open, without a browser: sessions that speak Streamlit's own protocol over its WebSocket.

    python -m tests.benchmarks.visitors URL PATH NUMBER [SECONDS]

Opens so many sessions on a page, lets each poll as the page asks (`run_every`), and writes a line when all have opened
and then one each second: how many polls were answered, and what these visitors themselves took of a core. Browsers are
on other machines where a class uses the app; on this one twenty of them would measure themselves, so together.py runs
this in their place. It has no lower priority: visitors who starve ask less than real ones.
A session does all that the server sees of a browser: the first run of the page, every poll, and the list of large
messages that it keeps, so that the server may send a reference.
"""

import asyncio
import sys
import time
from contextlib import suppress

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

TIMEOUT = 120.0


class Visitor:
    """One open page; use with `async with`.

    Args:
        url: of the server.
        path: page and settings, as in the address bar: `/attention?layer=2`.
    """

    def __init__(self, url: str, path: str = "/"):
        page, _, self.query = path.lstrip("/").partition("?")
        self.address = url.replace("http", "ws", 1) + "/_stcore/stream"
        self.page, self.page_hash = page, ""
        self.widgets = {}  # (label, kind) -> its element
        self.values = {}  # id -> what was set here, sent with each rerun
        self.typed = set()  # ids of number fields
        self.kept = set()  # hashes of large messages
        self.polls = 0
        self.timers = {}  # fragment id -> task
        self.finished = None  # of the full run that is waited for

    async def __aenter__(self) -> "Visitor":
        self.socket = await connect(self.address, subprotocols=["streamlit"], max_size=None)
        self.reader = asyncio.create_task(self._read())
        await self.rerun()
        return self

    async def __aexit__(self, *_) -> None:
        for task in (self.reader, *self.timers.values()):
            task.cancel()
        await self.socket.close()

    async def rerun(self, pressed: str = "") -> float:
        """Run the whole page; the seconds until the server said that it is done."""
        self.finished = asyncio.get_running_loop().create_future()
        started = time.perf_counter()
        await self._ask(pressed=pressed)
        await asyncio.wait(
            {self.finished, self.reader}, timeout=TIMEOUT, return_when=asyncio.FIRST_COMPLETED
        )
        if not self.finished.done():
            raise AssertionError(f"no answer: {self.reader}")
        return time.perf_counter() - started

    async def slide(self, label: str, place: int) -> float:
        """Move a slider to its first, second, … value from 0 (a select slider), or to that value; seconds as above."""
        slider = self.widgets[label, "slider"]
        self.values[slider.id] = str(slider.options[place]) if slider.options else float(place)
        return await self.rerun()

    async def enter(self, label: str, number: float) -> float:
        """Type a number into its field; seconds as above."""
        field = self.widgets[label, "number_input"].id
        self.values[field] = number
        self.typed.add(field)
        return await self.rerun()

    async def press(self, label: str) -> float:
        """Press a button; seconds as above."""
        return await self.rerun(self.widgets[label, "button"].id)

    async def _ask(self, fragment: str = "", pressed: str = "") -> None:
        message = BackMsg()
        ask = message.rerun_script
        ask.query_string, ask.page_script_hash, ask.fragment_id = (
            self.query,
            self.page_hash,
            fragment,
        )
        ask.page_name = "" if self.page_hash else self.page
        ask.is_auto_rerun = bool(fragment)
        ask.cached_message_hashes.extend(self.kept)
        ask.widget_states.SetInParent()
        if pressed:
            ask.widget_states.widgets.add(id=pressed, trigger_value=True)
        for widget, value in self.values.items():
            state = ask.widget_states.widgets.add(id=widget)
            if isinstance(value, str):
                state.string_array_value.data.append(value)
            elif widget in self.typed:
                state.double_value = value
            else:
                state.double_array_value.data.append(value)
        await self.socket.send(message.SerializeToString())

    async def _read(self) -> None:
        async for data in self.socket:
            message = ForwardMsg.FromString(data)
            kind = message.WhichOneof("type")
            if message.metadata.cacheable:
                self.kept.add(message.hash)
            if kind == "new_session":
                self.page_hash = message.new_session.page_script_hash
            elif kind == "navigation":
                self.page_hash = message.navigation.page_script_hash
            elif kind == "page_info_changed":
                self.query = message.page_info_changed.query_string
            elif kind == "auto_rerun":
                fragment = message.auto_rerun.fragment_id
                if fragment not in self.timers:
                    self.timers[fragment] = asyncio.create_task(
                        self._poll(fragment, message.auto_rerun.interval)
                    )
            elif kind == "stop_auto_rerun":
                for fragment in message.stop_auto_rerun.fragment_ids:
                    if fragment in self.timers:
                        self.timers.pop(fragment).cancel()
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                element = message.delta.new_element
                if element.WhichOneof("type") in ("slider", "button", "number_input"):
                    widget = getattr(element, element.WhichOneof("type"))
                    self.widgets[widget.label, element.WhichOneof("type")] = widget
            elif kind == "script_finished":
                status = message.script_finished
                self.polls += status == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
                done = status in (
                    ForwardMsg.FINISHED_SUCCESSFULLY,
                    ForwardMsg.FINISHED_WITH_COMPILE_ERROR,
                )
                if done and self.finished and not self.finished.done():
                    self.finished.set_result(status)

    async def _poll(self, fragment: str, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self._ask(fragment)


async def stay(url: str, path: str, number: int, seconds: float) -> None:
    """Open the page so many times and keep it open."""
    visitors = [Visitor(url, path) for _ in range(number)]
    for visitor in visitors:
        await visitor.__aenter__()
    print("all are there", flush=True)
    before, started, processor = (
        sum(visitor.polls for visitor in visitors),
        time.perf_counter(),
        time.process_time(),
    )
    with suppress(asyncio.CancelledError):
        for _ in range(int(seconds)):
            await asyncio.sleep(1)
            polls = sum(visitor.polls for visitor in visitors) - before
            passed, worked = time.perf_counter() - started, time.process_time() - processor
            said = f"{polls / passed:.1f} polls answered a second; to ask took {worked / passed:.0%} of a core"
            print(said, flush=True)


if __name__ == "__main__":
    asyncio.run(
        stay(
            sys.argv[1],
            sys.argv[2],
            int(sys.argv[3]),
            float(sys.argv[4]) if len(sys.argv) > 4 else 3600,
        )
    )
