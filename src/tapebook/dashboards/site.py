"""What the server answers without a kernel: the gallery, published pages, their history and downloads."""

from __future__ import annotations

import asyncio
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tornado.web import HTTPError, RequestHandler

from tapebook.dashboards import assets, downloads, gallery, report, schedules
from tapebook.dashboards.apology import note
from tapebook.dashboards.body import Body, Shelf, inside
from tapebook.dashboards.gallery import Summaries
from tapebook.dashboards.schedules import Board
from tapebook.dashboards.visible import Item, Visible
from tapebook.errors import TapebookError
from tapebook.runs.page import STATIC
from tapebook.runs.record import PAGE

FOREVER = "public, max-age=31536000, immutable"
ASK = "no-cache"
"""Keep it, and ask whether it still holds: a published name shows another run tomorrow."""
_PLOTLY = re.compile(r"plotly-[\w.]+\.min\.js")


@dataclass
class Site:
    """What the handlers share. `hosts`: names by which this server may be asked; empty for any."""

    visible: Visible
    hosts: frozenset[str] = frozenset()
    shelf: Shelf = field(default_factory=Shelf)
    printing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.summaries = Summaries(self.reports)
        self.board = Board(self.visible)

    @property
    def reports(self) -> Path:
        """The folder of runs."""
        return self.visible.config.reports


