"""The worker: real runs in real processes, stopped, killed and succeeded by another."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from integration.loopback import Mail, Web
from runs.conftest import toy_desk
from tapebook import runs
from tapebook.cli import main
from tapebook.data.catalog import Catalog
from tapebook.data.catalog.events import Patience
from tapebook.data.catalog.outbox_tables import schedules
from tapebook.errors import RunFailed, TapebookError
from tapebook.runs import schedules as desk_schedules
from tapebook.runs.execute import Ended
from tapebook.runs.start import run as start_run
from tapebook.runs.worker import Worker, work

QUICK = Patience(tries=3, first=0.0)


@pytest.fixture
def config(tmp_path):
    return toy_desk(tmp_path)


@pytest.fixture
def catalog(config):
    with closing(Catalog.open(config)) as catalog:
        yield catalog


def add(config, name, template, parameters=None, **said):
    """A schedule that has been due three times an hour ago."""
    made = desk_schedules.add(config, name, template, parameters or {}, **({"cron": "0,1,2 0 * * *"} | said))
    with closing(Catalog.open(config)) as catalog, catalog._rows.writing() as connection:
        anchor = (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="seconds")
        connection.execute(update(schedules).where(schedules.c.name == name).values(anchor=anchor))
    return made


@pytest.fixture
def quick(monkeypatch):
    """Runs whose cells are not executed: what is recorded, and all that the worker does, is real."""

    def executed(_folder, manifest, *_):
        failed = {"cell": 5, "name": "ValueError", "message": "the <sky> is falling", "traceback": ""}
        return Ended("failed", failed) if manifest["template"] == "trouble" else Ended("succeeded"), 0.1

    def process(config, said, _environment):
        with suppress(RunFailed):
            start_run(config, said["template"], said["parameters"], timeout=said["timeout"], id=said["id"])
        return subprocess.Popen(["true"], stdin=subprocess.PIPE, bufsize=0)

    monkeypatch.setattr("tapebook.runs.start._executed", executed)
    monkeypatch.setattr("tapebook.runs.occasion._process", process)


def start(config, *options, kernels=None):
    """A worker; its runs start warm from the beginning where there are `kernels`."""
    environment = os.environ | config.environment() | (kernels.environment if kernels else {})
    command = [sys.executable, "-m", "tapebook", "worker", *options]
    return subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def wait_for(what, seconds=120):
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)
    return found


def in_mid_run(config):
    return list(config.reports.glob("*/kernel.pid"))


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()


def pages(text):
    return [word.removeprefix("file://") for word in text.split() if word.startswith("file://")]


def test_what_is_due_is_run_once_and_people_are_told(config, catalog):
    with Web() as web, Mail() as mail:
        hook = f"json://127.0.0.1:{web.server_port}/hook"
        letter = (
            f"mailto://ann:pass-word-1@127.0.0.1:{mail.port}?smtp=127.0.0.1&mode=insecure&to=bob@desk.example"
        )
        add(config, "nightly", "toy", {"steps": 5}, notify=[hook, f"{letter}&from=ann@desk.example"])
        assert work(config, once=True, patience=QUICK) == 1
        assert work(config, once=True, patience=QUICK) == 0
    (row,) = catalog.occasions.list("nightly")
    assert (row["state"], row["missed"], row["why"]) == ("succeeded", 2, "")
    run = runs.load(config, row["run_id"])
    assert run.manifest["parameters"]["steps"] == 5
    assert run.outcome == "succeeded"
    (told,) = web.bodies()
    assert (told["title"], told["type"]) == ("nightly: succeeded", "success")
    assert "(2 missed before)" in told["message"]
    assert pages(told["message"]) == [str(run.html)]
    assert "nightly: succeeded" in mail.got[0]
    assert [event.run for event in catalog.events.latest(topics=["run.finished"])] == [run.id]
    assert [row["state"] for row in catalog.notices.list()] == ["sent", "sent"]
    for path in config.home.rglob("*"):
        assert not path.is_file() or b"pass-word-1" not in path.read_bytes(), path


def test_a_failure_is_told_with_its_error_and_page(config, catalog, quick):
    with Web() as web:
        hook = f"json://127.0.0.1:{web.server_port}"
        add(config, "bad", "trouble", {"how": "raise"}, notify=[hook], notify_on="failure")
        add(config, "good", "toy", notify=[hook], notify_on="failure")
        assert work(config, once=True, parallel=2, patience=QUICK) == 2
    (told,) = web.bodies()
    assert (told["title"], told["type"]) == ("bad: failed", "failure")
    assert "ValueError: the <sky> is falling" in told["message"]
    (page,) = pages(told["message"])
    assert "the &lt;sky&gt; is falling" in Path(page).read_text()
    (row,) = desk_schedules.history(config, "bad").to_dict("records")
    assert (row["state"], row["why"]) == ("failed", "ValueError: the <sky> is falling")


def test_a_template_that_has_changed_is_a_clear_error_or_a_remark(config, catalog, quick):
    add(config, "steps", "toy", {"steps": 5}, notify=["json://127.0.0.1:9"])
    add(config, "other", "toy", {"scale": 2.0})
    add(config, "gone", "trouble", {"how": "raise"})
    template = config.notebooks / "templates" / "toy.ipynb"
    template.write_text(template.read_text().replace("steps", "paces"))
    (config.notebooks / "templates" / "trouble.ipynb").unlink()
    work(config, once=True, patience=QUICK)
    why = {row["schedule"]: (row["state"], row["why"]) for row in catalog.occasions.list()}
    assert why["steps"][0] == "failed"
    assert "template toy has changed since it was scheduled: no parameter named 'steps'" in why["steps"][1]
    assert "tapebook schedule remove steps" in why["steps"][1]
    assert why["other"] == ("succeeded", "the template has changed since it was scheduled")
    assert "the template is gone: no template named 'trouble'" in why["gone"][1]
    assert any("no parameter named" in notice["body"] for notice in catalog.notices.list())


def test_a_notice_that_fails_fails_no_run_and_is_tried_again(config, catalog, quick):
    with Web() as web:
        add(config, "nightly", "toy", notify=[f"json://127.0.0.1:{web.server_port}"])
        web.answers[:] = [500]
        work(config, once=True, patience=QUICK)
        assert [row["state"] for row in catalog.occasions.list()] == ["succeeded"]
        assert len(web.got) == 1, "the second try went"
    (told,) = catalog.events.latest(topics=["integration.failed"])
    assert (told.integration, told.final) == ("notice", False)
    assert "500" in told.error
    add(config, "again", "toy", notify=["json://127.0.0.1:9"])
    work(config, once=True, patience=QUICK)
    (notice,) = catalog.notices.list("failed")
    assert notice["tries"] == 3
    assert [e.final for e in catalog.events.latest(topics=["integration.failed"])] == [False, False, True]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_that_is_told_to_end_ends_cleanly_and_the_next_makes_the_run_again(config, catalog, number):
    add(config, "slow", "trouble", {"how": "hang", "seconds": 2.5})
    worker = start(config, "--once")
    wait_for(lambda: in_mid_run(config))
    pid = int(wait_for(lambda: in_mid_run(config)[0].read_text()))
    worker.send_signal(number)
    _, errors = worker.communicate(timeout=120)
    assert worker.returncode == 0, errors
    assert "Traceback" not in errors
    (row,) = catalog.occasions.list("slow")
    assert (row["state"], row["why"]) == ("due", "the worker was stopped")
    assert list(runs.listing(config)["outcome"]) == ["cancelled"]
    wait_for(lambda: gone(pid))
    work(config, once=True)
    (row,) = catalog.occasions.list("slow")
    assert row["state"] == "succeeded"
    assert list(runs.listing(config)["outcome"]) == ["succeeded", "cancelled"]


def test_the_run_of_a_worker_that_was_killed_is_made_again_by_the_next(config, catalog):
    add(config, "slow", "trouble", {"how": "hang", "seconds": 2.5})
    worker = start(config, "--once")
    pid = int(wait_for(lambda: in_mid_run(config) and in_mid_run(config)[0].read_text()))
    worker.kill()
    worker.communicate()
    assert [row["state"] for row in catalog.occasions.list("slow")] == ["running"]
    work(config, once=True)
    (row,) = catalog.occasions.list("slow")
    assert row["state"] == "succeeded"
    outcomes = list(runs.listing(config)["outcome"])
    assert outcomes[0] == "succeeded"
    assert outcomes[1:] in (["cancelled"], ["lost"])
    before = runs.load(config, runs.listing(config)["id"][1])
    assert "before the trouble" in before.notebook.read_text()
    assert gone(pid)


def test_a_run_that_ended_before_its_worker_could_say_so_is_not_made_again(
    config, catalog, quick, monkeypatch
):
    add(config, "nightly", "toy")
    worker = Worker(config, 1, QUICK)
    monkeypatch.setattr(worker, "_finished", lambda _job: worker._stop.set())  # killed at this very moment
    worker.work(once=True)
    assert [row["state"] for row in catalog.occasions.list()] == ["running"]
    with catalog._rows.writing() as connection:
        from tapebook.data.catalog.outbox_tables import occasions

        connection.execute(update(occasions).values(holder=None))
    work(config, once=True)
    assert [row["state"] for row in catalog.occasions.list()] == ["succeeded"]
    assert len(runs.listing(config)) == 1


def test_one_whose_process_dies_again_and_again_is_given_up(config, catalog, monkeypatch):
    monkeypatch.setattr("tapebook.runs.occasion.sys.executable", "/bin/false")
    add(config, "nightly", "toy")
    work(config, once=True)
    (row,) = catalog.occasions.list()
    assert row["state"] == "failed"
    assert "ended without a word (3 times)" in row["why"]


def test_one_that_cannot_be_recorded_says_why(config, catalog):
    add(config, "nightly", "toy")
    config.reports.write_text("a file where the folder of reports should be")
    work(config, once=True)
    (row,) = catalog.occasions.list()
    assert row["state"] == "failed"
    assert "reports" in row["why"]
    assert "Error: " in row["why"]


def test_an_end_of_a_run_starts_another(config, catalog, quick):
    add(config, "first", "toy")
    desk_schedules.add(config, "second", "toy", {"steps": 3}, on="run.finished", where={"template": "toy"})
    assert work(config, once=True) == 2
    assert [row["state"] for row in catalog.occasions.list("second")] == ["succeeded"]


def test_the_latest_run_of_a_schedule_is_published(config, catalog, quick):
    from tapebook.runs import publish

    add(config, "nightly", "toy", {"steps": 3})
    work(config, once=True)
    made = publish.publish(config, "walk", schedule="nightly")
    assert publish.history(catalog, made) == catalog.occasions.run_ids("nightly")
    add(config, "bad", "trouble")
    work(config, once=True)
    assert publish.history(catalog, publish.publish(config, "none", schedule="bad")) == []


def test_a_notice_leads_to_where_its_reader_finds_the_page(config, catalog, quick):
    """With the dashboards' address: to the published name, or to the run where it has none."""
    from tapebook.runs import publish

    config = replace(config, address="https://desk.example/reports")
    with Web() as web:
        for name, template in (("nightly", "toy"), ("own", "toy"), ("bad", "trouble")):
            add(config, name, template, notify=[f"json://127.0.0.1:{web.server_port}/{name}"])
        publish.publish(config, "walk", schedule="nightly")
        publish.publish(config, "broken", schedule="bad")
        assert work(config, once=True) == 3
        told = {body["title"].split(":")[0]: body["message"].split()[-1] for body in web.bodies()}
    run = {name: catalog.occasions.list(name)[0]["run_id"] for name in told}
    assert told == {
        "nightly": f"https://desk.example/reports/walk/at/{run['nightly']}",
        "own": f"https://desk.example/reports/run/{run['own']}",
        "bad": f"https://desk.example/reports/run/{run['bad']}",
    }


