"""A vendor on this machine: it answers as told, keeps what it was asked, and goes wrong in the known ways."""

import time
from urllib.parse import parse_qsl, urlsplit

from integration.loopback import Here, Quiet
from tapebook.integration.outside import Outside


class Vendor(Here):
    """`answer(path, query)` gives a body, or (status, headers, body); `faults` come first, one a question."""

    def __init__(self, answer, kind="application/json"):
        self.answer, self.kind, self.faults, self.asked = answer, kind, [], []
        super().__init__(_Handler)


class _Handler(Quiet):
    protocol_version = "HTTP/1.1"

    def _asked(self):
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        self.server.asked.append((parts.path, query, dict(self.headers)))
        if self.server.faults:
            fault = self.server.faults.pop(0)
            if callable(fault):
                fault(self, lambda: self._answer(parts.path, query))
                return
            self.say(*fault)
            return
        self.say(*self._answer(parts.path, query))

    do_GET = do_POST = _asked  # noqa: N815

    def _answer(self, path, query):
        told = self.server.answer(path, query)
        return told if isinstance(told, tuple) else (200, {}, told)

    def say(self, status, headers, body):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        for name, value in (
            {"content-type": self.server.kind, "content-length": len(body)} | headers
        ).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)


def limited(seconds="7"):
    return (429, {"retry-after": seconds}, "slow down")


BROKEN = (500, {}, "oh no")
WEB_PAGE = (200, {"content-type": "text/html"}, "<html><body>Please log in</body></html>")


HTML_CALLED_JSON = (200, {}, "<html><body>Please log in</body></html>")


def _begin(handler, length, status=200):
    handler.send_response(status)
    handler.send_header("content-type", handler.server.kind)
    handler.send_header("content-length", str(length))
    handler.end_headers()


def _body(answer):
    _, _, body = answer()
    return body.encode() if isinstance(body, str) else body


def truncated(handler, answer):
    """The connection ends in the middle of the body."""
    body = _body(answer)
    _begin(handler, len(body))
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def truncated_unseen(handler, answer):
    """The same, by a server that does not say how long its answer is: the last number lacks a digit."""
    body = _body(answer).rstrip()
    handler.send_response(200)
    handler.send_header("content-type", handler.server.kind)
    handler.end_headers()
    handler.wfile.write(body[:-1])
    handler.close_connection = True


def called_text(handler, answer):
    """What is right, under a wrong content type."""
    body = _body(answer)
    handler.say(200, {"content-type": "application/octet-stream"}, body)


def _drip(handler, data):
    for at in range(60):
        try:
            handler.wfile.write(data[at : at + 1])
            handler.wfile.flush()
        except OSError:
            break
        time.sleep(0.02)
    handler.close_connection = True


def dripping(handler, answer):
    """A byte every now and then, so that no single wait is long."""
    body = _body(answer)
    _begin(handler, len(body) + 1000)
    _drip(handler, body)


def dripping_headers(handler, _answer):
    """The same before the body begins."""
    _drip(handler, b"HTTP/1.1 200 OK\r\nx-a: " + b"b" * 1000)


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self):
        self.now, self.slept = 1.7e9, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(round(seconds, 3))
        self.now += seconds


def outside(tmp_path, clock, secrets=None):
    return Outside(
        tmp_path / "pace", lambda ref: (secrets or {})[ref.removeprefix("secret:")], clock, clock.sleep
    )
