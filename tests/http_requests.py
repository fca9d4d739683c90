"""Requests made by hand, as Streamlit's client makes them, or as it never would."""

import http.client
import http.cookies
import uuid
from dataclasses import dataclass
from urllib.parse import urlsplit

COOKIE = "_streamlit_xsrf"


@dataclass(frozen=True)
class Answer:
    """A server's answer to a request."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


def send(url: str, method: str, path: str, body=None, headers: dict | None = None) -> Answer:
    """Send a request to a server, with the path exactly as it stands."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, names, answer.read())
    finally:
        connection.close()


def xsrf_token(url: str) -> str:
    """Return the token against forged requests that the server gives a new visitor."""
    answer = send(url, "GET", "/_stcore/health")
    return http.cookies.SimpleCookie(answer.headers["set-cookie"])[COOKIE].value


def guards(url: str, token: str) -> dict[str, str]:
    """Return the headers that show that a request comes from the app's own pages."""
    return {"Cookie": f"{COOKIE}={token}", "X-Xsrftoken": token, "Origin": url}


def put_file(url: str, path: str, name: str, content: bytes, headers: dict[str, str]) -> Answer:
    """Upload a file in a form with one field."""
    boundary = uuid.uuid4().hex.encode()
    quoted = name.encode("utf-8", "surrogatepass")
    for sign in b'"\r\n':
        quoted = quoted.replace(bytes([sign]), b"%%%02X" % sign)
    head = b'--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n'
    body = head % (boundary, quoted) + b"Content-Type: application/octet-stream\r\n\r\n"
    body += content + b"\r\n--%s--\r\n" % boundary
    form = {"Content-Type": f"multipart/form-data; boundary={boundary.decode()}"}
    return send(url, "PUT", path, body, form | headers)