def test_a_run_whose_page_finds_no_room_is_shown_to_nobody(config, catalog, quick, monkeypatch):
    """A published name goes on showing the run before: a run has ended once its page is there."""
    from tapebook.runs import publish

    good = start_run(config, "toy", {"steps": 3})
    name = publish.publish(config, "walk", template="toy")

    def full(folder):
        assert catalog.runs.get(folder.name).outcome == "running"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tapebook.runs.page.write_page", full)
    with pytest.raises(TapebookError, match="cannot be recorded: No space left on device"):
        start_run(config, "toy", {"steps": 4})
    assert publish.history(catalog, name) == [good.id]


def test_a_worker_clears_old_runs_as_the_desk_says(config, catalog, quick, caplog):
    """Once a day, beginning with its start; a worker of a desk that says nothing clears nothing."""
    from tapebook.runs import publish, retention

    made = [start_run(config, "toy", {"steps": 3}).id for _ in range(4)]
    publish.pin(config, made[0])
    assert retention.apply(config) == []
    worker = Worker(replace(config, keep_runs=1, keep_days=0.0), 1, QUICK)
    worker._warm = lambda _: {}
    beside = threading.Thread(target=worker.work, kwargs={"once": False})
    with caplog.at_level("INFO", "tapebook.worker"):
        beside.start()
        wait_for(lambda: "retention" in caplog.text)
        worker.stop()
        beside.join()
    assert {row["id"] for row in catalog.runs.list()} == {made[0], made[3]}
    assert "retention: 2 old runs went" in caplog.text
    assert made[1] in caplog.text
    assert sorted(path.parent.name for path in config.reports.glob("*/manifest.json")) == sorted(made[::3])


