"""A viewer sees what is published and cannot run code: over the websocket, by REST, by paths, by links."""

import http.client
import json
import re
import struct
import time
from urllib.parse import urlparse

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from dashboards.records_made import make_run
from tapebook.config import Config
from tapebook.dashboards import live, serve
from tapebook.dashboards.body import inside
from tapebook.dashboards.channel import read, why_refused
from tapebook.data.catalog import Catalog
from tapebook.runs.page import write_page
from tapebook.runs.publish import publish

V1 = "v1.kernel.websocket.jupyter.org"
HIDDEN = (
    "/run/hidden", "/run/hidden/report.html", "/run/hidden/report.pdf", "/run/hidden/tables/trades.csv",
    "/live/run?run=hidden", "/live/strategy?run=hidden", "/live/run?name=private", "/private",
    "/private/history", "/shown/at/hidden", "/shown/at/hidden/report.html", "/live/data-health",
    "/live/run?run=one%2F..%2Fhidden", "/run/link", "/live/run?run=link",
)  # fmt: skip
OUTSIDE = (
    "/../tapebook.toml", "/static/../../tapebook.toml", "/static/..%2f..%2ftapebook.toml", "/run/..",
    "/run/%2e%2e", "/run/%2e%2e%2ftapebook.toml", "/run/one/tables/..%2f..%2fmanifest.json",
    "/run/one/tables/../manifest.json", "/shown/tables/%2e%2e%2fmanifest.parquet",
    "/shown/tables/secret.csv", "/shown/tables/secret.parquet", "/shown/notebook.ipynb",
    "/shown/manifest.json", "/run/one/notebook.ipynb", "/run/one/template.ipynb",
    "/shown/tables/trades.csv%00.parquet", "/run/one%00", "/shown/tables/..\\..\\manifest.parquet",
    "/voila/files/run.ipynb", "/voila/files/../../tapebook.toml", "/voila/render/run.ipynb",
    "/voila/tree", "/voila/0.5.13/static/../../../../etc/passwd",
    "/voila/0.5.13/static/..%2f..%2f..%2f..%2fetc%2fpasswd",
    "/voila/0.5.13/labextensions/..%2f..%2f..%2fpyvenv.cfg", "/voila/templates/lab/static/voila.js",
    "/api/kernels", "/api/kernelspecs", "/api/sessions", "/api/contents", "/api/contents/run.ipynb",
    "/voila/api/contents/", "/api/terminals", "/terminals/websocket/1", "/api/shutdown", "/api", "/tree",
    "/lab", "/files/x", "/nbconvert/html/x", "/login", "/metrics", "/static/plotly-1.min.js",
    "/live/gallery", "/live/..%2ftemplates%2fsweep", "/live/../x",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("safe")
    (home / "tapebook.toml").write_text('lake = "data/lake"\n')
    config = Config.load(home)
    catalog = Catalog.open(config)
    for run in ("one", "hidden"):
        folder = make_run(config.reports, run)
        code = {"cell_type": "code", "metadata": {}, "source": "secret_code()", "outputs": []}
        (folder / "notebook.ipynb").write_text(json.dumps({"cells": [code], "metadata": {}, "nbformat": 4}))
        write_page(folder)
        row = {"id": run, "template": "backtest", "template_hash": "h", "outcome": "succeeded"}
        catalog.runs.add(row | {"started": "2026-11-01T22:15:00+00:00"})
    catalog.close()
    (config.reports / "link").symlink_to(config.reports / "hidden")
    (config.reports / "one" / "tables" / "secret.parquet").symlink_to(home / "tapebook.toml")
    publish(config, "shown", run="one")
    publish(config, "private", run="hidden", audience="traders")
    found, address = serve.start(config)
    yield address
    serve.stop(found)


def ask(address, path, method="GET", **headers):
    """Ask for exactly this path: no client tidies it."""
    line = http.client.HTTPConnection(urlparse(address).netloc, timeout=60)
    line.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        line.putheader(name.replace("_", "-"), value)
    line.endheaders()
    answer = line.getresponse()
    body = answer.read()
    line.close()
    return answer.status, dict(answer.getheaders()), body


def test_what_is_published_is_there(server):
    for path in (
        "/",
        "/shown",
        "/run/one",
        "/shown/history",
        "/shown/tables/trades.csv",
        "/shown/report.html",
    ):
        assert ask(server, path)[0] == 200, path
    gallery = ask(server, "/")[2].decode()
    assert "/shown" in gallery
    assert "hidden" not in gallery
    assert "private" not in gallery


@pytest.mark.parametrize("path", HIDDEN)
def test_what_is_not_published_is_not_there(server, path):
    assert ask(server, path)[0] == 404


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_else_is_reachable(server, path):
    status, _, body = ask(server, path)
    assert status in (400, 403, 404, 405)
    assert b"lake" not in body
    assert b"root:" not in body
    assert b"secret_code" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/shown", "/api/kernels", "/api/contents/x", "/api/terminals"])
def test_nothing_can_be_written(server, path, method):
    assert ask(server, path, method, Content_Length="0")[0] >= 400


def test_another_sites_page_cannot_ask_through_the_browser(server):
    assert ask(server, "/", Host="evil.example")[0] == 403


def test_pages_are_cached_and_compressed(server):
    _, headers, page = ask(server, "/shown", Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert ask(server, "/shown", If_None_Match=headers["Etag"])[0] == 304
    plotly = re.search(rb"/static/plotly-[\w.]+\.min\.js", ask(server, "/shown/report.html")[2])
    assert plotly is None, "one file has it inside"
    script = re.search(rb"/static/site\.\w+\.js", ask(server, "/shown")[2])[0].decode()
    _, headers, _ = ask(server, script, Accept_Encoding="gzip")
    assert "immutable" in headers["Cache-Control"]
    assert "script-src 'self'" in ask(server, "/shown")[1]["Content-Security-Policy"]
    assert "secret_code" not in ask(server, "/shown")[2].decode()


@pytest.fixture(scope="module")
def kernel(server):
    """The id of a kernel whose page is open, as its viewer knows it."""
    status, _, body = ask(server, "/live/run?run=one")
    assert status == 200
    text = body.decode()
    assert "import tapebook" not in text
    assert "run_page(" not in text, "source is not shown"
    return re.search(r'"kernelId": "([\w-]+)"', text)[1]


def message(kind, channel="shell", **content):
    header = {"msg_id": "m1", "username": "", "session": "s", "version": "5.3", "msg_type": kind}
    parts = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "buffers": []}
    return parts | {"channel": channel}


def v1(said):
    """Write a message the way the newer protocol does."""
    parts = [said["channel"].encode()]
    parts += [json.dumps(said[name]).encode() for name in ("header", "parent_header", "metadata", "content")]
    count = len(parts) + 1
    offsets = [8 * (count + 1)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    numbers = [count, *offsets]
    return b"".join(n.to_bytes(8, "little") for n in numbers) + b"".join(parts)


def old_binary(said):
    body = json.dumps({k: v for k, v in said.items() if k != "buffers"}).encode()
    return struct.pack("!iI", 1, 8) + body


CODE = {"code": "open({!r}, 'w').write('x')", "silent": False, "store_history": False, "user_expressions": {}}


def attacks(target):
    """Each way of asking for code that comes to mind, in both protocols."""
    content = CODE | {
        "code": CODE["code"].format(str(target)),
        "user_expressions": {"x": CODE["code"].format(str(target))},
    }
    for channel in ("shell", "control", "stdin", "iopub", "", "SHELL", None):
        yield message("execute_request", channel, **content)
    for kind in (
        "debug_request", "inspect_request", "complete_request", "history_request",
        "input_reply", "shutdown_request",
        "interrupt_request", "create_subshell_request", "EXECUTE_REQUEST", "execute_request ",
        "comm_msg\0execute_request",
    ):  # fmt: skip
        yield message(
            kind, "control" if kind in ("debug_request", "shutdown_request") else "shell", **content
        )
    for target_name in ("jupyter.widget", "evil", None):
        state = {"_model_name": "HTMLModel", "_model_module": "@jupyter-widgets/controls"}
        yield message("comm_open", comm_id="c", target_name=target_name, data={"state": state})
    two = message("comm_info_request", **content)
    two["msg_type"] = "execute_request"
    yield two


def test_no_code_runs_whatever_the_viewer_sends(server, kernel, tmp_path):
    target = tmp_path / "written"
    address = server.replace("http", "ws") + f"api/kernels/{kernel}/channels?session_id=s"
    twice = json.dumps(message("comm_info_request"))
    twice = twice.replace(
        '"msg_type": "comm_info_request"', '"msg_type": "comm_msg", "msg_type": "execute_request"'
    )
    for protocols in (None, [V1]):
        with connect(address, subprotocols=protocols, open_timeout=30) as line:
            for attack in attacks(target):
                if protocols is None:
                    line.send(json.dumps(attack))
                    line.send(old_binary(attack))
                elif attack["channel"] is not None:
                    line.send(v1(attack))
            for junk in (
                "",
                "{",
                "[]",
                "null",
                "7",
                twice,
                "\0",
                b"",
                b"\xff" * 40,
                b"\0" * 8,
                b"\x7f\xff\xff\xff",
            ):
                line.send(junk)
            said = message("comm_info_request", target_name="jupyter.widget")
            line.send(json.dumps(said) if protocols is None else v1(said))
            heard = hear(line, "comm_info_reply")
            assert "execute_reply" not in heard
            assert "execute_input" not in heard
            assert "comm_info_reply" in heard, "widgets still work, after all of this"
    time.sleep(0.5)
    assert not target.exists()


def hear(line, until, seconds=60):
    """Kinds of messages that come until one does."""
    kinds, deadline = [], time.monotonic() + seconds
    while until not in kinds and time.monotonic() < deadline:
        try:
            said = line.recv(timeout=2)
        except TimeoutError:
            continue
        except ConnectionClosed:
            break
        found = re.search(rb'"msg_type": ?"(\w+)"', said if isinstance(said, bytes) else said.encode())
        kinds.append(found[1].decode() if found else "?")
    return kinds


def test_a_line_is_for_a_kernel_that_there_is_and_from_our_own_page(server, kernel):
    address = server.replace("http", "ws")
    nobody = "00000000-0000-0000-0000-000000000000"
    for path, options in ((nobody, {}), (kernel, {"origin": "http://evil.example"}), ("x", {})):
        with pytest.raises(InvalidStatus), connect(f"{address}api/kernels/{path}/channels", **options):
            pass
    assert ask(server, f"/api/kernels/{kernel}")[0] == 200
    assert ask(server, f"/api/kernels/{nobody}")[0] == 404
    for method in ("DELETE", "PATCH", "POST"):
        assert ask(server, f"/api/kernels/{kernel}", method, Content_Length="0")[0] in (403, 405)
    for verb in ("interrupt", "restart"):
        assert ask(server, f"/api/kernels/{kernel}/{verb}", "POST", Content_Length="0")[0] >= 400


@pytest.mark.parametrize("kind", ["comm_msg", "comm_close", "comm_info_request", "kernel_info_request"])
def test_traffic_of_widgets_passes_in_every_encoding(kind):
    said = message(kind, comm_id="c", data={})
    for protocol, coded in ((None, json.dumps(said)), (None, old_binary(said)), (V1, v1(said))):
        assert why_refused(read(coded, protocol)) == ""
    assert why_refused(read(json.dumps(said | {"channel": "control"}), None))


def test_a_path_never_leads_out(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    (tmp_path / "out.txt").write_text("o")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out.txt")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in" / "loop")
    root = tmp_path / "in"
    assert inside(root, "a.txt") == (root / "a.txt").resolve()
    for path in (
        "../out.txt",
        "link",
        "loop",
        "",
        ".",
        "..",
        "a.txt/x",
        "a\0.txt",
        "..\\out.txt",
        str(tmp_path / "out.txt"),
    ):
        assert inside(root, path) is None, path


def test_a_page_about_a_run_has_no_way_into_database_or_bucket():
    given = {
        "AWS_SECRET_ACCESS_KEY": "k",
        "PGPASSWORD": "p",
        "TAPEBOOK_DATABASE": "postgresql://u:p@h/d",
        "TAPEBOOK_HOME": "/desk",
        "PATH": "/bin",
    }
    assert live.seen_by("strategy", given) == {"TAPEBOOK_HOME": "/desk", "PATH": "/bin"}
    assert live.seen_by("data-health", given) == given
