"""Visitors without a browser: sessions that speak Streamlit's own protocol over its WebSocket.

    python -m tests.benchmarks.visitors URL PATH NUMBER [SECONDS]

Opens NUMBER sessions on a page and lets each poll at the interval that the page asks for
(`run_every`). Prints one line when all are open, then one line each second: the polls answered per
second, and how much of a core these visitors use themselves. In a class the browsers are on other
machines; on this one, twenty of them would measure themselves, so together.py uses this instead.
The process has normal priority: visitors that starve ask less often than real ones.

A session does all that a server sees of a browser: the first run of the page, every poll, and the
list of large messages in its cache, so that the server may send a reference.
"""

import asyncio
import sys
import time
from contextlib import suppress

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

TIMEOUT = 120.0
WIDGETS = ("slider", "button", "number_input")
PAGE_DONE = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_WITH_COMPILE_ERROR)


class Visitor:
    """One open page; use with `async with`.

    Args:
        url: URL of the server.
        path: page and settings, as in the browser: `/attention?layer=2`.
    """

    def __init__(self, url: str, path: str = "/"):
        page, _, self.query = path.lstrip("/").partition("?")
        self.socket_url = url.replace("http", "ws", 1) + "/_stcore/stream"
        self.page, self.page_hash = page, ""
        self.widgets = {}  # (label, kind) -> its element
        self.values = {}  # widget id -> the value set here, sent with each rerun
        self.number_fields = set()  # ids of the number fields among them
        self.cached = set()  # hashes of large messages
        self.polls = 0
        self.timers = {}  # fragment id -> task
        self.page_done = None  # future of the full rerun under way

    async def __aenter__(self) -> "Visitor":
        self.socket = await connect(self.socket_url, subprotocols=["streamlit"], max_size=None)
        self.reader = asyncio.create_task(self._read())
        await self.rerun()
        return self

    async def __aexit__(self, *_) -> None:
        for task in (self.reader, *self.timers.values()):
            task.cancel()
        await self.socket.close()

    async def rerun(self, pressed: str = "") -> float:
        """Run the whole page and return the seconds until the server reports that it is done."""
        self.page_done = asyncio.get_running_loop().create_future()
        started = time.perf_counter()
        await self._ask(pressed=pressed)
        await asyncio.wait(
            {self.page_done, self.reader}, timeout=TIMEOUT, return_when=asyncio.FIRST_COMPLETED
        )
        if not self.page_done.done():
            raise AssertionError(f"no answer: {self.reader}")
        return time.perf_counter() - started

    async def shown(self, label: str, kind: str) -> None:
        """Wait until the page has a widget: a new server shows a page before it loads torch."""
        async with asyncio.timeout(TIMEOUT):
            while (label, kind) not in self.widgets:
                await asyncio.sleep(0.05)

    async def slide(self, label: str, value: int) -> float:
        """Move a slider and return the seconds of the rerun.

        Args:
            label: label of the slider.
            value: new value; of a select slider, its index among the options.
        """
        slider = self.widgets[label, "slider"]
        self.values[slider.id] = str(slider.options[value]) if slider.options else float(value)
        return await self.rerun()

    async def enter(self, label: str, number: float) -> float:
        """Type a number into a field and return the seconds of the rerun."""
        field = self.widgets[label, "number_input"].id
        self.values[field] = number
        self.number_fields.add(field)
        return await self.rerun()

    async def press(self, label: str) -> float:
        """Press a button and return the seconds of the rerun."""
        return await self.rerun(self.widgets[label, "button"].id)

    async def _ask(self, fragment: str = "", pressed: str = "") -> None:
        message = BackMsg()
        request = message.rerun_script
        request.query_string = self.query
        request.page_script_hash = self.page_hash
        request.fragment_id = fragment
        request.page_name = "" if self.page_hash else self.page
        request.is_auto_rerun = bool(fragment)
        request.cached_message_hashes.extend(self.cached)
        request.widget_states.SetInParent()
        if pressed:
            request.widget_states.widgets.add(id=pressed, trigger_value=True)
        for widget, value in self.values.items():
            state = request.widget_states.widgets.add(id=widget)
            if isinstance(value, str):
                state.string_array_value.data.append(value)
            elif widget in self.number_fields:
                state.double_value = value
            else:
                state.double_array_value.data.append(value)
        await self.socket.send(message.SerializeToString())

    async def _read(self) -> None:
        async for data in self.socket:
            message = ForwardMsg.FromString(data)
            if message.metadata.cacheable:
                self.cached.add(message.hash)
            match message.WhichOneof("type"):
                case "new_session":
                    self.page_hash = message.new_session.page_script_hash
                case "navigation":
                    self.page_hash = message.navigation.page_script_hash
                case "page_info_changed":
                    self.query = message.page_info_changed.query_string
                case "auto_rerun":
                    self._start_timer(message.auto_rerun)
                case "stop_auto_rerun":
                    self._stop_timers(message.stop_auto_rerun.fragment_ids)
                case "delta":
                    self._remember_widget(message.delta)
                case "script_finished":
                    self._finish(message.script_finished)

    def _start_timer(self, request) -> None:
        fragment = request.fragment_id
        if fragment not in self.timers:
            self.timers[fragment] = asyncio.create_task(self._poll(fragment, request.interval))

    def _stop_timers(self, fragments) -> None:
        for fragment in fragments:
            if fragment in self.timers:
                self.timers.pop(fragment).cancel()

    def _remember_widget(self, delta) -> None:
        if delta.WhichOneof("type") != "new_element":
            return
        kind = delta.new_element.WhichOneof("type")
        if kind in WIDGETS:
            widget = getattr(delta.new_element, kind)
            self.widgets[widget.label, kind] = widget

    def _finish(self, status) -> None:
        if status == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
            self.polls += 1
        if status in PAGE_DONE and self.page_done and not self.page_done.done():
            self.page_done.set_result(status)

    async def _poll(self, fragment: str, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self._ask(fragment)


async def stay(url: str, path: str, number: int, seconds: float) -> None:
    """Open the page `number` times and keep it open."""
    visitors = [Visitor(url, path) for _ in range(number)]
    for visitor in visitors:
        await visitor.__aenter__()
    print("all are open", flush=True)
    before = sum(visitor.polls for visitor in visitors)
    started, used = time.perf_counter(), time.process_time()
    with suppress(asyncio.CancelledError):
        for _ in range(int(seconds)):
            await asyncio.sleep(1)
            polls = sum(visitor.polls for visitor in visitors) - before
            passed = time.perf_counter() - started
            core = (time.process_time() - used) / passed
            print(
                f"{polls / passed:.1f} polls answered per second; asking used {core:.0%} of a core",
                flush=True,
            )


if __name__ == "__main__":
    url, path, number, *seconds = sys.argv[1:]
    asyncio.run(stay(url, path, int(number), float(seconds[0]) if seconds else 3600))