def test_the_command_line(config, catalog, quick):
    def call(*args, code=0):
        done = CliRunner().invoke(main, ["--home", str(config.home), *args], env=config.environment())
        assert done.exit_code == code, done.output + str(done.exception)
        return done

    assert "schedule add --help" in call("schedule", "list").stderr
    made = call("schedule", "add", "close", "toy", "--after-close", "XNYS", "+30min", "-p", "steps=4")
    assert "30min after the close of XNYS" in made.stdout
    zone = ("--cron", "30 18 * * mon-fri", "--tz", "America/New_York")
    call("schedule", "add", "nightly", "toy", *zone)
    said = json.loads(call("schedule", "show", "nightly", "--json").stdout)
    assert len(said["next"]) == 10
    shown = call("schedule", "show", "nightly").stdout
    assert shown.count("18:30 E") == 10
    rows = json.loads(call("schedule", "list", "--json").stdout)
    assert [(row["name"], row["state"]) for row in rows] == [("close", "active"), ("nightly", "active")]
    call("schedule", "pause", "nightly")
    assert "paused" in call("schedule", "list").stdout
    assert "next: " in call("schedule", "resume", "nightly").stdout
    assert "close: succeeded" in call("schedule", "run", "close").stdout
    (past,) = json.loads(call("schedule", "history", "close", "--json").stdout)
    assert (past["state"], past["missed"]) == ("succeeded", 0)
    assert runs.load(config, past["run"]).manifest["parameters"]["steps"] == 4
    call("schedule", "add", "bad", "trouble", "--on", "run.finished", "--where", "symbol=AAPL")
    assert "the <sky> is falling" in call("schedule", "run", "bad", code=1).stdout
    assert "0 runs ended" in call("worker", "--once").stdout
    call("schedule", "remove", "close", "--yes")
    assert "Did you mean 'nightly'" in call("schedule", "show", "nightli", code=1).stderr
    assert "unexpected argument 'x'" in call("schedule", "add", "a", "toy", "x", *zone, code=2).stderr


