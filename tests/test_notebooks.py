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


PLAIN = "tour/01_load"
"""It runs in the kernel that every Jupyter has; the others in warm ones, which are told to be the same."""
NBVAL = """
import sys, tempfile
from functools import partial

sys.modules["rfc3987_syntax"] = None  # a grammar of addresses that no notebook needs: a second of imports
import pytest
from nbval import kernel

with tempfile.TemporaryDirectory(prefix="tb-") as here:  # a port that is free may be taken a moment later
    kernel.KernelManager = partial(kernel.KernelManager, transport="ipc", ip=here + "/k")
    code = pytest.main(sys.argv[1:])
sys.exit(code)
"""
OPTIONS = "-q -c /dev/null -p nbval.plugin -p no:cacheprovider --nbval-lax --nbval-cell-timeout=120"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_it_runs(notebook, sample_home, request):
    options = OPTIONS.split()
    environment = os.environ | {"TAPEBOOK_HOME": str(sample_home), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    if f"{notebook.parent.name}/{notebook.stem}" != PLAIN:
        options += ["--nbval-kernel-name", "tapebook"]
        environment |= request.getfixturevalue("warm_kernels").environment
    done = subprocess.run(
        [sys.executable, "-c", NBVAL, *options, str(notebook)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "starts cold" not in done.stdout + done.stderr
