"""Downloads of a run: one HTML file, a PDF, tables as CSV and Parquet."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tapebook.dashboards.body import inside
from tapebook.errors import TapebookError
from tapebook.runs.page import STATIC
from tapebook.runs.record import PAGE

SECONDS = 60
"""How long a PDF may take."""
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@cache
def chromium() -> str | None:
    """Path of a Chromium on this machine; without one a PDF comes from the viewer's own browser."""
    return next((found for name in _BROWSERS if (found := shutil.which(name))), None)


def one_file(folder: Path) -> str:
    """Return a run's page with plotly's script in it, so that it opens anywhere. "" if there is no page."""
    page = inside(folder, PAGE)
    if page is None:
        return ""
    text = page.read_text(encoding="utf-8")
    start, _, rest = text.partition(f'<script src="../{STATIC}/')
    name, found, rest = rest.partition('"></script>')
    script = inside(folder.parent / STATIC, name) if found else None
    if script is None:
        return text
    return f"{start}<script>{script.read_text(encoding='utf-8')}</script>{rest}"


def pdf(folder: Path) -> bytes:
    """Print a run's page with Chromium.

    Raises
    ------
    TapebookError
        If there is no Chromium, or it does not print.
    """
    browser = chromium()
    if browser is None:
        raise TapebookError("no Chromium on this machine: print the page to a file with your own browser")
    with tempfile.TemporaryDirectory(prefix="tapebook-pdf-") as place:
        target = Path(place) / "report.pdf"
        command = [
            browser, "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            f"--user-data-dir={place}/profile", "--window-size=700,1000", "--virtual-time-budget=15000",
            "--run-all-compositor-stages-before-draw", "--no-pdf-header-footer", f"--print-to-pdf={target}",
            *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
            (folder / PAGE).as_uri(),
        ]  # fmt: skip
        try:
            subprocess.run(command, capture_output=True, timeout=SECONDS, check=True, cwd=place)
            return target.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            raise TapebookError(
                "the page could not be printed: use your own browser's print dialog"
            ) from error


def csv(table: Path) -> bytes:
    """Write a recorded table as CSV, what a row is about first.

    Cells that a spreadsheet would run as a formula are kept as text.
    """
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    from tapebook.dashboards.tables import ordered

    rows = pq.ParquetFile(table).read(use_threads=False)
    columns = {}
    for name in ordered(rows.schema):
        column = rows.column(name)
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
            column = pa.chunked_array(
                [pa.array([None if v is None else str(v) for v in column.to_pylist()], pa.string())]
            )
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = pa.array([_harmless(value) for value in column.to_pylist()], pa.string())
        columns[name] = column
    out = io.BytesIO()
    pyarrow.csv.write_csv(pa.table(columns), out)
    return out.getvalue()


def _harmless(value: str | None) -> str | None:
    return f"'{value}" if value and value[0] in "=+@\t\r" else value
