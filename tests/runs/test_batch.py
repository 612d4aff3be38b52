"""Batches: grids, limits, what is tried again, cancelling, going on after a crash."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

from runs_made import until
from tapebook import runs
from tapebook.data.catalog.runs import Runs
from tapebook.errors import BadParameter, RunFailed, TapebookError, UnknownName
from tapebook.runs import batch, batch_work, execute
from tapebook.runs.template import find
from tapebook.runs.warm.forked import Forked
from tapebook.runs.watch import size

PARENT = Path(__file__).parent / "batch_parent.py"
ONE = {"jobs": 1, "backoff": 0.1}


def test_a_grid_is_every_combination_in_order(config):
    toy = find(config, "toy")
    made = batch.grid(toy, {"steps": "3, 5", "symbols": ["AAPL", "AAPL,MSFT"]}, {"loud": True})
    assert [(c["steps"], c["symbols"], c["loud"]) for c in made] == [
        ("3", "AAPL", True),
        ("3", "AAPL,MSFT", True),
        ("5", "AAPL", True),
        ("5", "AAPL,MSFT", True),
    ]
    lists = batch.grid(toy, {"labels": '[["a", "b"], []]'})
    assert [toy.check(case)["labels"] for case in lists] == [["a", "b"], []]
    assert [toy.check(c)["labels"] for c in batch.grid(toy, {"labels": "a,b;c"})] == [["a", "b"], ["c"]]
    assert [toy.check(c)["labels"] for c in batch.grid(toy, {"labels": "a,b"})] == [["a"], ["b"]]
    with pytest.raises(BadParameter, match="both"):
        batch.grid(toy, {"steps": "1,2"}, {"steps": 3})
    with pytest.raises(BadParameter, match="at least one value"):
        batch.grid(toy, {"steps": []})
    with pytest.raises(BadParameter, match="JSON list"):
        batch.split("[1,")


def test_a_wrong_parameter_starts_nothing(config):
    with pytest.raises(BadParameter, match="whole number") as caught:
        runs.run_many(config, "toy", [{"steps": 3}, {"steps": "x"}])
    assert "case 2" in caught.value.__notes__[0]
    with pytest.raises(UnknownName, match="Did you mean 'steps'"):
        runs.run_many(config, "toy", [{"stesp": 3}])
    for wrong in (
        {"jobs": -1},
        {"jobs": 0},
        {"retries": -1},
        {"timeout": 0},
        {"memory": "lots"},
        {"backoff": -1},
    ):
        with pytest.raises(BadParameter, match=next(iter(wrong))):
            runs.run_many(config, "toy", [{"steps": 3}], **wrong)
    with pytest.raises(BadParameter, match="at least one set"):
        runs.run_many(config, "toy", [])
    assert not config.reports.exists()
    assert batch.listing(config).empty


def test_what_fails_fails_alone_and_is_not_tried_again(config, kernels):
    seen = []
    cases = [{"how": "raise"}, {"how": "none"}, {"how": "limit"}]
    done = runs.run_many(
        config, "trouble", cases, kernels=kernels, progress=lambda *said: seen.append(said), **ONE
    )
    frame = done.frame()
    assert list(frame["outcome"]) == ["failed", "succeeded", "out_of_memory"]
    assert list(frame["tries"]) == [1, 1, 1]
    assert list(frame["how"]) == ["raise", "none", "limit"]
    assert frame["error"][0] == "ValueError: the <sky> is falling"
    assert "seconds" in frame
    assert seen[0][:2] == (0, 3)
    assert seen[-1] == (3, 3, "0 running, 2 did not succeed")
    assert repr(done) == f"Batch({done.id}: 1 failed, 1 succeeded, 1 out of memory)"
    assert "&lt;sky" in done._repr_html_()
    run = runs.load(config, done.run_ids[0])
    assert run.manifest["batch"] == done.id
    row = batch.listing(config).iloc[0]
    assert (row["id"], row["outcome"], row["runs"], row["succeeded"]) == (done.id, "done", 3, 1)
    assert batch.load_batch(config, done.id).items == done.items
    with pytest.raises(TapebookError, match="is over: done"):
        batch.cancel(config, done.id)


def test_what_may_pass_is_tried_again(config, kernels):
    done = runs.run_many(
        config, "trouble", [{"how": "flaky", "seconds": 3}], kernels=kernels, retries=2, **ONE
    )
    assert (done.items[0]["outcome"], done.items[0]["tries"]) == ("succeeded", 3)
    (config.home / "tried").unlink()
    done = runs.run_many(
        config, "trouble", [{"how": "flaky", "seconds": 9}], kernels=kernels, retries=1, **ONE
    )
    assert (done.items[0]["outcome"], done.items[0]["tries"]) == ("failed", 2)
    assert done.items[0]["error"] == "ConnectionResetError: the other side hung up"


def test_a_kernel_that_dies_before_its_first_cell_is_tried_again_and_that_is_said(
    config, kernels, monkeypatch, caplog
):
    born, begin = [], Forked.__init__

    def dying(self, *args, **kwargs):
        begin(self, *args, **kwargs)
        born.append(self)
        if len(born) == 1:
            assert until(lambda: self.poll() is None and self.pid)
            os.kill(self.pid, signal.SIGKILL)

    monkeypatch.setattr(Forked, "__init__", dying)
    done = runs.run_many(config, "trouble", [{"how": "none"}], kernels=kernels, **ONE)
    assert (done.items[0]["outcome"], done.items[0]["tries"]) == ("succeeded", 2)
    assert repr(done) == f"Batch({done.id}: 1 succeeded; 1 tried again)"
    assert "is tried again in 0.1 s: KernelDied: the notebook's process died before its first" in caplog.text
    (first,) = {path.name for path in config.reports.glob("trouble-*")} - set(done.run_ids)
    assert runs.load(config, first).outcome == "killed"


def test_a_kernel_that_answers_nobody_is_given_up(config, kernels, monkeypatch):
    monkeypatch.setattr(execute, "QUIET_SECONDS", 1)
    begin = Forked.__init__

    def stopped(self, *args, **kwargs):
        begin(self, *args, **kwargs)
        assert until(lambda: self.poll() is None and self.pid)
        os.kill(self.pid, signal.SIGSTOP)

    monkeypatch.setattr(Forked, "__init__", stopped)
    with pytest.raises(RunFailed, match="did not answer within 1 s of its start"):
        runs.run(config, "trouble", {"how": "none"}, kernels=kernels)


def test_what_is_busy_may_pass_whoever_says_so():
    def ended(name, message, outcome="failed"):
        return SimpleNamespace(
            outcome=outcome, manifest={"error": {"cell": 3, "name": name, "message": message}}
        )

    assert batch_work.may_pass(ended("ConfigError", "the catalogue cannot be used: database is locked."))
    assert batch_work.may_pass(ended("Away", "the database has been away for 120 seconds"))
    assert batch_work.may_pass(ended("KernelDied", "the notebook's process died", "killed"))
    assert not batch_work.may_pass(ended("BadParameter", "fast must be below slow"))
    assert not batch_work.may_pass(ended("ValueError", "the sky is falling"))
    assert not batch_work.may_pass(ended("TimeOut", "the run took longer", "timed_out"))


def test_a_busy_catalogue_at_the_start_of_a_run_is_tried_again(config, kernels, monkeypatch):
    add, busy = Runs.add, iter([True])

    def locked(self, row):
        if next(busy, False):
            raise OperationalError("INSERT", {}, sqlite3.OperationalError("database is locked"))
        return add(self, row)

    monkeypatch.setattr(Runs, "add", locked)
    done = runs.run_many(config, "trouble", [{"how": "none"}], kernels=kernels, **ONE)
    assert (done.items[0]["outcome"], done.items[0]["tries"]) == ("succeeded", 2)
    assert [path.name for path in config.reports.glob("trouble-*")] == done.run_ids


def test_limits_of_time_and_memory(config, kernels):
    cases = [{"how": "memory"}]
    done = runs.run_many(config, "trouble", cases, kernels=kernels, memory="400M", timeout=60, **ONE)
    (item,) = done.items
    assert (item["outcome"], item["tries"]) == ("out_of_memory", 1)
    assert "was given 400 MB" in item["error"]
    run = runs.load(config, item["run_id"])
    assert "ran out of memory" in run.html.read_text()
    assert "before the trouble" in run.notebook.read_text()
    done = runs.run_many(config, "trouble", [{"how": "hang"}], kernels=kernels, timeout=4, **ONE)
    assert (done.items[0]["outcome"], done.items[0]["tries"]) == ("timed_out", 1)
    with pytest.raises(RunFailed, match="out of memory in cell 5"):
        runs.run(config, "trouble", {"how": "memory"}, kernels=kernels, memory=3 * 10**8)
    with pytest.raises(BadParameter, match="such as 500M"):
        size("2 sheep")


def working(config, cases, kernels, **options):
    """A batch that another thread works on, and what it comes to."""
    result = {}

    def work():
        result["batch"] = runs.run_many(config, "trouble", cases, kernels=kernels, jobs=1, **options)

    thread = threading.Thread(target=work)
    thread.start()
    assert until(lambda: list(config.reports.glob("*/kernel.pid")), 60)
    return thread, result


def test_one_run_or_all_are_cancelled_from_elsewhere(config, kernels):
    thread, result = working(config, [{"how": "hang"}, {"how": "none"}], kernels)
    (first,) = config.reports.glob("trouble-*")
    batch.cancel(config, first.name)
    thread.join(30)
    done = result["batch"]
    assert [item["outcome"] for item in done.items] == ["cancelled", "succeeded"]
    assert runs.load(config, first.name).manifest["error"]["message"] == "the run was cancelled"
    with pytest.raises(TapebookError, match="is over: cancelled"):
        batch.cancel(config, first.name)
    with pytest.raises(UnknownName, match="no batch named"):
        batch.cancel(config, "nothing")
    for folder in config.reports.glob("*/kernel.pid"):
        folder.unlink()
    thread, result = working(config, [{"how": "hang"}, {"how": "none"}], kernels)
    (row,) = batch.listing(config, limit=1).to_dict("records")
    batch.cancel(config, row["id"])
    thread.join(30)
    assert [item["outcome"] for item in result["batch"].items] == ["cancelled", "cancelled"]
    assert result["batch"].outcome == "cancelled"


def start(config, said, kernels):
    command = [sys.executable, str(PARENT), str(config.home), said]
    return subprocess.Popen(command, env={**os.environ, **kernels.environment}, stderr=subprocess.PIPE)


def over(config):
    """Outcomes of all runs by batch item; a run that went on in two programs would be there twice."""
    rows = runs.listing(config, limit=None).to_dict("records")
    return Counter(row["outcome"] for row in rows)


def test_ctrl_c_leaves_a_batch_that_can_be_gone_on_with(config, kernels):
    program = start(config, json.dumps([{"seconds": s} for s in (0, 60)]), kernels)
    assert until(lambda: over(config)["succeeded"] == 1, 90)
    assert until(lambda: over(config)["running"] == 1, 90)
    program.send_signal(signal.SIGINT)
    program.communicate(timeout=60)
    (row,) = batch.listing(config).to_dict("records")
    assert (row["outcome"], row["succeeded"]) == ("stopped", 1)
    assert over(config) == {"succeeded": 1, "cancelled": 1}
    assert [item["outcome"] for item in batch.load_batch(config, row["id"]).items] == ["succeeded", "waiting"]
    batch.cancel(config, row["id"])
    assert batch.load_batch(config, row["id"]).counts == {"succeeded": 1, "cancelled": 1}


def killed_and_gone_on_with(config, kernels, times, seed):
    """Kill a batch of eight runs so often, at random, going on after each; return its items."""
    chance = random.Random(seed)
    program = start(config, json.dumps([{"seconds": 0.3}] * 8), kernels)
    for _ in range(times):
        assert until(lambda: not batch.listing(config).empty, 90)
        time.sleep(chance.uniform(0.0, 5.0))
        program.kill()
        program.communicate()
        (row,) = batch.listing(config).to_dict("records")
        program = start(config, row["id"], kernels)
    _, errors = program.communicate(timeout=250)
    if program.returncode:  # it may have been over before it was killed
        assert b"is over" in errors or errors == b"", errors.decode()
    return batch.load_batch(config, row["id"])


def none_lost_none_doubled(config, done):
    assert done.counts == {"succeeded": 8}
    assert len(set(done.run_ids)) == 8
    rows = runs.listing(config, limit=None)
    assert set(rows["outcome"]) <= {"succeeded", "lost"}
    assert sorted(rows[rows["outcome"] == "succeeded"]["id"]) == sorted(done.run_ids)
    folders = {path.name for path in config.reports.iterdir() if not path.name.startswith("_")}
    assert {runs.load(config, name).outcome for name in folders} <= {"succeeded", "lost"}
    for name in rows[rows["outcome"] == "lost"]["id"]:
        assert json.loads(runs.load(config, name).notebook.read_text())["cells"]


def test_a_batch_survives_its_program(config, kernels):
    none_lost_none_doubled(config, killed_and_gone_on_with(config, kernels, 1, seed=3))


@pytest.mark.slow
def test_a_batch_survives_twenty_kills(config, kernels):
    none_lost_none_doubled(config, killed_and_gone_on_with(config, kernels, 20, seed=1))


def test_a_batch_that_is_worked_on_is_not_taken(config, kernels):
    thread, result = working(config, [{"how": "hang"}], kernels)
    (row,) = batch.listing(config).to_dict("records")
    with pytest.raises(TapebookError, match="is being run by process"):
        batch.resume(config, row["id"])
    batch.cancel(config, row["id"])
    thread.join(30)


def test_a_batch_of_another_template_is_not_gone_on_with(config, kernels, monkeypatch):
    done = runs.run_many(config, "trouble", [{"how": "none"}], kernels=kernels)
    path = config.notebooks / "templates" / "trouble.ipynb"
    path.write_text(path.read_text().replace("before the trouble", "before"))
    with pytest.raises(TapebookError, match="was changed since it started"):
        batch.resume(config, done.id)


def test_a_desk_that_cannot_be_written_says_so_and_keeps_nothing(config, tmp_path):
    from dataclasses import replace

    (tmp_path / "file").touch()
    with pytest.raises(TapebookError, match="the run cannot start: Not a directory"):
        runs.run(replace(config, reports=tmp_path / "file" / "reports"), "toy", {})
    assert runs.listing(config).empty

    import sqlite3

    runs.listing(config)
    runs.run(config, "trouble", {"how": "none"})
    with sqlite3.connect(config.database.removeprefix("sqlite:///")) as held:
        held.execute(
            "CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
    before = set(config.reports.iterdir())
    with pytest.raises(TapebookError, match="the catalogue refuses to be written: disk is full"):
        runs.run(config, "toy", {})
    assert set(config.reports.iterdir()) == before


def test_a_disk_that_fills_up_in_mid_run_is_said_and_no_page_is_half(config):
    """No file may be longer than 6 kB: the notebook fits, what the cells write does not."""
    code = (
        "import resource, signal, sys; from tapebook import runs; from tapebook.config import Config\n"
        "from tapebook.errors import TapebookError\n"
        f"config = Config.load({str(config.home)!r})\n"
        "runs.listing(config)\n"
        "import sqlite3; c = sqlite3.connect(config.database[10:]) if 0 else None\n"
        "import tapebook.runs.start as start; begin = start._begin\n"
        "def full(*a):\n"
        "    begin(*a); resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))\n"
        "start._begin = full\n"
        "try:\n    runs.run(config, 'toy', {'steps': 4000})\n"
        "except TapebookError as error:\n    print(error); sys.exit(3)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "File too large" in done.stdout or "refuses to be written" in done.stdout
    (folder,) = config.reports.glob("toy-*")
    assert not list(folder.glob(".*.part"))
    assert not (folder / "report.html").exists() or "</html>" in (folder / "report.html").read_text()
    assert json.loads((folder / "notebook.ipynb").read_text())["cells"]
    assert runs.load(config, folder.name).outcome in ("failed", "lost")
