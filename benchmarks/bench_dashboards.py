"""Dashboards in headless Chromium beside an ordinary Voila notebook: until a trace is drawn, not its axes.

Then 20 viewers at once, what each costs in memory, and published pages at 200 requests a second.
"""

import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import psutil
from playwright.sync_api import sync_playwright

from tapebook import Desk
from tapebook.dashboards import serve

VISITS, VIEWERS, RATE, SECONDS = 7, 20, 200, 5
LINE = ".scatterlayer .trace path.js-line"
DRAWN = "w => { const e = document.querySelector(w); return e && (e.getAttribute('d') || '').length > 200 }"
ORDINARY = """
import json
from pathlib import Path
import ipywidgets as w
import plotly.graph_objects as go
figure = json.loads(Path({figure!r}).read_text())
w.VBox([w.Dropdown(options=["tearsheet"]), go.FigureWidget(go.Figure(figure, skip_invalid=True))])
"""


def main():
    """Measure and print."""
    with TemporaryDirectory() as place:
        home = Path(place)
        (home / "tapebook.toml").touch()
        with Desk.open(home) as desk:
            desk.ingest("sample")
            run = desk.run("backtest", symbols="AAPL")
            desk.publish(run, name="apple")
            ours, address = serve.start(desk.config)
        peer, ordinary = start_ordinary(home, run.folder / "figures" / "tearsheet.json")
        try:
            wait_until_warm(address)
            seen(address, ordinary)
            crowd(address, ordinary, ours.pid)
            load(address)
        finally:
            serve.stop(ours)
            serve.stop(peer)


def start_ordinary(home, figure):
    """Voila as it comes, on a notebook that shows the same figure."""
    folder = home / "ordinary"
    folder.mkdir()
    cell = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": []}
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    notebook = {"cells": [cell | {"source": ORDINARY.format(figure=str(figure))}], "metadata": kernel}
    (folder / "page.ipynb").write_text(json.dumps(notebook | {"nbformat": 4, "nbformat_minor": 5}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "voila", str(folder), "--no-browser", f"--port={port}"]
    server = subprocess.Popen(
        [*command, "--Voila.log_level=ERROR"], start_new_session=True, stderr=subprocess.DEVNULL
    )
    base = f"http://localhost:{port}/voila/"
    serve._wait(server, f"{base}static/voila.js")
    return server, f"{base}render/page.ipynb"


def wait_until_warm(address):
    """Ask for pages until they come quickly: the fork server warms up in the background."""
    for _ in range(10):
        began = time.perf_counter()
        urlopen(f"{address}live/run?name=apple", timeout=120).read()
        if time.perf_counter() - began < 1.0:
            return


def seen(address, ordinary):
    """Until a trace is drawn, or of the gallery its picture."""
    browser_of = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as play, TemporaryDirectory() as profile:  # a profile keeps compiled scripts
        options = {"args": ["--no-sandbox", "--disable-gpu"], "viewport": {"width": 1280, "height": 900}}
        context = play.chromium.launch_persistent_context(profile, executable_path=browser_of, **options)
        pages = {
            "published page": (f"{address}apple", LINE),
            "gallery": (address, ".picture polyline"),
            "interactive page": (f"{address}live/strategy?name=apple", LINE),
            "ordinary Voila notebook": (ordinary, LINE),
        }
        print(f"seconds until a trace is drawn, {VISITS} visits, one browser: first, median, slowest")
        for name, (url, what) in pages.items():
            took = [visit(context, url, what) for _ in range(VISITS)]
            print(f"  {name:26} {took[0]:6.2f} {statistics.median(took):6.2f} {max(took):6.2f}", flush=True)
        context.close()


def visit(context, url, what):
    """Seconds until something is drawn, in a tab of its own."""
    page = context.new_page()
    began = time.perf_counter()
    page.goto(url, wait_until="commit")
    if what == LINE:  # a path that is there but empty would pass for a chart
        page.wait_for_function(DRAWN, arg=what, polling="raf", timeout=120_000)
    else:
        page.wait_for_selector(what, timeout=120_000)
    took = time.perf_counter() - began
    page.wait_for_timeout(2_000)  # a person stays for a while: the browser stores what it has compiled
    page.close()
    return took


async def fetch(url, began):
    """Seconds until the whole HTML is there."""
    host, _, path = url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    writer.write(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    body = await reader.read(-1)
    writer.close()
    assert b"kernelId" in body[-200_000:], body[:300]
    return time.perf_counter() - began


def crowd(address, ordinary, server):
    """So many viewers at once: until each has its page, and what each takes of memory."""
    print(f"{VIEWERS} viewers at once: seconds until a page's HTML is there (median, slowest)")
    for name, url in (
        ("interactive page", f"{address}live/strategy?name=apple"),
        ("ordinary Voila", ordinary),
    ):
        before = pss(server)

        async def all_of_them(url=url):
            began = time.perf_counter()
            return await asyncio.gather(*(fetch(url, began) for _ in range(VIEWERS)))

        took = sorted(asyncio.run(all_of_them()))
        print(f"  {name:26} {statistics.median(took):6.2f} {took[-1]:6.2f}", flush=True)
        if name == "interactive page":
            print(
                f"  memory of each (PSS)       {(pss(server) - before) / VIEWERS / 1e6:6.0f} MB", flush=True
            )
            time.sleep(60)
            left = [
                p
                for p in psutil.Process(server).children(recursive=True)
                if "client.py" in " ".join(p.cmdline())
            ]
            print(f"  kernels left after a minute {len(left):5}", flush=True)


def pss(server):
    """Proportional memory of the server and all that it has started."""
    family = [psutil.Process(server), *psutil.Process(server).children(recursive=True)]
    total = 0
    for process in family:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def load(address):
    """Published pages, one connection a request, at a fixed rate."""
    host = address.removeprefix("http://").rstrip("/")
    name, _, port = host.partition(":")
    took, failed = [], 0

    async def one(at, path):
        nonlocal failed
        await asyncio.sleep(max(at - time.perf_counter(), 0))
        began = time.perf_counter()
        try:
            reader, writer = await asyncio.open_connection(name, int(port))
            ask = (
                f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
            )
            writer.write(ask.encode())
            body = await reader.read(-1)
            writer.close()
        except OSError:
            failed += 1
            return
        failed += not body.startswith(b"HTTP/1.1 200")
        took.append(time.perf_counter() - began)

    async def all_of_them():
        start = time.perf_counter() + 0.2
        await asyncio.gather(*(one(start + i / RATE, "apple") for i in range(RATE * SECONDS)))
        return time.perf_counter() - start

    seconds = asyncio.run(all_of_them())
    took.sort()
    middle, slow = took[len(took) // 2] * 1e3, took[int(len(took) * 0.99)] * 1e3
    print(f"published page, {RATE} requests a second asked for: {len(took) / seconds:.0f} answered a second,")
    print(f"  median {middle:.0f} ms, 99 % within {slow:.0f} ms, {failed} failed")


if __name__ == "__main__":
    os.environ.pop("QUERY_STRING", None)
    main()
