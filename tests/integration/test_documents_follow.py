"""Which runs are written to documentation tools as they end, and that a slow tool holds up nothing else."""

import threading
import time

import pytest

from integration.findings import desk_of, run_folder
from integration.loopback import Web
from tapebook.data.catalog.event_types import ScanHit
from tapebook.data.catalog.events import Patience
from tapebook.errors import UnknownName
from tapebook.runs import documents, worker

QUICK = Patience(tries=2, first=0.0)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setattr("tapebook.integration.documents.picture.BROWSERS", ())
    (tmp_path / "notes").mkdir()
    with desk_of(tmp_path / "desk") as desk:
        desk.documents.add("notes", "folder", to=str(tmp_path / "notes"))
        yield desk


def ended(desk, id, template="toy", at="00:00:00", **said):
    """A run that succeeded: its folder, its row, its event."""
    run_folder(desk.config.reports, id, template=template, started=f"2026-11-26T{at}+00:00")
    row = {"id": id, "template": template, "template_hash": "h", "parameters": {"symbols": "AAPL"}}
    row |= {"symbols": ["AAPL"], "outcome": "running", "started": f"2026-11-26T{at}+00:00"}
    desk.catalog.runs.add(row)
    for key, value in said.items():
        desk.catalog.schedules.due_now(key, value)
    desk.catalog.runs.update(id, outcome="succeeded")


def pages(desk):
    documents.deliver_all(desk.config, desk.catalog, "me", QUICK)
    return {row["key"]: row["run_id"] for row in desk.catalog.documents.list()}


def test_only_runs_of_the_published_name_are_written(desk):
    ended(desk, "toy-1")
    desk.publish("toy-1", name="apple")
    desk.publish(template="trends", name="others")
    assert desk.documents.follow("notes", published="apple").endswith("published=apple")
    desk.documents.follow("notes", published="others")
    ended(desk, "toy-2")  # the name shows another run
    assert pages(desk) == {}
    ended(desk, "other-1", "trends")
    assert pages(desk) == {"others": "other-1"}
    ended(desk, "other-2", "trends", at="01:00:00")
    assert pages(desk) == {"others": "other-2"}
    desk.unpublish("others")
    ended(desk, "other-3", "trends", at="02:00:00")
    assert pages(desk) == {"others": "other-2"}
    assert desk.dead_letters().empty


def of_schedule(desk, name, id, at):
    """What a worker writes of a schedule's run: which it becomes, its end, and what came of the occasion."""
    number = desk.catalog.schedules.due_now(name, f"now-{id}")
    held = desk.catalog.occasions.claim("me", 60.0, number)
    assert desk.catalog.occasions.begin(held, id)
    ended(desk, id, at=at)
    assert desk.catalog.occasions.end(held, "succeeded", "", id)


def test_only_runs_of_the_schedule_are_written_and_an_old_one_does_not_come_back(desk, monkeypatch):
    with pytest.raises(UnknownName, match="no schedule named 'night'"):
        desk.documents.follow("notes", schedule="night")
    for name in ("night", "other"):
        desk.schedule(name, "trends", {"symbols": "AAPL"}, cron="0 0 * * *")
    desk.documents.follow("notes", schedule="night")
    ended(desk, "toy-0")  # by hand
    of_schedule(desk, "other", "toy-9", "00:30:00")
    of_schedule(desk, "night", "toy-1", "01:00:00")
    of_schedule(desk, "night", "toy-2", "02:00:00")
    seen = []
    publish = documents.publish_document

    def fails_once(*args, **how):
        seen.append(args[3].run)
        if seen.count("toy-1") in (1, 2) and args[3].run == "toy-1":
            raise OSError("the disk is full")
        return publish(*args, **how)

    monkeypatch.setattr(documents, "publish_document", fails_once)
    assert pages(desk) == {}  # tried again later
    assert pages(desk) == {"night": "toy-2"}
    (letter,) = desk.dead_letters().to_dict("records")
    assert "the disk is full" in letter["error"]
    desk.redeliver()
    assert pages(desk) == {"night": "toy-2"}
    assert seen == ["toy-1", "toy-1", "toy-2"]  # what came later stays
    assert desk.dead_letters().empty


def test_a_slow_tool_holds_up_neither_webhooks_nor_the_end(desk, monkeypatch):
    stuck, go = threading.Event(), threading.Event()

    def slow(*_):
        stuck.set()
        go.wait(60)

    monkeypatch.setattr(worker.documents, "deliver_all", slow)
    monkeypatch.setattr(worker, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(worker.Worker, "_warm", lambda *_: {})
    with Web() as web:
        desk.subscribe(web.url, ["scan.hit"])
        working = worker.Worker(desk.config, 1, QUICK)
        thread = threading.Thread(target=working.work, kwargs={"once": False})
        thread.start()
        try:
            assert stuck.wait(20)
            desk.catalog.events.add(ScanHit(scan="dips", symbol="A", change="entered", bar="2026-11-25"))
            until = time.monotonic() + 20
            while not web.got:
                assert time.monotonic() < until, "the webhook waits for the tool"
                time.sleep(0.02)
        finally:
            working.stop()
            thread.join(20)
            alive = thread.is_alive()
            go.set()
        assert not alive, "the worker waits for the tool"
