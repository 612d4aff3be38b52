"""Interactive pages: a kernel makes the widgets of one notebook, Voila's frontend shows them.

Voila's own handler builds an nbconvert exporter for each visit, about a second of the only thread that
serves everybody. Here the page's head is sent while the kernel starts, and the notebook's outputs follow.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from html import escape
from pathlib import Path
from queue import Empty
from typing import Any
from urllib.parse import quote

from tornado.web import HTTPError

from tapebook.dashboards import assets, gallery, report
from tapebook.dashboards.apology import note
from tapebook.dashboards.site import Page
from tapebook.dashboards.visible import Item

SECONDS = 60
"""How long a notebook may take to make its page."""
MOST = 60
"""Kernels at most: each viewer of an interactive page has one."""
SHOWN = "TAPEBOOK_SHOWN"
"""The variable that tells a kernel which run its page is about: the server has checked that it is visible."""
ABOUT = {page: template for template, page in gallery.LIVE.items() if template != "portfolio"}
"""Whose newest run a page shows that is asked for without one."""
WITHOUT = frozenset({"data-health"})
"""Pages that are about no run but the lake; each is visible if it is published."""
_ENTRIES = ("AWS_", "PG", "TAPEBOOK_DATABASE")
"""How the variables begin by which a process enters a team's database or bucket."""


def seen_by(page: str, given: Mapping[str, str]) -> dict[str, str]:
    """Give the variables that a page's kernel sees.

    A page about a run reads that run's files, which the server has fetched: it has no business in a team's
    database or bucket, and no way in. A page about the lake needs both.
    """
    if page in WITHOUT:
        return dict(given)
    return {name: value for name, value in given.items() if not name.startswith(_ENTRIES)}


class Live(Page):
    """GET /live/<page>?run=…, or ?name=… for the latest run of a published name."""

    def initialize(self, app: Any, **shared: Any) -> None:  # type: ignore[override]
        """Hold the application, which has the kernels."""
        super().initialize(**shared)
        self.app = app
        self.closed = False

    def on_connection_close(self) -> None:
        """The viewer has left before the page was there."""
        self.closed = True

    async def get(self, page: str) -> None:
        """Send the page: its head at once, its widgets when the kernel has made them."""
        notebook = Path(self.app.root_dir) / f"{page}.ipynb"
        if not notebook.is_file():
            raise HTTPError(404)
        run, item = self._asked(page)
        if len(self.app.kernel_manager) >= MOST:
            raise HTTPError(503)
        starting = asyncio.ensure_future(self._start(page, run))
        self._send_head(page, run, item)
        kernel = None
        try:
            kernel = await starting
            manager = self.app.kernel_manager.get_kernel(kernel)
            async with self.app.turn:
                outputs, failed = await execute(manager, cells(notebook))
        except Exception as error:
            outputs, failed = [], f"{type(error).__name__}: {error}"
        if failed:
            id = note(f"{page} {run or ''}\n{failed}")
            outputs = []
            self.write(
                '<div class="tb-site"><div class="trouble" role="alert">Sorry, this page could not be made. '
                f"Whoever runs this desk finds the reason in the log under <b>{id}</b>.</div></div>"
            )
            if kernel is not None:
                await self.app.end(kernel)
                kernel = None
        if self.closed and kernel is not None:
            await self.app.end(kernel)
            return
        self._send_rest(outputs, kernel)
        if kernel is not None:
            self.app.expect(kernel)

    def _asked(self, page: str) -> tuple[str | None, Item | None]:
        """Which run the page is about. 404 where that is not visible."""
        visible = self.site.visible
        if page in WITHOUT:
            if not (visible.everything or any(item.page == page for item in visible.items())):
                raise HTTPError(404)
            return None, None
        name, run = self.get_query_argument("name", None), self.get_query_argument("run", None)
        if run is not None:
            if not visible.may(run):
                raise self.missing(run)
            return run, None
        if name is not None:
            item = visible.find(name)
            if item is None or not item.runs:
                raise HTTPError(404)
            return item.runs[0], item
        latest = visible.latest(ABOUT.get(page, ""))
        if latest is None:
            raise HTTPError(404)
        return latest, None

    async def _start(self, page: str, run: str | None) -> str:
        said = {"QUERY_STRING": self.request.query, SHOWN: run or "", "TAPEBOOK_PAGE": page}
        manager, seen = self.app.kernel_manager, seen_by(page, os.environ) | said
        kernel: str = await manager.start_kernel(kernel_name=self.app.kernel, env=seen)
        return kernel

    def _send_head(self, page: str, run: str | None, item: Item | None) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Security-Policy", LIVE_POLICY)
        summary = self.site.summaries.of(run) if run else {"title": page.replace("-", " "), "headline": []}
        late = item.publication.late_hours if item else None
        static = f"/{item.name}" if item else f"/run/{quote(run)}" if run else None
        self.write(
            gallery.render(
                "live.html.j2",
                title=str((item.publication.title if item else None) or summary["title"]),
                look=assets.address("style.css"),
                live=assets.address("live.js"),
                plotly=f"/static/{assets.plotly_name()}",
                voila=f"{self.app.voila_static}/voila.js",
                fresh=gallery.freshness(summary, late),
                static=static,
            )
        )
        self.flush()

    def _send_rest(self, outputs: list[dict[str, Any]], kernel: str | None) -> None:
        for output in outputs:
            text = _json({"output_type": "display_data"} | output)
            self.write(
                '<div class="jp-Cell jp-CodeCell"><div class="jp-OutputArea"><script '
                f'type="application/vnd.voila.cell-output+json">{text}</script></div></div>'
            )
        self.write("</div></div>")
        if kernel is not None:
            config = _json(self.app.page_config | {"kernelId": kernel})
            self.write(f'<script id="jupyter-config-data" type="application/json">{config}</script>')
            self.write(f'<script src="{escape(self.app.voila_static)}/voila.js"></script>')
        self.finish("</body></html>")