# ---- many, for long


@pytest.mark.slow
def test_two_workers_run_each_once(config, catalog):
    for n in range(4):
        add(config, f"s{n}", "toy", {"steps": n + 2})
    workers = [start(config, "--once", "--parallel", "2") for _ in range(2)]
    for worker in workers:
        _, errors = worker.communicate(timeout=200)
        assert worker.returncode == 0, errors
    assert [row["state"] for row in catalog.occasions.list()] == ["succeeded"] * 4
    assert len(runs.listing(config)) == 4


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("engine", "kills"), [("sqlite", 20), ("postgres", 4)])
def test_killed_at_random_loses_doubles_and_leaves_nothing(config, kernels, request, engine, kills):
    """Kill -9 the worker at any moment, twenty times; then let one work in peace."""
    if engine == "postgres":
        config = replace(config, database=request.getfixturevalue("postgres_url"))
    rng = random.Random(20261126)
    desk_schedules.add(config, "slow", "trouble", {"how": "hang", "seconds": 0.5}, cron="0 0 1 1 *")
    with closing(Catalog.open(config)) as catalog:
        for n in range(kills):
            if n % 3 == 0:  # some are killed again and again
                catalog.schedules.due_now("slow", f"now-{n}")
            before = len(in_mid_run(config))
            warm = kernels if n % 5 else None  # some of its kernels start cold
            worker = start(config, "--once", kernels=warm) if n % 4 else start(config)
            if n % 2:  # in mid-run, or at any other moment
                until = time.monotonic() + 12  # there may be nothing left to run
                while (
                    len(in_mid_run(config)) == before and worker.poll() is None and time.monotonic() < until
                ):
                    time.sleep(0.01)
                time.sleep(rng.random() * 0.8)
            else:
                time.sleep(0.5 + rng.random() * 4)
            worker.kill()
            worker.communicate()
        last = start(config, "--once", kernels=kernels)
        _, errors = last.communicate(timeout=400)
        assert last.returncode == 0, errors
        rows = catalog.occasions.list("slow", limit=None)
        due = len(range(0, kills, 3))
        assert [row["state"] for row in rows] == ["succeeded"] * due
        listed = runs.listing(config, limit=None)
        counts = listed["outcome"].value_counts()
        assert counts["succeeded"] == due, "each was made once"
        assert set(counts.index) <= {"succeeded", "cancelled", "lost"}
        assert {row["run_id"] for row in rows} == set(listed.loc[listed["outcome"] == "succeeded", "id"])
        told = [
            event.run
            for event in catalog.events.latest(topics=["run.finished"])
            if event.outcome == "succeeded"
        ]
        assert len(told) == len(set(told)) == due
    for folder in config.reports.iterdir():
        if folder.is_dir() and not folder.name.startswith("."):
            manifest = json.loads((folder / "manifest.json").read_text())
            assert manifest["outcome"] != "running", folder.name
            assert (folder / "notebook.ipynb").is_file()
    wait_for(lambda: all(gone(int(path.read_text())) for path in in_mid_run(config)))


@pytest.mark.slow
def test_a_server_that_is_away_for_a_moment_loses_nothing(config, postgres_url, tmp_path):
    """Every connection is cut in mid-run, and again: the work goes on."""
    import psycopg

    team = replace(config, database=postgres_url)
    add(team, "slow", "trouble", {"how": "hang", "seconds": 3.0})
    worker = start(team)
    wait_for(lambda: in_mid_run(team))
    name = postgres_url.rpartition("/")[2]
    for _ in range(3):
        with psycopg.connect(postgres_url.replace(name, "postgres"), autocommit=True) as connection:
            cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            connection.execute(cut, [name])
        time.sleep(0.5)
    with closing(Catalog.open(team)) as catalog:
        wait_for(lambda: [row["state"] for row in catalog.occasions.list()] == ["succeeded"])
        worker.send_signal(signal.SIGTERM)
        _, errors = worker.communicate(timeout=120)
        assert worker.returncode == 0, errors
    assert list(runs.listing(team)["outcome"]).count("succeeded") == 1
