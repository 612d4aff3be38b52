"""The dashboards' server: Voila standalone, with its kernels and frontend, and handlers of our own in front.

`python -m tapebook.dashboards` is it; `tapebook dashboards` starts it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_server.base.handlers import FileFindHandler
from tornado.web import HTTPError
from voila import __version__ as voila_version
from voila.app import Voila
from voila.static_file_handler import MultiStaticFileHandler
from voila.utils import get_page_config

from tapebook.config import Config
from tapebook.dashboards import assets
from tapebook.dashboards.apology import LOG
from tapebook.dashboards.channel import Channels, WidgetTraffic
from tapebook.dashboards.follow import Follower
from tapebook.dashboards.live import Live
from tapebook.dashboards.site import FOREVER, Gallery, History, Nothing, Page, Report, Schedules, Site, Static
from tapebook.dashboards.visible import Visible
from tapebook.runs.warm import NAME, serving
from tapebook.runs.warm.spec import argv

GONE = 20
"""Seconds after which a kernel without a page is ended: a reload is back before."""
UNSEEN = 50
"""Seconds that a page may take until its browser speaks to its kernel."""
_ID = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_NAME, _RUN = r"([a-z0-9][a-z0-9-]*)", r"([\w.-]+)"
_REST = r"(?:/(report\.html|report\.pdf|tables/[^/]+))?"
_EXTENSIONS = ("anywidget", "@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8")


class Dashboards(Voila):  # type: ignore[misc]
    """Voila with nothing of it but kernels, their lines, and the frontend's files."""

    kernel = NAME
    site: Site

    def init_settings(self) -> dict[str, Any]:
        """Let no message but those of widgets pass."""
        self.voila_configuration.kernel_spec_manager_class = OneKernel
        settings: dict[str, Any] = super().init_settings()
        settings["kernel_websocket_connection_class"] = WidgetTraffic
        settings["websocket_ping_interval"], settings["websocket_ping_timeout"] = 10, 10
        settings["allow_remote_access"] = not self.site.hosts
        settings["local_hostnames"] = sorted(self.site.hosts)
        self._watched: set[asyncio.Task[None]] = set()
        self.turn = asyncio.Semaphore(2 * (os.cpu_count() or 1))
        return settings

    def init_handlers(self) -> list[Any]:
        """Return every address that there is."""
        shared = {"site": self.site}
        self.voila_static = f"/voila/{voila_version}/static"
        self.page_config = self._page_config()
        static = {"paths": self.static_paths, "default_filename": "index.html"}
        labs = {"path": self.labextensions_path, "no_cache_paths": []}
        return [
            ("/", Gallery, shared),
            ("/schedules", Schedules, shared),
            ("/static/(.+)", Static, shared),
            ("/live/([a-z-]+)", Live, shared | {"app": self}),
            (f"/api/kernels/{_ID}", Kernel, shared | {"app": self}),
            (f"/api/kernels/{_ID}/channels", Line, {"app": self}),
            (f"/voila/api/shutdown/{_ID}", Shutdown, shared | {"app": self}),
            (f"/voila/{voila_version}/static/(.*)", Frontend, static),
            (f"/voila/{voila_version}/labextensions/(.*)", Extension, labs),
            (f"/(run)/{_RUN}{_REST}", Report, shared),
            (f"/{_NAME}/history", History, shared),
            (f"/{_NAME}/at/{_RUN}{_REST}", Report, shared),
            (f"/{_NAME}()?{_REST}", Report, shared),
            ("/.*", Nothing, shared),
        ]

    def _page_config(self) -> dict[str, Any]:
        """What Voila's frontend is told: the few extensions that widgets need, no outside address."""
        config: dict[str, Any] = get_page_config(
            base_url="/", settings={}, log=self.log, voila_configuration=self.voila_configuration
        )
        config["federated_extensions"] = [
            e for e in config["federated_extensions"] if e["name"] in _EXTENSIONS
        ]
        config["fullStaticUrl"] = self.voila_static
        config["fullLabextensionsUrl"] = f"/voila/{voila_version}/labextensions"
        config["fullMathjaxUrl"], config["mathjaxConfig"] = assets.address("site.js"), "none"
        return config

    # ---- kernels end with their pages

    def expect(self, kernel: str) -> None:
        """End a kernel whose page never comes."""
        self._later(UNSEEN, kernel)

    def left(self, kernel: str) -> None:
        """End a kernel whose page has gone, unless it comes back."""
        self._later(GONE, kernel)

    async def end(self, kernel: str) -> None:
        """End a kernel now."""
        if kernel in self.kernel_manager:
            with suppress(Exception):  # it may be ending already
                await self.kernel_manager.shutdown_kernel(kernel, now=True)

    def _later(self, seconds: float, kernel: str) -> None:
        async def look() -> None:
            await asyncio.sleep(seconds)
            if not self.kernel_manager._kernel_connections.get(kernel):
                await self.end(kernel)

        task = asyncio.ensure_future(look())
        self._watched.add(task)
        task.add_done_callback(self._watched.discard)