LIVE_POLICY = report.POLICY.replace("script-src 'self'", "script-src 'self' blob: 'unsafe-eval'")
"""Widgets bring their scripts as blobs; a page of Voila's has no script of its own in it."""


async def execute(manager: Any, code: list[str]) -> tuple[list[dict[str, Any]], str]:
    """Run cells in a kernel; return their outputs and, if one failed, its traceback."""
    client = manager.client()
    client.start_channels()
    outputs: list[dict[str, Any]] = []
    failed: list[str] = []

    def keep(message: Mapping[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind in ("display_data", "execute_result"):
            outputs.append({name: content[name] for name in ("data", "metadata")})
        elif kind == "error":
            failed.append("\n".join(content["traceback"]))

    try:
        await _ready(client)
        for source in code:
            await client.execute_interactive(
                source, store_history=False, allow_stdin=False, timeout=SECONDS, output_hook=keep
            )
            if failed:
                break
    finally:
        client.stop_channels()
    return outputs, "".join(failed)


async def _ready(client: Any) -> None:
    """Wait until the kernel answers and its outputs are heard.

    The client's own waiting ends with a fifth of a second of silence.
    """
    until = asyncio.get_running_loop().time() + SECONDS
    while True:
        asked = client.kernel_info()
        try:
            while True:
                message = await client.get_iopub_msg(timeout=1)
                if message["parent_header"].get("msg_id") == asked and message["msg_type"] == "status":
                    return
        except Empty:
            if asyncio.get_running_loop().time() > until:
                raise TimeoutError("the kernel did not answer") from None


def cells(notebook: Path) -> list[str]:
    """Sources of the code cells."""
    said = json.loads(notebook.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in said["cells"] if cell["cell_type"] == "code"]


def _json(value: Any) -> str:
    return json.dumps(value).replace("<", "\\u003c")
