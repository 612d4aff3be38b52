"""The outbox on SQLite and PostgreSQL: what happened is read in order by everybody, come what may."""

import random
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import update

from tapebook.config import Config
from tapebook.data.catalog import Catalog
from tapebook.data.catalog.event_types import (
    IntegrationFailed,
    RunFinished,
    ScanHit,
    StrategyChanged,
    read_event,
)
from tapebook.data.catalog.events import Patience, put
from tapebook.data.catalog.lease import gone, holder
from tapebook.data.catalog.outbox_tables import event_cursors, events
from tapebook.errors import BadInput, UnknownName


@pytest.fixture(params=["sqlite", "postgres"])
def config(request, tmp_path):
    if request.param == "sqlite":
        return Config.load(tmp_path)
    return replace(Config.load(tmp_path), database=request.getfixturevalue("postgres_url"))


@pytest.fixture
def catalog(config):
    with closing(Catalog.open(config)) as catalog:
        yield catalog


def hit(symbol="AAPL", scan="dips"):
    return ScanHit(scan=scan, symbol=symbol, change="entered", bar="2026-11-25")


def symbols(found):
    return [event.symbol for event in found]


def run_row(id="r-1", **changes):
    said = {"id": id, "template": "backtest", "template_hash": "h", "parameters": {"symbols": "AAPL"}}
    return (
        said | {"symbols": ["AAPL"], "outcome": "running", "started": "2026-01-02T03:04:05+00:00"} | changes
    )


def test_an_event_comes_back_as_it_was_written(catalog):
    event = ScanHit(scan="dips", symbol="AAPL", change="left", bar="2026-11-25", values={"rsi": 29.5})
    catalog.events.add(event)
    (read,) = catalog.events.latest()
    assert read.seq == 1
    assert read == event.model_copy(update={"seq": 1})
    assert catalog.events.after(0, ["run.finished"]) == []
    assert symbols(catalog.events.after(0, ["scan.hit"])) == ["AAPL"]
    assert catalog.events.after(1) == []
    message = read.message()
    assert (message["topic"], message["id"], message["data"]["values"]) == (
        "scan.hit",
        event.id,
        {"rsi": 29.5},
    )


def test_what_is_no_event_is_refused(catalog):
    with pytest.raises(UnknownName, match="Did you mean 'run.finished'"):
        read_event("run.finish", "1", "2026", {})
    with pytest.raises(BadInput, match="symbol: Field required; smybol: Extra inputs"):
        read_event("scan.hit", "1", "2026", {"scan": "s", "smybol": "A", "change": "left", "bar": "2026"})
    with pytest.raises(ValueError, match="change"):
        hit().model_validate(hit().model_dump() | {"change": "wandered"})


def test_the_latest_come_oldest_first_and_since_a_time_or_a_number(catalog):
    for n in range(5):
        catalog.events.add(hit(f"S{n}").model_copy(update={"at": f"2026-11-0{n + 1}T00:00:00.000+00:00"}))
    assert symbols(catalog.events.latest(2)) == ["S3", "S4"]
    assert symbols(catalog.events.latest(since=3)) == ["S3", "S4"]
    assert symbols(catalog.events.latest(since="2026-11-02")) == ["S1", "S2", "S3", "S4"]


def test_an_event_and_its_change_land_together_or_not_at_all(catalog):
    catalog.runs.add(run_row())

    def undone():
        with catalog._rows.writing() as connection:
            put(connection, hit())
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        undone()
    assert catalog.events.latest() == []


def test_a_run_that_ends_is_told_once(catalog):
    catalog.runs.add(run_row())
    catalog.runs.heartbeat("r-1")
    catalog.runs.update("r-1", title="x")
    assert catalog.events.latest() == []
    assert catalog.runs.update("r-1", outcome="failed", error="KeyError: 'a'", seconds=2.5)
    assert catalog.runs.update("r-1", outcome="failed", title="y")
    (event,) = catalog.events.latest()
    assert isinstance(event, RunFinished)
    assert (event.run, event.template, event.outcome, event.symbols) == (
        "r-1",
        "backtest",
        "failed",
        ["AAPL"],
    )
    assert (event.error, event.seconds) == ("KeyError: 'a'", 2.5)


