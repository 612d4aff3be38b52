"""What JupyterLab gets of us: templates in the Launcher, and the pages of runs behind its own sign-in.

The front end is `labextension/static/remoteEntry.js`, plain JavaScript without a build step; installing the
package puts it, and the settings in `config/`, where every JupyterLab of this Python finds them.
"""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "tapebook.lab"}]


def _load_jupyter_server_extension(server: Any) -> None:
    from tapebook.lab.server import load

    load(server)
