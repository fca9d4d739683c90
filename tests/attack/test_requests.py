"""Requests and messages that Streamlit's client never sends: refused, and nothing is told."""

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.exceptions import ConnectionClosed

from tests.attack.aftermath import assert_nothing_leaked, assert_renders, is_healthy
from tests.e2e.server import PROJECT
from tests.http_requests import COOKIE, put_file, send

UPLOADS = "/_stcore/upload_file"
PATHS = [
    "/../../../../etc/passwd",
    "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2f..%2fetc%2fpasswd",
    "//etc/passwd",
    "/static/../../../../../../etc/passwd",
    "/media/../../etc/passwd",
    "/media/x",
    "/component/vitdemo.ui.chart.chart_files/../chart.py",
    "/component/vitdemo.ui.chart.chart_files/%2e%2e/chart.py",
    "/component/vitdemo.ui.chart.chart_files//etc/passwd",
    "/component/vitdemo.ui.chart.chart_files/\\..\\chart.py",
    "/component/os/path",
    "/_stcore/bidi-components/plotly_charts/../../app.py",
    "/app/static/../app.py",
    "/app/static/app.py",
    "/app.py",
    "/.streamlit/config.toml",
    "/requirements.txt",
    "/runs/",
    "/checkpoints/vit.safetensors",
    "/_stcore/agent/interact",
    "/_stcore/agent/mcp",
    "/_stcore/script-health-check",
    "/%00",
    "/" + "x" * 50_000,
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:50])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_paths_lead_to_no_file_of_the_machine(server, method, path):
    answer = send(server.url, method, path, b"x" if method == "POST" else None)
    assert answer.status < 500
    for secret in (b"root:", b"import streamlit", b"showErrorDetails", b"Traceback", b"torch=="):
        assert secret not in answer.body
    assert str(PROJECT).encode() not in answer.body
    assert is_healthy(server.url)


@pytest.fixture(scope="module")
def visitor(visit):
    return visit("attention")


@pytest.mark.parametrize(
    "change",
    [
        lambda guards: {},
        lambda guards: guards | {"X-Xsrftoken": ""},
        lambda guards: guards | {"X-Xsrftoken": "2|0|0|0"},
        lambda guards: guards | {"Cookie": f"{COOKIE}=x"},
        lambda guards: {"X-Xsrftoken": guards["X-Xsrftoken"]},
        lambda guards: {"Cookie": guards["Cookie"]},
    ],
)
def test_forged_upload_is_refused(server, visitor, change):
    path = f"{UPLOADS}/{visitor.session_id}/x"
    assert put_file(server.url, path, "x.png", b"x", change(visitor.guards)).status == 403


@pytest.mark.parametrize("session", ["x", "..", "%2e%2e", "0" * 36, "%00", "x" * 5_000, "<b>"])
def test_upload_for_nobody_is_refused(server, visitor, session):
    answer = put_file(server.url, f"{UPLOADS}/{session}/x", "x.png", b"x", visitor.guards)
    assert 400 <= answer.status < 500
    assert b"Traceback" not in answer.body


BODIES = {
    "no form": ({}, b"x" * 100),
    "no boundary": ({"Content-Type": "multipart/form-data"}, b"x"),
    "no file": ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--\r\n"),
    "cut": (
        {"Content-Type": "multipart/form-data; boundary=x"},
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n12',
    ),
    "two files": (
        {"Content-Type": "multipart/form-data; boundary=x"},
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n1\r\n'
        b'--x\r\nContent-Disposition: form-data; name="g"; filename="b"\r\n\r\n2\r\n--x--\r\n',
    ),
    "many fields": (
        {"Content-Type": "multipart/form-data; boundary=x"},
        b'--x\r\nContent-Disposition: form-data; name="f"\r\n\r\n1\r\n' * 2_000 + b"--x--\r\n",
    ),
    "too large": ({"Content-Length": str(401 * 2**20)}, b""),
    "negative length": ({"Content-Length": "-1"}, b""),
    "JSON": ({"Content-Type": "application/json"}, b"[" * 10_000),
}


@pytest.mark.parametrize(("headers", "body"), BODIES.values(), ids=BODIES)
def test_malformed_upload_is_refused(server, visitor, headers, body):
    path = f"{UPLOADS}/{visitor.session_id}/x"
    answer = send(server.url, "PUT", path, body, visitor.guards | headers)
    assert 400 <= answer.status < 500
    assert b"Traceback" not in answer.body
    assert str(PROJECT).encode() not in answer.body
    assert is_healthy(server.url)


RAW = {
    "no message": b"\xff" * 100,
    "cut": BackMsg(app_heartbeat=True).SerializeToString()[:1],
    "deep": b"\x5a\x04" * 1_000,
    "long field": b"\x5a\xff\xff\xff\xff\x0f",
}


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
def test_bytes_that_are_no_message_end_the_session(visit, raw):
    visitor = visit("transformer")
    visitor.send(raw)
    with pytest.raises(ConnectionClosed):
        visitor.catch_up()
    assert_nothing_leaked(visitor.received, str(visitor.home))
    assert is_healthy(visitor.url)


def messages():
    """Yield messages of kinds that a page sends seldom or never."""
    yield "empty", BackMsg()
    yield "shutdown", BackMsg(debug_shutdown_runtime=True)
    yield "save", BackMsg(set_run_on_save=True)
    yield "stop", BackMsg(stop_script=True)
    yield "git", BackMsg(load_git_info=True)
    urls = BackMsg()
    urls.file_urls_request.file_names.extend(["../x"] * 1_000)
    urls.file_urls_request.session_id = "../x"
    yield "URLs of files", urls
    for name in ("chunk", "<b>", ""):
        operation = BackMsg()
        operation.backend_operation_request.request_id = name
        operation.backend_operation_request.session_id = name
        yield f"operation {name!r}", operation


@pytest.mark.parametrize("message", dict(messages()).values(), ids=dict(messages()))
def test_messages_of_other_kinds_do_no_harm(visit, message):
    visitor = visit("transformer")
    visitor.send(message)
    visitor.catch_up()
    assert_nothing_leaked(visitor.received, str(visitor.home))
    visitor.run()
    assert len(list(visitor.page.all("markdown"))) > 10
    visitor.close()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("page_script_hash", text) for text in ("x", "../../etc/passwd", "<b>", "\0")),
        *(("page_name", text) for text in ("../app", "/etc/passwd", "<b>", "x" * 100_000, "\0")),
        *(("fragment_id", text) for text in ("x", "../x", "\0")),
        ("cached_message_hashes", ["x"] * 10_000),
    ],
    ids=lambda part: str(part)[:20],
)
def test_runs_of_pages_that_do_not_exist(visit, field, value):
    visitor = visit("transformer")
    message = visitor.rerun_message()
    if field == "cached_message_hashes":
        message.rerun_script.cached_message_hashes.extend(value)
    else:
        if field == "page_name":
            message.rerun_script.page_script_hash = ""
        setattr(message.rerun_script, field, value)
    visitor.send(message)
    if field != "fragment_id":  # one that does not exist is ignored
        visitor.wait()
    visitor.catch_up()
    assert_nothing_leaked(visitor.received, str(visitor.home))
    assert is_healthy(visitor.url)
    visitor.close()


def test_others_are_not_disturbed(server):
    assert_renders(server.url)
