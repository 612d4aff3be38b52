"""A web server and a mail server on this machine that keep what they get, and fail as told."""

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Quiet(BaseHTTPRequestHandler):
    """A handler that writes nothing to stderr."""

    def log_message(self, *_):
        pass


class Here(ThreadingHTTPServer):
    """Listens on this machine at `url` from the moment it is made until its block ends."""

    daemon_threads = True

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        threading.Thread(target=self.serve_forever, daemon=True, kwargs={"poll_interval": 0.02}).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Web(Here):
    """`got` is what came: (headers, body); `answers` are the next statuses, or functions of the handler."""

    def __init__(self):
        self.got, self.answers = [], []
        super().__init__(_Hook)

    @property
    def url(self):
        return f"{super().url}/hook?token=tok-0123456789"

    def bodies(self):
        return [json.loads(body) for _, body in self.got]


class _Hook(Quiet):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        answer = self.server.answers.pop(0) if self.server.answers else 200
        if callable(answer):
            answer(self)
            return
        if answer == 200:
            self.server.got.append((dict(self.headers), body))
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", "0")
        self.end_headers()


class Mail(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as a sender needs; `got` is the text of each message."""

    allow_reuse_address = daemon_threads = True

    def __init__(self):
        self.got = []
        super().__init__(("127.0.0.1", 0), _Smtp)
        threading.Thread(target=self.serve_forever, daemon=True, kwargs={"poll_interval": 0.02}).start()

    @property
    def port(self):
        return self.server_address[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class _Smtp(socketserver.StreamRequestHandler):
    def handle(self):
        self._say("220 here")
        while line := self.rfile.readline().decode():
            word = line.split()[0].upper() if line.split() else ""
            if word == "EHLO":
                self._say("250-here\r\n250 AUTH PLAIN LOGIN")
            elif word == "AUTH":
                self._say("235 ok")
            elif word == "DATA":
                self._say("354 go on")
                lines = []
                while (line := self.rfile.readline().decode()) not in (".\r\n", ""):
                    lines.append(line)
                self.server.got.append("".join(lines))
                self._say("250 kept")
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _say(self, text):
        self.wfile.write(f"{text}\r\n".encode())
