"""`tapebook new template`: it runs, its own test passes, and it is stored as the others are."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tapebook import Desk
from tapebook.cli import main
from tapebook.errors import BadParameter
from tapebook.runs import template
from tapebook.runs.new import new_template

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(sample_home):
    """A desk with notebooks of its own, of which there is one template."""
    folder = sample_home / "notebooks" / "templates"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "templates" / "backtest.ipynb", folder)
    return sample_home


def call(home, *words):
    return CliRunner().invoke(main, ["--home", str(home), *words])


def test_a_new_template_runs_and_is_listed(home):
    done = call(home, "new", "template", "weekly_risk", "--title", 'Risk, "of the week"')
    assert done.exit_code == 0, done.output
    assert "notebooks/templates/weekly_risk.ipynb" in done.stdout
    listed = json.loads(call(home, "templates", "--json").stdout)
    assert [row["name"] for row in listed] == ["backtest", "weekly_risk"]
    assert listed[1]["description"] == 'Risk, "of the week"'
    with Desk.open(home) as desk:
        run = desk.run("weekly_risk", symbols="AAPL,MSFT", window=20)
    assert run.manifest["title"] == 'Risk, "of the week": AAPL, MSFT'
    assert run.manifest["headline"] == ["volatility AAPL", "volatility MSFT"]
    assert 0.05 < run.metrics["volatility AAPL"]["value"] < 1
    assert "Finding." in run.html.read_text()


@pytest.mark.slow
def test_its_own_test_passes(home):
    call(home, "new", "template", "weekly_risk")
    test = home / "tests" / "templates" / "test_weekly_risk.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", str(test)]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize(
    "name", ["Weekly", "weekly risk", "../x", "", "1st", "x" * 41, "class", "wéekly", "a-b"]
)
def test_a_bad_name_is_refused(home, name):
    with Desk.open(home) as desk, pytest.raises(BadParameter, match="small letters, digits and '_'"):
        new_template(desk.config, name)
    assert template.names(desk.config) == ["backtest"]


def test_a_taken_name_is_refused_and_nothing_is_overwritten(home):
    before = (home / "notebooks" / "templates" / "backtest.ipynb").read_bytes()
    done = call(home, "new", "template", "backtest")
    assert (done.exit_code, "one that is free" in done.stderr) == (1, True)
    assert (home / "notebooks" / "templates" / "backtest.ipynb").read_bytes() == before
    test = home / "tests" / "templates" / "test_mine.py"
    test.parent.mkdir(parents=True)
    test.write_text("# mine")
    done = call(home, "new", "template", "mine")
    assert (done.exit_code, "test_mine.py is there already" in done.stderr) == (1, True)
    assert test.read_text() == "# mine"


def test_a_desk_on_the_packages_notebooks_gets_its_own_first(tmp_path):
    with Desk.open(tmp_path / "desk") as desk:
        shipped = template.names(desk.config)
        assert not desk.config.notebooks.is_relative_to(tmp_path)
        made = new_template(desk.config, "mine")
    assert made.brought
    with Desk.open(tmp_path / "desk") as desk:
        assert template.names(desk.config) == sorted([*shipped, "mine"])
    assert "mine" not in template.names(replace(desk.config, notebooks=ROOT / "notebooks"))


def test_it_is_stored_as_nbstripout_leaves_it(home):
    call(home, "new", "template", "mine")
    path = home / "notebooks" / "templates" / "mine.ipynb"
    before = path.read_text()
    subprocess.run([sys.executable, "-m", "nbstripout", "--keep-id", str(path)], check=True)
    assert path.read_text() == before