def test_a_lost_run_is_told_by_one_of_two_that_find_it(catalog):
    catalog.runs.add(run_row())
    assert catalog.runs.update("r-1", only_if="running", outcome="lost", error="Lost")
    assert not catalog.runs.update("r-1", only_if="running", outcome="lost", error="Lost")
    assert catalog.runs.update("r-1", outcome="cancelled")  # it had only been silent
    assert [event.outcome for event in catalog.events.latest()] == ["lost", "cancelled"]
    assert catalog.runs.get("r-1").outcome == "cancelled"


def test_changes_of_strategies_are_told(catalog):
    save = catalog.strategies.save
    save("mine", "x = 1", "h1")
    save("mine", "x = 2", "h2")
    save("mine", "x = 2", "h2")  # the same again is no change
    catalog.strategies.change("mine", 1, notes="why")
    catalog.strategies.archive("mine")
    catalog.strategies.restore("mine", 2)
    catalog.strategies.delete("mine", 2)
    told = catalog.events.latest()
    assert all(isinstance(event, StrategyChanged) for event in told)
    assert [event.told for event in told] == [
        "mine@1 saved", "mine@2 saved", "mine@1 noted", "mine archived", "mine@2 restored", "mine@2 deleted",
    ]  # fmt: skip


# ---- order and gaps


def test_a_row_that_commits_late_is_not_skipped(catalog):
    """The one of two writers that began first commits last: a cursor must still see both, in order."""
    began, go = threading.Event(), threading.Event()

    def slow():
        with catalog._rows.writing() as connection:
            put(connection, hit("FIRST"))
            began.set()
            go.wait(10)

    def quick():
        catalog.events.add(hit("SECOND"))

    first, second = threading.Thread(target=slow), threading.Thread(target=quick)
    first.start()
    began.wait(10)
    second.start()
    time.sleep(0.3)
    assert catalog.events.after(0) == []  # nothing, rather than the second alone
    go.set()
    first.join()
    second.join()
    assert symbols(catalog.events.after(0)) == ["FIRST", "SECOND"]


def test_a_reader_beside_eight_writers_reads_every_event_once_in_order(config, catalog):
    catalog.events.newest()

    def write(n):
        rng = random.Random(n)
        with closing(Catalog.open(config)) as own:
            for i in range(12):
                with own._rows.writing() as connection:
                    if connection.dialect.name == "postgresql":
                        time.sleep(rng.random() / 100)
                    put(connection, hit(f"{n}-{i}"))
                    time.sleep(rng.random() / 200)

    catalog.events.add(hit("start"))
    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    seen, last = [], 1
    until = time.monotonic() + 60
    while len(seen) < 96 and time.monotonic() < until:
        for event in catalog.events.after(last):
            assert event.seq > last
            seen.append(event.symbol)
            last = event.seq
    for thread in threads:
        thread.join()
    assert len(seen) == len(set(seen)) == 96
    for n in range(8):
        assert [s for s in seen if s.startswith(f"{n}-")] == [f"{n}-{i}" for i in range(12)]


def test_a_number_is_never_given_twice(catalog):
    catalog.events.add(hit("a"), hit("b"))
    with catalog._rows.writing() as connection:
        connection.execute(update(events).values(at="2020-01-01"))
    assert catalog.events.prune() == 2
    catalog.events.add(hit("c"))
    assert catalog.events.after(2)[0].symbol == "c"


def test_what_a_subscriber_still_waits_for_is_not_dropped(catalog):
    catalog.subscribers.add("slow", "webhook", ["scan.hit"])
    old = {"at": "2020-01-01T00:00:00.000+00:00"}
    catalog.events.add(hit("a").model_copy(update=old))
    catalog.events.add(StrategyChanged(name="m", version=1, change="saved").model_copy(update=old))
    assert catalog.events.prune() == 1
    assert symbols(catalog.events.latest()) == ["a"]


def test_a_sleeper_is_woken(catalog, config):
    catalog.events.add(hit("before"))
    writer = threading.Timer(0.2, lambda: catalog.events.add(hit()))
    with closing(catalog.events.waiter()) as waiter:
        waiter.wait(0.05)
        began = time.monotonic()
        assert not waiter.wait(0.3)
        assert time.monotonic() - began >= 0.29
        writer.start()
        began = time.monotonic()
        assert waiter.wait(120)
        assert time.monotonic() - began < 60
    writer.join()  # it has told, but may still hold a connection, which no catalogue closes that ends before


