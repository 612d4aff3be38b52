"""Runs: what is on disk after each kind of end, listing, repeating, comparing."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from runs_made import alive, until
from tapebook import runs
from tapebook.errors import BadParameter, RunFailed, UnknownName

PARENT = Path(__file__).parent / "run_parent.py"


def kernel_is_gone(run):
    pid = int((run.folder / "kernel.pid").read_text())
    return until(lambda: not alive(pid), 60)


def outputs(run):
    cells = json.loads(run.notebook.read_text())["cells"]
    return json.dumps([cell.get("outputs") for cell in cells])


def test_a_run_keeps_all_that_came_of_it(toy):
    config, run, seen = toy
    assert run.outcome == "succeeded"
    assert re.fullmatch(r"toy-\d{8}-\d{6}-[0-9a-f]{8}", run.id)
    assert run.folder == config.reports / run.id
    assert run.metrics["end"].keys() == {"value", "unit", "convention"}
    assert run.metrics["undefined"]["value"] is None
    assert "NaN" not in (run.folder / "metrics.json").read_text()
    assert list(run.tables) == ["steps"]
    assert run.tables["steps"]["place"].iloc[-1] == run.metrics["end"]["value"]
    assert run.figures["walk"].data[0].y[-1] == run.metrics["end"]["value"]
    assert "quiet" in outputs(run)
    assert seen[-1][1] == 10
    names = {path.name for path in run.folder.iterdir()}
    assert names == {
        "notebook.ipynb",
        "report.html",
        "metrics.json",
        "summary.json",
        "manifest.json",
        "tables",
        "figures",
        "template.ipynb",
    }


def test_the_manifest_says_what_made_it(toy):
    _, run, _ = toy
    said = run.manifest
    assert said["parameters"]["steps"] == 20
    assert said["parameters"]["symbols"] == "AAPL,MSFT"
    assert said["parameters"]["limit"] is None
    assert said["title"] == "A walk of 20 steps"
    assert said["headline"] == ["end"]
    assert (said["snapshot"], said["seed"], said["error"], said["rerun_of"]) == (None, 0, None, None)
    assert said["packages"]["pandas"] == pd.__version__
    assert said["seconds"] > 0
    assert said["finished"] >= said["started"]


def test_a_rerun_is_equal_to_the_last_bit(toy):
    config, run, _ = toy
    again = runs.rerun(config, run.id)
    assert (again.folder / "metrics.json").read_bytes() == (run.folder / "metrics.json").read_bytes()
    assert again.manifest["rerun_of"] == run.id
    compared = runs.diff(config, run.id, again.id)
    assert list(compared.columns) == ["section", "name", "a", "b", "same"]
    assert compared["same"].all()
    other = runs.run(config, "toy", {"steps": 21, "symbols": "AAPL,MSFT"}, seed=7)
    changed = runs.diff(config, run.id, other.id).query("not same")
    assert set(zip(changed["section"], changed["name"], strict=True)) == {
        ("parameters", "steps"),
        ("data", "seed"),
        ("metrics", "end"),
        ("metrics", "own"),
    }


def test_the_same_run_is_found_only_when_all_is_the_same(toy, monkeypatch):
    config, run, _ = toy
    same = runs.same_run(config, "toy", {"steps": 20, "symbols": "AAPL,MSFT", "loud": "false"})
    assert same is not None
    assert same.manifest["parameters"] == run.manifest["parameters"]
    assert runs.same_run(config, "toy", {"steps": 22}) is None
    monkeypatch.setattr("tapebook.runs.provenance.code_hash", lambda: "other code")
    assert runs.same_run(config, "toy", {"steps": 20, "symbols": "AAPL,MSFT"}) is None


def test_it_is_listed_with_filters(toy):
    config, run, _ = toy
    assert run.id in list(runs.listing(config, symbol="MSFT")["id"])
    assert run.id in list(runs.listing(config, template="toy", outcome="succeeded")["id"])
    assert runs.listing(config, template="other").empty
    assert "title" in runs.listing(config, template="other").columns


def test_a_run_shows_itself(toy):
    _, run, _ = toy
    assert "succeeded" in repr(run)
    shown = run._repr_html_()
    assert run.html.as_uri() in shown
    assert "A walk of 20 steps" in shown


def test_nothing_of_the_environment_is_written(config, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2-hunter2")
    run = runs.run(config, "toy", {"steps": 3})
    for path in run.folder.rglob("*"):
        if path.is_file():
            assert b"hunter2" not in path.read_bytes(), path


def test_wrong_parameters_start_nothing(config):
    with pytest.raises(UnknownName, match="Did you mean 'steps'"):
        runs.run(config, "toy", {"stesp": 1})
    with pytest.raises(BadParameter, match="whole number"):
        runs.run(config, "toy", {"steps": "x"})
    assert not config.reports.exists()
    assert runs.listing(config).empty


def test_an_unknown_run_says_the_near_one(toy):
    config, run, _ = toy
    with pytest.raises(UnknownName, match=f"Did you mean '{run.id}'"):
        runs.load(config, run.id[:-1])
    with pytest.raises(UnknownName, match="no run named"):
        runs.delete(config, "nothing")


@pytest.mark.parametrize(
    ("how", "timeout", "outcome", "name", "message"),
    [
        ("raise", None, "failed", "ValueError", "the <sky> is falling"),
        ("exit", None, "failed", "SystemExit", "3"),
        ("die", None, "killed", "KernelDied", "process died"),
        ("hang", 3.5, "timed_out", "TimeOut", "longer than the 3.5 s"),
    ],
)
def test_a_run_that_fails_says_how(config, catalog, how, timeout, outcome, name, message):
    with pytest.raises(RunFailed) as caught:
        runs.run(config, "trouble", {"how": how}, timeout=timeout)
    assert caught.value.outcome == outcome
    said = str(caught.value)
    assert "template trouble" in said
    assert "cell 5" in said
    assert message in said
    assert "report.html" in said
    assert "notebook.ipynb" in said
    run = runs.load(config, caught.value.run_id)
    assert run.outcome == catalog.runs.get(run.id).outcome == outcome
    assert run.manifest["error"]["cell"] == 5
    assert run.manifest["error"]["name"] == name
    assert message in run.manifest["error"]["message"]
    assert run.manifest["seconds"] < 60
    assert "before the trouble" in outputs(run)
    assert "after the trouble" not in outputs(run)
    assert kernel_is_gone(run)
    page = run.html.read_text()
    assert page.index("This run") < page.index("Trouble of every kind")
    assert "<sky>" not in page


def test_the_whole_run_has_one_timeout(config):
    began = time.monotonic()
    with pytest.raises(RunFailed) as caught:
        runs.run(config, "toy", {}, timeout=0.2)
    assert caught.value.outcome == "timed_out"
    assert time.monotonic() - began < 15


def start_parent(config, how="hang"):
    command = [sys.executable, str(PARENT), str(config.home), str(config.notebooks), how]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert until(lambda: list(config.reports.glob("*/hanging")), 120)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_stopped_from_outside_is_cancelled(config, number):
    process = start_parent(config)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == (128 + number if number == signal.SIGTERM else 7), errors
    (row,) = runs.listing(config).to_dict("records")
    assert row["outcome"] == "cancelled"
    run = runs.load(config, row["id"])
    assert run.manifest["error"]["cell"] == 5
    assert "before the trouble" in outputs(run)
    assert "was cancelled" in run.html.read_text()
    assert kernel_is_gone(run)


def test_a_run_whose_program_was_killed_is_lost(config):
    process = start_parent(config)
    process.kill()
    process.communicate(timeout=120)
    (folder,) = config.reports.glob("trouble-*")
    run = runs.load(config, folder.name)
    assert run.outcome == "lost"
    assert f"process {process.pid}" in run.manifest["error"]["message"]
    assert "was lost" in run.html.read_text()
    assert "before the trouble" in outputs(run)
    assert list(runs.listing(config)["outcome"]) == ["lost"]
    assert kernel_is_gone(run)
    runs.delete(config, run.id)
    assert not folder.exists()
    assert runs.listing(config).empty


def test_a_run_that_is_going_on_is_not_lost(config, catalog):
    process = start_parent(config)
    assert list(runs.listing(config)["outcome"]) == ["running"]
    (folder,) = config.reports.glob("trouble-*")
    assert runs.load(config, folder.name).outcome == "running"
    catalog.runs.update(folder.name, heartbeat=time.time() - 61)
    assert list(runs.listing(config)["outcome"]) == ["lost"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert list(runs.listing(config)["outcome"]) == ["cancelled"]  # it had only been silent


def test_a_full_disk_is_not_called_success(config, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tapebook.runs.execute._papermill", full)
    with pytest.raises(RunFailed, match="No space left on device"):
        runs.run(config, "toy", {})


def test_a_strategy_file_that_changed_makes_another_run(config, tmp_path):
    from tapebook.runs import provenance

    (tmp_path / "mine.py").write_text("x = 1")
    one = provenance.inputs(config, {"strategy": "mine.py:fade", "symbols": "AAPL"})
    (tmp_path / "mine.py").write_text("x = 2")
    two = provenance.inputs(config, {"strategy": "mine.py:fade", "symbols": "AAPL"})
    assert one.keys() == two.keys() == {"strategy"}
    assert one != two


def test_git_says_commit_and_dirt(tmp_path):
    from tapebook.runs import provenance

    assert provenance.git(tmp_path) is None
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "m"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    said = provenance.git(tmp_path)
    assert len(said["commit"]) == 40
    assert said["dirty"] is False
    (tmp_path / "new").touch()
    assert provenance.git(tmp_path)["dirty"] is True


def test_a_team_runs_on_postgresql(config, postgres_url):
    from dataclasses import replace

    team = replace(config, database=postgres_url)
    run = runs.run(team, "toy", {"steps": 5, "scale": 2})
    assert list(runs.listing(team, symbol="AAPL")["id"]) == [run.id]
    assert runs.same_run(team, "toy", {"steps": 5, "scale": 2.0}).id == run.id
    assert runs.listing(config).empty
    runs.delete(team, run.id)
    assert runs.listing(team).empty
    assert not run.folder.exists()


def test_a_folder_outside_is_no_run(config, tmp_path):
    (tmp_path / "manifest.json").write_text('{"run_id": "x", "outcome": "succeeded"}')
    config.reports.mkdir()
    for id in ("..", "../", ".", "", str(tmp_path)):
        with pytest.raises(UnknownName, match="no run named"):
            runs.delete(config, id)
    assert tmp_path.is_dir()