class OneKernel(KernelSpecManager):
    """The only kernel here: this very Python, warm if a fork server answers, else cold."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:  # noqa: ARG002
        """Return it, whatever kernels are installed elsewhere."""
        return KernelSpec(argv=argv(), display_name="tapebook", language="python")


class Kernel(Page):
    """GET /api/kernels/<id>: the frontend asks whether its kernel is there. Nothing else is answered."""

    def initialize(self, app: Dashboards, **shared: Any) -> None:  # type: ignore[override]
        """Hold the application, which has the kernels."""
        super().initialize(**shared)
        self.app = app

    def get(self, kernel: str) -> None:
        """Say that it is there."""
        if kernel not in self.app.kernel_manager:
            raise HTTPError(404)
        self.set_header("Cache-Control", "no-store")
        said = {"id": kernel, "name": NAME, "execution_state": "idle", "connections": 1}
        self.finish(said | {"last_activity": "1970-01-01T00:00:00.000000Z"})


class Shutdown(Kernel):
    """POST /voila/api/shutdown/<id>: a page that closes ends its own kernel; nobody else knows the id."""

    SUPPORTED_METHODS = ("POST",)

    def check_xsrf_cookie(self) -> None:
        """The id is the proof: a closing page sends no more."""

    async def post(self, kernel: str) -> None:
        """End it."""
        await self.app.end(kernel)
        self.set_status(204)
        self.finish()


class Line(Channels):
    """The line to a kernel, which ends when nobody holds it."""

    def initialize(self, app: Dashboards) -> None:
        """Hold the application, which has the kernels."""
        super().initialize()
        self.app = app

    def on_close(self) -> None:
        """Let the kernel end, unless its page comes back."""
        super().on_close()  # type: ignore[no-untyped-call]
        self.app.left(self.kernel_id)


class Frontend(MultiStaticFileHandler):  # type: ignore[misc]
    """A file of Voila's frontend; its address has Voila's version."""

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002
        """A browser never asks twice."""
        self.set_header("Cache-Control", FOREVER)


class Extension(FileFindHandler):
    """A file of a widget extension."""

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002
        """A browser never asks twice: their names have marks of what is in them."""
        self.set_header("Cache-Control", FOREVER)


def options(root: Path, port: int, host: str) -> list[str]:
    """Return the command line that Voila is given."""
    said = {
        "port": port,
        "Voila.ip": host,
        "Voila.port_retries": 0,
        "VoilaConfiguration.template": "lab",
        "VoilaConfiguration.file_allowlist": "^$",  # nothing in the root is served as a file
        "MappingKernelManager.buffer_offline_messages": False,
        "KernelManager.transport": "ipc",  # nobody else on this machine can speak to the kernels
        "Voila.log_level": "ERROR",
    }
    return [str(root), "--no-browser", *(f"--{k}={v}" for k, v in said.items())]


def main(arguments: list[str]) -> None:
    """Serve until the process is ended."""
    said = json.loads(arguments[0])
    config = Config.load()
    os.environ.setdefault(LOG, str(config.home / "data" / "dashboards.log"))
    logging.getLogger("asyncio").addFilter(lambda record: "WebSocketClosedError" not in record.getMessage())
    hosts = frozenset(said["hosts"])
    visible = Visible(config, groups=tuple(said["groups"]), everything=said["everything"])
    with serving(config) as kernels:
        os.environ.update(kernels.environment)
        Dashboards.site = Site(visible, hosts)
        Dashboards.site.board.refresh()
        Follower(config, everything=said["everything"]).start()
        assets.plotly(assets.plotly_name()).packed  # type: ignore[union-attr]  # noqa: B018 (compressed now, not when asked)
        Dashboards.launch_instance(argv=options(Path(said["root"]), said["port"], said["host"]))
