"""What becomes due and who may run it, at any time of day, on SQLite and PostgreSQL; no run is made here."""

import json
import shutil
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import update

from runs.conftest import toy_desk
from tapebook.config import Config
from tapebook.data.catalog import Catalog
from tapebook.data.catalog.event_types import RunFinished, ScanHit
from tapebook.data.catalog.lease import holder
from tapebook.data.catalog.outbox_tables import occasions, schedules
from tapebook.data.lake import Lake
from tapebook.errors import BadInput, UnknownName
from tapebook.runs import schedule_rule, trash
from tapebook.runs import schedules as desk_schedules
from tapebook.runs.schedule_due import Due, lacking

ROW = {"freq": "1d", "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0}


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def config(request, tmp_path, migrated):
    config = toy_desk(tmp_path)
    if getattr(request, "param", "sqlite") == "postgres":
        return replace(config, database=request.getfixturevalue("postgres_url"))
    (tmp_path / "data").mkdir()
    shutil.copy(migrated, tmp_path / "data" / "desk.sqlite")
    return config


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """An empty catalogue with its tables."""
    home = tmp_path_factory.mktemp("migrated")
    with closing(Catalog.open(Config.load(home))) as catalog:
        catalog.subscribers.forget_gone()
    return home / "data" / "desk.sqlite"


on_both = pytest.mark.parametrize("config", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def catalog(config):
    with closing(Catalog.open(config)) as catalog:
        yield catalog


@pytest.fixture
def lake(config):
    with closing(Lake.open(config)) as lake:
        yield lake


def bars(lake, day, *symbols, calendar="XNYS"):
    rows = [ROW | {"symbol": s, "ts": pd.Timestamp(day, tz="UTC")} for s in symbols]
    known = [
        {"symbol": s, "calendar": calendar, "currency": "", "name": s, "source": "", "asset": ""}
        for s in symbols
    ]
    lake.write(pd.DataFrame(rows), instruments=pd.DataFrame(known))


def add(config, name="nightly", when="2026-11-20T12:00:00", **said):
    """A schedule that was added at that time."""
    made = desk_schedules.add(config, name, "toy", said.pop("parameters", {}), **said)
    with closing(Catalog.open(config)) as catalog, catalog._rows.writing() as connection:
        here = schedules.c.name == name
        connection.execute(update(schedules).where(here).values(anchor=at(when).isoformat()))
    return made


def seen(catalog, name="nightly"):
    return [(row["due"][:16], row["state"], row["missed"]) for row in catalog.occasions.list(name)][::-1]


def finish(catalog, state="succeeded"):
    held = catalog.occasions.claim(holder(), 30)
    assert catalog.occasions.end(held, state, "", None)
    return held


# ---- by the clock


@on_both
def test_a_time_is_due_once_and_what_was_missed_is_made_up_once(config, catalog, lake):
    add(config, cron="30 18 * * mon-fri", tz="America/New_York")
    due = Due(catalog, lake)
    due.mark(at("2026-11-20T23:29:59"))
    assert seen(catalog) == []
    due.mark(at("2026-11-20T23:30:00"))
    due.mark(at("2026-11-20T23:30:01"))
    Due(catalog, lake).mark(at("2026-11-20T23:40:00"))
    assert seen(catalog) == [("2026-11-20T23:30", "due", 0)]
    finish(catalog)
    Due(catalog, lake).mark(at("2026-11-26T12:00:00"))  # three nights without a worker
    Due(catalog, lake).mark(at("2026-11-26T12:01:00"))
    assert seen(catalog)[1:] == [("2026-11-25T23:30", "due", 2)]
    finish(catalog)
    due.mark(at("2026-11-26T23:31:00"))
    assert seen(catalog)[2:] == [("2026-11-26T23:30", "due", 0)]
    due.mark(at("2026-11-27T23:31:00"))  # nobody ran it: the new one takes it in
    assert seen(catalog)[2:] == [("2026-11-27T23:30", "due", 1)]


def test_a_clock_that_is_put_back_makes_nothing_due_again(config, catalog, lake):
    add(config, cron="0 * * * *", when="2026-11-20T12:30:00")
    for moment in ("13:00:01", "12:59:00", "13:00:02", "12:00:00", "13:30:00"):
        Due(catalog, lake).mark(at(f"2026-11-20T{moment}"))
    assert len(seen(catalog)) == 1


@on_both
def test_two_workers_that_look_at_once_add_it_once(config, catalog):
    for n in range(5):
        add(config, f"s{n}", cron="0 * * * *", when="2026-11-20T12:30:00")
    go = threading.Barrier(4)

    def look():
        with closing(Catalog.open(config)) as own, closing(Lake.open(config)) as lake:
            due = Due(own, lake)
            go.wait()
            for minute in range(3):
                due.mark(at(f"2026-11-20T15:0{minute}:00"))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(5):
        assert seen(catalog, f"s{n}") == [("2026-11-20T15:00", "due", 2)]


@on_both
def test_a_pause_is_not_made_up(config, catalog, lake):
    add(config, cron="0 * * * *", when="2026-11-20T12:30:00")
    Due(catalog, lake).mark(at("2026-11-20T13:00:00"))
    desk_schedules.pause(config, "nightly")
    Due(catalog, lake).mark(at("2026-11-20T16:00:00"))
    assert seen(catalog) == [("2026-11-20T13:00", "due", 0)]
    assert catalog.occasions.claim("w", 30) is None, "what is due waits too"
    assert desk_schedules.show(config, "nightly")["next"] == []
    desk_schedules.resume(config, "nightly")
    assert datetime.now(UTC) - datetime.fromisoformat(catalog.schedules.get("nightly")["anchor"]) < timedelta(
        minutes=1
    )
    assert catalog.occasions.claim("w", 30) is not None


def test_one_that_cannot_be_read_keeps_no_other_from_running(config, catalog, lake, caplog):
    add(config, "broken", cron="0 * * * *")
    add(config, cron="0 * * * *", when="2026-11-20T12:30:00")
    with catalog._rows.writing() as connection:
        here = schedules.c.name == "broken"
        connection.execute(
            update(schedules).where(here).values(rule={"kind": "cron", "cron": "x", "tz": "UTC"})
        )
    due = Due(catalog, lake)
    due.mark(at("2026-11-20T13:00:00"))
    due.mark(at("2026-11-20T13:00:01"))
    assert len(seen(catalog)) == 1
    assert [record.message for record in caplog.records if "broken" in record.message][1:] == []


def test_a_lake_that_is_away_keeps_no_clock_from_striking(config, catalog, caplog):
    add(config, cron="0 * * * *", when="2026-11-20T12:30:00")
    (config.home / "data" / "lake.sqlite").write_text("not a catalogue of a lake" * 100)
    with closing(Lake.open(config)) as lake:
        due = Due(catalog, lake)
        due.mark(at("2026-11-20T13:00:00"))
        due.mark(at("2026-11-20T13:00:01"))
    assert len(seen(catalog)) == 1
    assert len([record for record in caplog.records if "the lake cannot be read" in record.message]) == 1


# ---- by events


@on_both
def test_an_event_makes_it_due_and_those_that_follow_are_taken_in(config, catalog, lake):
    add(config, on="bars.updated", where={"symbol": "A,C"})
    due = Due(catalog, lake)
    bars(lake, "2026-11-23", "A", "B")
    bars(lake, "2026-11-24", "B")
    due.mark()
    assert [row[1:] for row in seen(catalog)] == [("due", 0)]
    bars(lake, "2026-11-25", "C")
    bars(lake, "2026-11-26", "A")
    due.mark()
    assert [row[1:] for row in seen(catalog)] == [("due", 2)]
    held = catalog.occasions.claim("w", 30)
    bars(lake, "2026-11-27", "A")
    due.mark()
    assert [row[1] for row in seen(catalog)] == ["running", "due"]
    assert catalog.occasions.claim("w", 30) is None, "one at a time"
    catalog.occasions.end(held, "succeeded", "", None)
    assert catalog.occasions.claim("w", 30) is not None


def test_what_happened_before_it_was_added_is_no_news(config, catalog, lake):
    bars(lake, "2026-11-23", "A")
    catalog.events.add(ScanHit(scan="s", symbol="A", change="entered", bar="2026"))
    add(config, on="bars.updated")
    add(config, "other", on="scan.hit")
    Due(catalog, lake).mark()
    assert seen(catalog) + seen(catalog, "other") == []


def ended(run, **said):
    return RunFinished(run=run, **({"template": "toy", "outcome": "succeeded"} | said))


def test_a_schedule_does_not_start_itself_nor_through_another(config, catalog, lake):
    add(config, "a", on="run.finished")
    add(config, "b", on="run.finished", where={"outcome": "succeeded"})
    due = Due(catalog, lake)
    catalog.events.add(ended("by-hand"))
    due.mark()
    for name in ("a", "b"):
        held = catalog.occasions.claim("w", 30)
        catalog.occasions.begin(held, f"run-of-{name}")
        catalog.occasions.end(held, "succeeded", "", f"run-of-{name}")
    catalog.events.add(ended("run-of-a"), ended("run-of-b"))
    due.mark()
    assert [row[1] for name in "ab" for row in seen(catalog, name)] == ["succeeded", "due"] * 2
    for name in ("a", "b"):
        held = catalog.occasions.claim("w", 30)
        catalog.occasions.begin(held, f"again-{name}")
        catalog.occasions.end(held, "succeeded", "", f"again-{name}")
    catalog.events.add(ended("again-a"), ended("again-b"))
    due.mark()
    assert catalog.occasions.claim("w", 30) is None, "a of b of a is a's own doing"


def test_filters_are_checked_and_read(config):
    for where, event, fits in (
        ({"template": "toy"}, ended("r"), True),
        ({"template": "other"}, ended("r"), False),
        ({"symbol": "AAPL"}, ended("r", symbols=["AAPL", "MSFT"]), True),
        ({"symbols": "IBM,MSFT"}, ended("r", symbols=["AAPL", "MSFT"]), True),
        ({"symbol": "IBM"}, ended("r", symbols=["AAPL"]), False),
        ({"outcome": "failed", "template": "toy"}, ended("r"), False),
        ({}, ended("r"), True),
        ({}, ScanHit(scan="s", symbol="A", change="left", bar="x"), False),
    ):
        assert schedule_rule.matches({"topic": "run.finished", "where": where}, event) is fits
    with pytest.raises(UnknownName, match="Did you mean 'template'"):
        add(config, on="run.finished", where={"templat": "x"})
    with pytest.raises(UnknownName, match="Did you mean 'run.finished'"):
        add(config, on="run.finish")


# ---- by data


def test_it_is_due_when_the_data_of_a_session_are_there(config, catalog, lake):
    bars(lake, "2026-11-23", "A", "B")
    add(config, when_complete="A,B", deadline="3h", when="2026-11-24T12:00:00")
    due = Due(catalog, lake)
    due.mark(at("2026-11-24T20:59:00"))
    assert seen(catalog) == []
    due.mark(at("2026-11-24T21:00:00"))
    assert seen(catalog) == [("2026-11-24T21:00", "waiting", 0)]
    bars(lake, "2026-11-24", "A")
    due.mark(at("2026-11-24T22:00:00"))
    assert catalog.occasions.claim("w", 30) is None
    bars(lake, "2026-11-24", "B")
    due.mark(at("2026-11-24T22:30:00"))
    assert seen(catalog) == [("2026-11-24T21:00", "due", 0)]
    finish(catalog)
    due.mark(at("2026-11-24T23:59:00"))
    assert len(seen(catalog)) == 1


def test_it_is_stale_when_they_are_late_and_says_so_and_runs_when_they_come(config, catalog, lake):
    bars(lake, "2026-11-23", "A", "B")
    add(
        config,
        when_complete=["A", "B"],
        deadline="3h",
        when="2026-11-24T12:00:00",
        notify=["json://127.0.0.1:9"],
    )
    due = Due(catalog, lake)
    bars(lake, "2026-11-24", "A")
    due.mark(at("2026-11-24T21:00:00"))
    due.mark(at("2026-11-25T00:00:01"))
    due.mark(at("2026-11-25T00:00:02"))
    (row,) = catalog.occasions.list("nightly")
    assert row["state"] == "stale"
    assert row["why"] == "not complete by 2026-11-25 00:00 UTC: B has no bar of 2026-11-24"
    (notice,) = catalog.notices.list()
    assert (notice["title"], notice["kind"]) == ("nightly: stale", "failure")
    bars(lake, "2026-11-24", "B")
    due.mark(at("2026-11-25T01:00:00"))
    (row,) = catalog.occasions.list("nightly")
    assert (row["state"], row["why"]) == ("due", "the data came late")


def test_the_next_session_ends_the_wait_for_the_last(config, catalog, lake):
    bars(lake, "2026-11-23", "A")
    add(config, when_complete="A", deadline="5d", when="2026-11-24T12:00:00")
    due = Due(catalog, lake)
    due.mark(at("2026-11-24T21:00:00"))
    due.mark(at("2026-11-25T21:00:00"))
    assert [row[1] for row in seen(catalog)] == ["stale", "waiting"]
    bars(lake, "2026-11-24", "A")
    due.mark(at("2026-11-25T21:10:00"))
    assert [row[1] for row in seen(catalog)] == ["stale", "waiting"]
    bars(lake, "2026-11-25", "A")
    due.mark(at("2026-11-25T21:20:00"))
    assert [row[1] for row in seen(catalog)] == ["stale", "due"]


def test_minutes_are_complete_when_each_of_the_session_is_there(lake):
    rule = {"symbols": ["A"], "freq": "1h", "calendar": "XNYS"}
    close = at("2026-11-27T18:00:00")  # a half day: 14:30 to 18:00
    stamps = pd.date_range("2026-11-27 14:30", periods=4, freq="h", tz="UTC")
    assert lacking(lake, rule, close) == "A has no bar of 2026-11-27 14:30 and 3 more"
    frame = pd.DataFrame([ROW | {"symbol": "A", "freq": "1h", "ts": t} for t in stamps])
    lake.write(frame.drop(index=2))
    assert lacking(lake, rule, close) == "A has no bar of 2026-11-27 16:30"
    lake.write(frame)
    assert lacking(lake, rule, close) == ""
    weekly = {"symbols": ["A"], "freq": "1w", "calendar": "XNYS"}
    assert "2026-11-20" in lacking(lake, weekly, at("2026-11-24T21:00:00"))


def test_a_new_one_looks_at_the_session_that_closed_last(config, catalog, lake):
    bars(lake, "2013-03-01", "A")
    desk_schedules.add(config, "late", "toy", {}, when_complete="A")
    Due(catalog, lake).mark()
    (row,) = catalog.occasions.list("late")
    assert row["state"] == "waiting"
    assert datetime.fromisoformat(row["deadline"]) > datetime.now(UTC) + timedelta(hours=11)
    with pytest.raises(UnknownName, match="say which calendar"):
        desk_schedules.add(config, "none", "toy", {}, when_complete="Z")
    desk_schedules.add(config, "told", "toy", {}, when_complete="Z", calendar="XLON")
    bars(lake, "2013-03-01", "L", calendar="XLON")
    with pytest.raises(BadInput, match="XLON and XNYS as calendars"):
        desk_schedules.add(config, "both", "toy", {}, when_complete="A,L")


# ---- who runs it


@on_both
def test_one_is_held_by_one_and_a_dead_holder_is_succeeded_at_once(config, catalog):
    add(config, cron="0 * * * *")
    catalog.schedules.due_now("nightly", "now-1")
    mine = holder()
    held = catalog.occasions.claim(mine, 30)
    assert catalog.occasions.claim(holder(), 30) is None
    machine, _, began, word = mine.rsplit("/", 3)
    with catalog._rows.writing() as connection:
        connection.execute(update(occasions).values(holder=f"{machine}/999999999/{began}/{word}"))
    taken = catalog.occasions.claim(holder(), 30)
    assert (taken.seq, taken.token) == (held.seq, held.token + 1)
    assert not catalog.occasions.renew(held, 30)
    assert not catalog.occasions.begin(held, "run-x")
    assert not catalog.occasions.end(held, "succeeded", "", "run-x")
    assert catalog.occasions.renew(taken, 30)
    assert catalog.occasions.end(taken, "succeeded", "", "run-y")
    assert catalog.occasions.run_ids("nightly") == ["run-y"]


@on_both
def test_a_holder_elsewhere_is_succeeded_when_its_lease_and_its_run_are_silent(config, catalog):
    add(config, cron="0 * * * *")
    catalog.schedules.due_now("nightly", "now-1")
    held = catalog.occasions.claim("elsewhere/1/1/x", 30)
    catalog.occasions.begin(held, "r-1")
    said = {"id": "r-1", "template": "toy", "template_hash": "h", "outcome": "running", "started": "2026"}
    catalog.runs.add(said | {"host": "elsewhere", "pid": 1})
    catalog.runs.heartbeat("r-1")
    assert catalog.occasions.claim("w", 30) is None
    with catalog._rows.writing() as connection:
        connection.execute(update(occasions).values(lease=1.0))
    assert catalog.occasions.claim("w", 30) is None, (
        "its run is alive: it only lost the database for a moment"
    )
    catalog.runs.update("r-1", heartbeat=1.0)
    assert catalog.occasions.claim("w", 30).run_id == "r-1"


@on_both
def test_many_workers_take_each_one_once(config, catalog):
    for n in range(12):
        add(config, f"s{n}", cron="0 0 1 1 *")
        catalog.schedules.due_now(f"s{n}", "now-1")
        catalog.schedules.due_now(f"s{n}", "now-2")
    taken, go = [], threading.Barrier(4)

    def work():
        with closing(Catalog.open(config)) as own:
            mine = holder()
            go.wait()
            while (held := own.occasions.claim(mine, 30)) is not None:
                taken.append(held)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(held.schedule for held in taken) == sorted(f"s{n}" for n in range(12))
    assert all(held.token == 1 for held in taken)


# ---- taking away


def test_a_schedule_is_no_subscriber_to_be_removed_by_itself(config, catalog):
    from tapebook.integration.event_webhooks import unsubscribe

    add(config, on="scan.hit")
    with pytest.raises(BadInput, match="tapebook schedule remove nightly"):
        unsubscribe(catalog, "schedule:nightly")
    assert [row["name"] for row in catalog.subscribers.all()] == ["schedule:nightly"]


def test_an_address_lies_in_the_vault_and_goes_with_the_schedule(config, catalog):
    said = add(config, cron="0 0 * * *", notify=["json://user:pass-word-1@127.0.0.1/x"], notify_on="failure")
    assert said["notify"] == "json://…"
    assert "pass-word-1" not in json.dumps(catalog.schedules.get("nightly"))
    assert [row["id"] for row in catalog.secrets.list()] == ["notice.nightly.1"]
    add(config, "other", cron="0 0 * * *", notify=["secret:notice.nightly.1", "notice.nightly.1"])
    assert catalog.schedules.get("other")["notify"][0]["channel"] == "secret:notice.nightly.1"
    desk_schedules.remove(config, "nightly")
    desk_schedules.remove(config, "other")
    trash.empty(config, catalog, older_than=0)
    assert catalog.secrets.list() == []
    assert catalog.subscribers.all() == []
