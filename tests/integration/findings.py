"""A run's findings, small: a document, a run's folder, and a tool on this machine that fails as told."""

import json
import threading
from urllib.parse import parse_qsl, urlsplit

from integration.loopback import Here, Quiet
from tapebook import Desk
from tapebook.integration.documents.document import Document, Heading, Picture, Points, Table, Words

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da6364f8ff1f00"
    "02ed01f5dc9a33c60000000049454e44ae426082"
)


def desk_of(home):
    home.mkdir()
    (home / "tapebook.toml").touch()
    return Desk.open(home)


def document(key="apple", title="Apple & <pears> | *wild*", words="First words."):
    return Document(
        key=key,
        title=title,
        blocks=(
            Heading("Verdict: weak"),
            Points(("One | reason", "Naïve 数字 <b>")),
            Words(words),
            Picture("tear sheet", "tear sheet", "image/png", "abc", PNG),
            Picture("small", "small", "image/svg+xml", "abd", SVG),
            Table(("a|b", "value"), (("x" * 200, "3.14"), ("–", "−1")), "2 of 9 rows"),
        ),
        facts=(("run", "r-1"), ("parameters", '{"symbols": "`A`"}')),
        run="r-1",
        date="2026-11-26",
        tags=("backtest",),
    )


def run_folder(reports, id="toy-20261126-000000-aaaa", **changes):
    """Write a run's folder as a run leaves it."""
    import pandas as pd

    folder = reports / id
    for name in ("tables", "figures"):
        (folder / name).mkdir(parents=True)
    manifest = {
        "run_id": id, "title": "Toy | run", "template": "toy", "template_hash": "abcdef", "snapshot": 7,
        "parameters": {"symbols": "AAPL"}, "seed": 0, "git": {"commit": "c0ffee", "dirty": True},
        "code_hash": "beef", "packages": {"numpy": "2.4", "pandas": "3.1"}, "python": "3.11",
        "platform": "Linux", "started": "2026-11-26T00:00:00+00:00", "finished": "2026-11-26T00:00:09+00:00",
        "seconds": 9.0, "outcome": "succeeded", "error": None, "headline": ["sharpe"],
        "verdict": {"verdict": "weak", "reasons": ["Few trades."]},
    } | changes  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "metrics.json").write_text(
        json.dumps({"sharpe": {"value": None, "unit": "ratio", "convention": "a|b"}})
    )
    frame = pd.DataFrame({"p|x": [float("nan"), 1.5], "named": ["数|字", "y" * 300]})
    frame.to_parquet(folder / "tables" / "coverage.parquet")
    pd.DataFrame({"n": range(40)}).to_parquet(folder / "tables" / "trades.parquet")
    figure = {"data": [{"type": "scatter", "mode": "lines", "y": [1, 3, 2]}], "layout": {}}
    (folder / "figures" / "equity.json").write_text(json.dumps(figure))
    return folder


def drip(handler):
    """Answer a byte every now and then, so that no single wait is long, and never come to an end."""
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", "100000")
    handler.end_headers()
    _trickle(handler)


def drip_headers(handler):
    """The same before the body begins."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nx-a: ")
    _trickle(handler)


def _trickle(handler):
    handler.close_connection = True
    while not handler.server.ended.wait(0.02):
        try:
            handler.wfile.write(b"[")
            handler.wfile.flush()
        except OSError:
            return


def hang(handler):
    """Say nothing."""
    handler.close_connection = True
    handler.server.ended.wait()


class Tool(Here):
    """`answer(method, path, query, body, headers)` gives (status, headers, body) or what is JSON.

    `faults` come first, one a request. After `cut(method, path)` the next such request is done, but its
    answer breaks off. A fault may be a function of the handler, such as `drip`.
    """

    def __init__(self, answer):
        self.answer, self.faults, self.asked, self._cut = answer, [], [], None
        self.sound = ""  # a path that no fault meets
        self.lock, self.ended = threading.Lock(), threading.Event()
        super().__init__(_Handler)

    def __exit__(self, *error):
        self.ended.set()
        super().__exit__(*error)

    def cut(self, method, path):
        self._cut = (method, path)

    def cuts(self, method, path):
        if self._cut and method == self._cut[0] and self._cut[1] in path:
            self._cut = None
            return True
        return False


class _Handler(Quiet):
    protocol_version = "HTTP/1.1"

    def _handle(self):
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.lock:
            self.server.asked.append((self.command, parts.path, headers, body))
            if self.server.faults and parts.path != self.server.sound:
                told = self.server.faults.pop(0)
            else:
                told = self.server.answer(
                    self.command, parts.path, dict(parse_qsl(parts.query)), body, headers
                )
            cut = self.server.cuts(self.command, parts.path)
        if callable(told):
            told(self)
            return
        status, extra, said = told if isinstance(told, tuple) else (200, {}, told)
        said = said if isinstance(said, (bytes, str)) else json.dumps(said)
        said = said if isinstance(said, bytes) else said.encode()
        self.send_response(status)
        sent = {"content-type": "application/json", "content-length": str(len(said))} | extra
        for name, value in sent.items():
            if status != 204 or name != "content-length":
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said[: len(said) // 2] if cut else said)
        if cut:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _handle  # noqa: N815