class Page(RequestHandler):
    """A handler with our headers and our words for what goes wrong."""

    def initialize(self, site: Site) -> None:
        """Hold what the handlers share."""
        self.site = site

    def set_default_headers(self) -> None:
        """Say what a page may load and who may frame it."""
        self.set_header("Content-Security-Policy", report.POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Server", "tapebook")

    def prepare(self) -> None:
        """Refuse a name that is not ours: another site's page must not read us through the browser."""
        host = self.request.host_name.lower()
        if self.site.hosts and host not in self.site.hosts:
            raise HTTPError(403, reason="Unknown host")

    def send(self, body: Body, *, cache: str = ASK) -> None:
        """Send a body, compressed if the browser takes that; nothing if it has it already."""
        self.set_header("Cache-Control", cache)
        self.set_header("Vary", "Accept-Encoding")
        self.set_header("Etag", body.etag)
        if body.etag in self.request.headers.get("If-None-Match", ""):
            self.set_status(304)
            self.finish()
            return
        self.set_header("Content-Type", body.kind)
        packed = body.packed if "gzip" in self.request.headers.get("Accept-Encoding", "") else None
        if packed is not None:
            self.set_header("Content-Encoding", "gzip")
        self.finish(body.raw if packed is None else packed)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say in a sentence what is wrong; of an error of ours, only the id under which the log has it."""
        info = kwargs.get("exc_info")
        if status_code == 404:
            title, said = "Not found", "There is nothing here, or it is not published."
        elif status_code == 410 and info:
            title, said = "Deleted", escape(str(info[1].log_message))
        elif status_code < 500:
            title, said = "Not possible", f"This server does not do that ({status_code})."
        elif status_code == 503:
            title, said = "Many viewers", "Too many interactive pages are open. Please try again in a minute."
        else:
            id = note("".join(traceback.format_exception(*info)) if info else f"status {status_code}")
            title = "Sorry"
            said = f"This did not work. Whoever runs this desk finds the reason in the log under <b>{id}</b>."
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(gallery.render("plain.html.j2", title=title, body=f"<p>{said}</p>"))

    def missing(self, run: str | None, item: Item | None = None) -> HTTPError:
        """Return the error of a run that there is not: it was deleted, or nothing is said of it."""
        when = self.site.visible.deleted(run, item) if run else None
        if when is None:
            return HTTPError(404)
        return HTTPError(410, f"This report was deleted on {when}.", reason="Deleted")

    def compute_etag(self) -> None:
        """Bodies have their own."""

    def log_exception(self, *_: Any) -> None:
        """It is in the log already, with its id."""

    def head(self, *args: str) -> Any:
        """Answer as to GET; tornado sends no body."""
        return self.get(*args)


class Gallery(Page):
    """GET /"""

    def get(self) -> None:
        """Show every published name; ?q= keeps those with all of the words."""
        asked = self.get_query_argument("q", "")[:200]
        shown = gallery.page(self.site.visible, self.site.summaries, asked, self.site.board)
        self.send(Body(shown.encode()))


class Schedules(Page):
    """GET /schedules"""

    def get(self) -> None:
        """Show how the schedules stand."""
        if not self.site.visible.everything and not self.site.board.shown():
            raise HTTPError(404)
        body = schedules.page(self.site.board)
        self.send(Body(gallery.render("plain.html.j2", title="Schedules", body=body).encode()))


class Static(Page):
    """GET /static/…: addresses that change with what is in them, so a browser never asks twice."""

    def get(self, path: str) -> None:
        """Send a shared file."""
        body = assets.asked(path)
        if body is None and _PLOTLY.fullmatch(path):  # of a report made with an earlier plotly
            file = inside(self.site.reports / STATIC, path)
            if file is not None:
                kind = "text/javascript; charset=utf-8"
                body = self.site.shelf.get(file, lambda: Body(file.read_bytes(), kind))
        if body is None:
            raise HTTPError(404)
        self.send(body, cache=FOREVER)


class Report(Page):
    """GET /<name>, /<name>/at/<run>, /run/<run>, and what can be downloaded of each."""

    async def get(self, name: str, at: str | None = None, rest: str | None = None) -> None:
        """Show the latest run of a name, one that it showed, or a run by its id."""
        at = at or None
        item = None if name == "run" else self.site.visible.find(name)
        if item is not None and item.page:
            self.redirect(f"/live/{item.page}")
            return
        run = self._run(name, item, at)
        base = (
            f"/{name}"
            if at is None
            else f"/run/{quote(run)}"
            if name == "run"
            else f"/{name}/at/{quote(run)}"
        )
        if rest:
            await self._download(run, rest)
        else:
            self._show(item, run, base, at)

    def _run(self, name: str, item: Item | None, at: str | None) -> str:
        if name == "run":
            if at is None or not self.site.visible.may(at):
                raise self.missing(at)
            return at
        if item is None or not item.runs or (at is not None and at not in item.runs):
            raise self.missing(at, item)
        return at or item.runs[0]

    def _show(self, item: Item | None, run: str, base: str, at: str | None) -> None:
        folder = self.site.reports / run
        summary = self.site.summaries.of(run)
        tables = sorted(p.stem for p in (folder / "tables").glob("*.parquet") if not p.name.startswith("."))
        said: dict[str, Any] = {"pdf": downloads.chromium()}
        if item is not None:
            late = item.publication.late_hours if at is None else None
            said |= {"name": item.name, "runs": item.runs, "late": late, "at": at}
        bar = report.bar(summary, base, tables, **said)
        page = inside(folder, PAGE)
        if page is None:
            raise HTTPError(404)
        state = page.stat()
        key = (run, state.st_mtime_ns, state.st_size, bar)
        body = self.site.shelf.get(key, lambda: Body(report.served(folder, bar).encode()))
        policies = self.site.shelf.get(
            (*key, "policy"), lambda: Body(report.policy(body.raw.decode()).encode())
        )
        self.set_header("Content-Security-Policy", policies.raw.decode())
        self.send(body)

    async def _download(self, run: str, rest: str) -> None:
        folder = self.site.reports / run
        if rest == "report.html":
            made = await self._made((run, rest), lambda: downloads.one_file(folder).encode())
            self._attach(made, f"{run}.html", "text/html; charset=utf-8")
        elif rest == "report.pdf":
            async with self.site.printing:  # one browser at a time
                try:
                    made = await self._made((run, rest), lambda: downloads.pdf(folder))
                except TapebookError as error:
                    self.set_status(501)
                    self.finish(
                        gallery.render("plain.html.j2", title="No PDF", body=f"<p>{escape(str(error))}</p>")
                    )
                    return
            self._attach(made, f"{run}.pdf", "application/pdf")
        else:
            await self._table(run, rest.removeprefix("tables/"))

    async def _table(self, run: str, name: str) -> None:
        stem, _, ending = name.rpartition(".")
        file = inside(self.site.reports / run / "tables", f"{stem}.parquet")
        if file is None or "/" in stem or ending not in ("csv", "parquet"):
            raise HTTPError(404)
        if ending == "parquet":
            self._attach(file.read_bytes(), f"{run} {name}", "application/vnd.apache.parquet")
        else:
            made = await self._made((run, name), lambda: downloads.csv(file))
            self._attach(made, f"{run} {name}", "text/csv; charset=utf-8")

    async def _made(self, key: tuple[str, ...], make: Callable[[], bytes]) -> bytes:
        """Make it in a thread, so that others are answered meanwhile; once for each state of the run."""
        state = (self.site.reports / key[0] / "manifest.json").stat().st_mtime_ns
        made = self.site.shelf.find((*key, state))
        if made is None:
            raw = await asyncio.get_running_loop().run_in_executor(None, make)
            made = self.site.shelf.get((*key, state), lambda: Body(raw, "application/pdf"))
        if not made.raw:
            raise HTTPError(404)
        return made.raw

    def _attach(self, raw: bytes, name: str, kind: str) -> None:
        self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(name)}")
        self.send(Body(raw, kind))


class History(Page):
    """GET /<name>/history"""

    def get(self, name: str) -> None:
        """List the runs that a name shows and showed."""
        item = self.site.visible.find(name)
        if item is None or item.page:
            raise HTTPError(404)
        rows = []
        for number, run in enumerate(item.runs):
            said = self.site.summaries.of(run)
            to = f"/{name}" if number == 0 else f"/{name}/at/{quote(run)}"
            numbers = " · ".join(f"{escape(str(k))} <b>{escape(str(v))}</b>" for k, v in said["headline"][:3])
            shown = gallery.freshness(said)
            rows.append(f'<li><a href="{to}">{escape(str(said["title"]))}</a>, {shown}<br>{numbers}</li>')
        title = f"/{name}: what it shows and showed"
        body = f"<ol>{''.join(rows)}</ol>"
        self.send(Body(gallery.render("plain.html.j2", title=title, body=body).encode()))


class Nothing(Page):
    """Any other address."""

    def prepare(self) -> None:
        """Refuse it."""
        super().prepare()
        raise HTTPError(404)
