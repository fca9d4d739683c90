"""Values that no widget has: of the right kind, but with any content, and of other kinds."""

import json
import math
from collections.abc import Iterator

from streamlit.proto.WidgetStates_pb2 import WidgetState

from tests.drawn_page import FIELDS
from tests.protocol import Visitor, widget_state

BUTTONS = ("button", "download_button", "menu_button")
TEXTS = ["<script>alert(1)</script>", "", "x" * 100_000, "\0../../etc/passwd", "NaN", "-1"]
LISTS = [[], ["<b>"], ["1", "x"], [""] * 1_000, ["\0"], ["x" * 100_000]]
NUMBERS = [-1.0, 1e300, -1e300, 2.5, 1e15, 0.0]
COUNTS = [0, -1, 2**62, -(2**62), 10**6, 7]
SLIDES = [[], [math.nan], [math.inf], [1e300], [0.5, 1.5], [0.0] * 1_000]
POINTS = [  # of a click on a chart, as JSON
    '"x"',
    "{}",
    '{"x": "<b>", "y": null}',
    '{"x": NaN, "y": NaN}',
    '{"x": 1e308, "y": -1e308}',
    '{"x": 500, "y": 500}',
    '{"x": [], "y": {}}',
    '{"x": true, "y": false}',
    '{"x": ' + "9" * 400 + ', "y": 1}',
]
VALUES = {  # field of WidgetState -> values
    "string_value": TEXTS,
    "string_array_value": LISTS,
    "double_value": NUMBERS,
    "int_value": COUNTS,
    "double_array_value": SLIDES,
    "bool_value": [True, False],
    "json_trigger_value": POINTS,
}
ROUNDS = max(map(len, VALUES.values()))
OTHER_KINDS = [  # values in a field that belongs to another kind of widget
    ("string_value", "<b>"),
    ("bool_value", True),
    ("double_value", math.nan),
    ("int_value", -(2**62)),
    ("double_array_value", [math.nan]),
    ("string_array_value", ["<b>"]),
    ("json_value", "[" * 5_000),
    ("json_trigger_value", "[" * 500 + "]" * 500),
    ("json_value", '{"clicked": {"x": "<b>"}}'),
    ("bytes_value", b"\xff"),
]


def widgets_of(visitor: Visitor) -> Iterator[tuple[str, str]]:
    """Yield id and field of every widget of a page, but of no button."""
    for kind, message in visitor.page.all():
        if kind == "bidi_component":
            yield f"$$STREAMLIT_INTERNAL_KEY_{message.id}__events", "json_trigger_value"
        elif kind in FIELDS and kind not in BUTTONS:
            is_select_slider = kind == "slider" and message.type == message.SELECT_SLIDER
            yield message.id, "string_array_value" if is_select_slider else FIELDS[kind]


def states_of_round(visitor: Visitor, number: int) -> list[WidgetState]:
    """Return a bad value for each widget; in each round another one, for as long as there are."""
    states = []
    for widget, field in widgets_of(visitor):
        if number < len(VALUES[field]):
            value = VALUES[field][number]
            if field == "json_trigger_value":
                value = f'[{{"event": "clicked", "value": {value}}}]'
            states.append(widget_state(widget, field, value))
    return states


def clicks_of_nothing() -> list[str]:
    """Return what a component sends that reports no click: JSON, or none."""
    unknown = [{"event": "<b>", "value": 1}, {"event": None}, {}, 7, "x", None, []]
    return [json.dumps([item]) for item in unknown] + ["no JSON", "{}", "7", '"x"']
