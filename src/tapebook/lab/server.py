"""The server's side: list the templates, copy one into the analyst's folder, show the page of a run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.base.handlers import APIHandler, AuthenticatedFileHandler
from jupyter_server.utils import url_path_join
from tornado import web

from tapebook.config import FILE, Config
from tapebook.errors import TapebookError, UnknownName
from tapebook.runs import template

ADDRESS = "TAPEBOOK_LAB"
"""Tells the kernels that this server starts where our part of it answers."""
OURS = ("templates", "dashboards", "tour")
"""Folders of notebooks that are not the analyst's: a copy there would be one more template or lesson."""
MINE = "my"


def load(server: Any) -> None:
    """Add our addresses to a Jupyter server."""
    app, root = server.web_app, Path(server.root_dir)
    config = Config.load(_home(root))
    base = url_path_join(app.settings["base_url"], "tapebook")
    os.environ[ADDRESS] = base + "/"
    app.add_handlers(
        ".*$",
        [
            (base + "/templates", Templates, {"config": config}),
            (base + r"/templates/([\w.-]+)", Copy, {"config": config, "root": root}),
            (
                base + r"/reports/(_static/plotly-[\w.-]+\.js)",
                web.StaticFileHandler,
                {"path": str(config.reports)},
            ),
            (base + r"/reports/(.*)", Page, {"path": str(config.reports)}),
        ],
    )


class Templates(APIHandler):
    """GET: the templates, each with name, title and parameters, or with what is wrong with it."""

    def initialize(self, config: Config) -> None:
        """Remember the desk."""
        self.desk = config

    @web.authenticated
    def get(self) -> None:
        """Answer with all that can be read."""
        self.finish(json.dumps([_told(self.desk, name) for name in template.names(self.desk)]))


class Copy(APIHandler):
    """POST {"folder": "…"}: put a copy of the template there, or into `my/`, and say its path."""

    def initialize(self, config: Config, root: Path) -> None:
        """Remember the desk and the folder that the server shows."""
        self.desk, self.root = config, root

    @web.authenticated
    async def post(self, name: str) -> None:
        """Copy without outputs, under a name that is free."""
        try:
            found = template.find(self.desk, name)
            content = found.notebook
        except TapebookError as error:
            raise web.HTTPError(
                404 if isinstance(error, UnknownName) else 400, reason=_line(error)
            ) from error
        said = self.get_json_body() or {}
        folder = _folder(self.root, self.desk.notebooks, str(said.get("folder") or "").strip("/"))
        contents: Any = self.contents_manager
        if folder and not await ensure_async(contents.dir_exists(folder)):
            await ensure_async(contents.save({"type": "directory"}, folder))
        path = await ensure_async(contents.increment_filename(f"{found.name}.ipynb", folder, insert="-"))
        path = url_path_join(folder, path).lstrip("/")
        await ensure_async(contents.save({"type": "notebook", "format": "json", "content": content}, path))
        self.set_status(201)
        self.finish(json.dumps({"path": path}))


class Page(AuthenticatedFileHandler):
    """A file of a run; a page of it runs apart from Lab, and cannot speak to it."""

    def set_extra_headers(self, _path: str) -> None:
        """Keep what a page holds in a box of its own."""
        self.set_header("Content-Security-Policy", "sandbox allow-scripts allow-popups allow-downloads")


def _home(root: Path) -> Path | None:
    """The desk that the server's folder belongs to; None lets the environment or this folder say it."""
    here = Path.cwd()
    if os.environ.get("TAPEBOOK_HOME") or any((f / FILE).is_file() for f in (here, *here.parents)):
        return None
    return next((folder for folder in (root, *root.parents) if (folder / FILE).is_file()), None)


def _told(config: Config, name: str) -> dict[str, Any]:
    try:
        found = template.find(config, name)
        return {"name": name, "title": found.description, "parameters": list(found.parameters)}
    except TapebookError as error:
        return {"name": name, "title": str(error), "broken": True}


def _folder(root: Path, notebooks: Path, asked: str) -> str:
    """Where a copy goes, as the server names folders: where the analyst is, if that is not ours."""
    here = (root / asked).resolve()
    ours = [notebooks / name for name in OURS]
    if here != notebooks and not any(here == one or one in here.parents for one in ours):
        return asked
    mine = notebooks / MINE
    return mine.relative_to(root).as_posix() if mine.is_relative_to(root) else MINE


def _line(error: Exception) -> str:
    """One line, as an HTTP reason must be."""
    return " ".join(str(error).split())[:300]
