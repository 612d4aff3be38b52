"""Every notebook that we ship runs from top to bottom, on a desk with the sample loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ELSEWHERE = {"trends", "correlations", "patterns", "moves"}
"""Templates that tests/runs/test_market_templates.py runs as reports, on less data."""
NOTEBOOKS = sorted(
    p
    for p in (ROOT / "notebooks").rglob("*.ipynb")
    if p.parent.name not in (".ipynb_checkpoints", "my")
    and not (p.parent.name == "templates" and p.stem in ELSEWHERE)
)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_it_runs(notebook, sample_home):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval-lax",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
    ]
    environment = os.environ | {"TAPEBOOK_HOME": str(sample_home)}
    done = subprocess.run(
        [*command, "-o", "addopts=", "--nbval-cell-timeout=120", str(notebook)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:]
