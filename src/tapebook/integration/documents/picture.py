"""A plotly figure as a PNG, drawn by the Chromium of this machine, without a network."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

WIDTH, HEIGHT, TALLEST = 960, 480, 4000
PATIENCE = 90.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def png(figure: dict[str, Any]) -> bytes | None:
    """Draw a figure {data, layout}; None where no browser is, or it fails.

    The page is a file that reads plotly.js from the installed package: nothing is fetched. Its own profile
    folder keeps it from a browser that is open.
    """
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        return None
    height = min(int(figure.get("layout", {}).get("height") or HEIGHT), TALLEST)
    with TemporaryDirectory(prefix="tapebook-figure-") as folder:
        page, image = Path(folder) / "figure.html", Path(folder) / "figure.png"
        page.write_text(_page(figure, height), encoding="utf-8")
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--mute-audio",
            "--no-first-run", f"--user-data-dir={folder}/profile", f"--screenshot={image}",
            f"--window-size={WIDTH},{height}", "--virtual-time-budget=8000", page.as_uri(),
        ]  # fmt: skip
        try:
            subprocess.run(command, capture_output=True, timeout=PATIENCE, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return image.read_bytes() if image.is_file() else None


def _page(figure: dict[str, Any], height: int) -> str:
    import plotly

    script = (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").as_uri()
    layout = dict(figure.get("layout", {})) | {"width": WIDTH, "height": height, "autosize": False}
    data = json.dumps({"data": figure["data"], "layout": layout}).replace("<", "\\u003c")
    return (
        '<!doctype html><meta charset="utf-8"><body style="margin:0;background:#fff"><div id="f"></div>'
        f'<script src="{script}"></script>'
        f'<script>var f={data};Plotly.newPlot("f",f.data,f.layout,{{staticPlot:true}})</script>'
    )