def test_a_sleeper_on_an_absent_catalogue_just_sleeps(tmp_path):
    waiter = Catalog.open(Config.load(tmp_path)).events.waiter()
    assert not waiter.wait(0.05)
    assert list(tmp_path.iterdir()) == []


# ---- cursors


def test_a_cursor_is_held_by_one_and_moves_for_its_holder_only(catalog):
    catalog.subscribers.add("a", "webhook", ["scan.hit"])
    catalog.events.add(hit("x"), hit("y"))
    held = catalog.subscribers.claim("a", "scan.hit", "one", 30)
    assert held.after == 0
    assert catalog.subscribers.claim("a", "scan.hit", "two", 30) is None
    assert catalog.subscribers.delivered(held, 1)
    with catalog._rows.writing() as connection:  # as if half a minute had passed
        connection.execute(update(event_cursors).values(lease=1.0))
    taken = catalog.subscribers.claim("a", "scan.hit", "two", 30)
    assert taken.after == 1
    assert not catalog.subscribers.delivered(held, 2), "the first holder was thought dead and moves nothing"
    assert catalog.subscribers.delivered(taken, 2)
    assert catalog.subscribers.due("webhook") == []


def test_a_failure_is_told_at_first_and_when_it_is_given_up(catalog):
    catalog.subscribers.add("a", "webhook", ["scan.hit", "integration.failed"])
    catalog.events.add(hit("x"))
    patience = Patience(tries=3, first=0)
    (event,) = catalog.events.after(0, ["scan.hit"])
    for tries in (1, 2, 3):
        held = catalog.subscribers.claim("a", "scan.hit", "one", 30)
        assert catalog.subscribers.failed(held, event, "it said 500", patience) == (tries, tries == 3)
    told = catalog.events.latest(topics=["integration.failed"])
    assert [(e.tries, e.final) for e in told] == [(1, False), (3, True)]
    (letter,) = catalog.subscribers.letters()
    assert (letter["subscriber"], letter["event_id"], letter["tries"]) == ("a", event.id, 3)
    held = catalog.subscribers.claim("a", "integration.failed", "one", 30)
    for _ in range(3):  # a failure to tell of failures is not told again: it would never end
        catalog.subscribers.failed(held, told[0], "500", patience)
    assert len(catalog.events.latest(topics=["integration.failed"])) == 2


def test_a_subscriber_that_changes_its_topics_keeps_its_place(catalog):
    catalog.subscribers.add("a", "webhook", ["scan.hit"])
    catalog.events.add(hit("x"))
    catalog.subscribers.add("a", "webhook", ["scan.hit", "run.finished"])
    assert catalog.subscribers.claim("a", "scan.hit", "h", 1).after == 0
    assert catalog.subscribers.claim("a", "run.finished", "h", 1).after == 1
    catalog.subscribers.add("a", "webhook", ["run.finished"])
    assert catalog.subscribers.claim("a", "scan.hit", "h", 1) is None
    with pytest.raises(BadInput, match="of another kind"):
        catalog.subscribers.add("a", "callback", ["scan.hit"])
    (row,) = catalog.subscribers.all()
    assert (row["name"], row["waiting"], row["dead"]) == ("a", 0, 0)
    catalog.subscribers.remove("a")
    with pytest.raises(UnknownName, match="subscription 'a' was deleted by .* brings it back"):
        catalog.subscribers.remove("a")


def test_a_holder_knows_whether_another_is_gone():
    mine = holder()
    assert not gone(mine)
    machine, pid, began, _ = mine.rsplit("/", 3)
    assert gone(f"{machine}/{pid}/1.00/x"), "the number was given to another process"
    assert gone(f"{machine}/999999999/{began}/x")
    assert not gone(f"elsewhere/{pid}/1.00/x")


def test_failed_events_hold_no_address():
    said = IntegrationFailed(integration="webhook", what="w", error="500").told
    assert said == "webhook: w: 500 (given up after 1)"
