"""Events out of the desk: webhooks signed, again after a failure, in order; functions in a notebook."""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import psycopg
import pytest
from click.testing import CliRunner

from integration.loopback import Web
from tapebook import Desk
from tapebook.cli import main
from tapebook.data.catalog.event_types import ScanHit
from tapebook.data.catalog.events import Patience
from tapebook.data.catalog.lease import holder
from tapebook.errors import BadInput, UnknownName
from tapebook.integration import event_bars, event_webhooks
from tapebook.integration.event_listener import Listener

QUICK = Patience(tries=3, first=0.0)
ROW = {"freq": "1d", "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0}


def bars(day, *symbols, **changes):
    return pd.DataFrame([ROW | {"symbol": s, "ts": pd.Timestamp(day, tz="UTC")} | changes for s in symbols])


def hit(symbol="AAPL"):
    return ScanHit(scan="dips", symbol=symbol, change="entered", bar="2026-11-25")


@pytest.fixture
def desk(tmp_path):
    with Desk.open(tmp_path) as desk:
        yield desk


@pytest.fixture
def web():
    with Web() as web:
        yield web


def deliver(desk, patience=QUICK):
    return event_webhooks.deliver_all(desk.config, desk.catalog, holder(), patience)


def wait_for(what, seconds=60):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


# ---- from the lake


def test_each_snapshot_that_changes_bars_is_one_event(desk):
    desk.lake.write(bars("2026-11-23", "A", "B"))
    desk.lake.write(bars("2026-11-23", "A", "B"))  # the same again: no snapshot, no event
    desk.lake.write(bars("2026-11-24", "A", close=2.0))
    when = pd.Timestamp("2026-11-24", tz="UTC")
    split = pd.DataFrame({"symbol": ["B"], "ts": [when], "split": [2.0], "dividend": [0.0]})
    desk.lake.write(bars("2026-11-24", "A", close=3.0), actions=split)
    desk.delete("B")
    told = [(e.symbols, e.added, e.changed, e.removed, e.actions) for e in desk.events()]
    assert told == [
        (["A", "B"], 2, 0, 0, 0),
        (["A"], 1, 0, 0, 0),
        (["A", "B"], 0, 1, 0, 1),
        (["B"], 0, 0, 1, 1),
    ]
    first = desk.events()[0]
    assert (first.first[:10], first.freqs, first.complete) == ("2026-11-23", ["1d"], True)
    assert [e.snapshot for e in desk.events()] == list(desk.lake.snapshots()["id"])


def test_a_writer_that_is_killed_before_it_tells_loses_nothing(desk, tmp_path):
    code = (
        f"import os, pandas as pd; from tapebook import Desk; d = Desk.open({str(tmp_path)!r});"
        "row = dict(symbol='A', freq='1d', open=1., high=1., low=1., close=1., volume=1.);"
        "[d.lake.write(pd.DataFrame([row | dict(ts=pd.Timestamp('2026-11-0' + str(n), tz='UTC'))]))"
        " for n in (2, 3)]; os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert [event.added for event in desk.events()] == [1, 1]
    assert [event.added for event in desk.events()] == [1, 1]


def test_killed_between_events_and_mark_is_not_possible(desk, monkeypatch):
    desk.lake.write(bars("2026-11-23", "A"))
    before = desk.catalog.events.move_mark

    def dies(*args):
        monkeypatch.setattr("tapebook.data.catalog.events.put", lambda *_: 1 / 0)
        try:
            return before(*args)
        finally:
            monkeypatch.undo()

    monkeypatch.setattr(desk.catalog.events, "move_mark", dies)
    with pytest.raises(ZeroDivisionError):
        event_bars.tell(desk.lake, desk.catalog)
    assert desk.catalog.events.mark("lake") == -1
    assert len(desk.events()) == 1


def test_two_that_look_at_once_tell_it_once(desk):
    for day in range(1, 6):
        desk.lake.write(bars(f"2026-11-0{day}", "A"))
    desk.catalog.events.newest()
    go = threading.Barrier(4)

    def look():
        with Desk.open(desk.config.home) as own:
            go.wait()
            event_bars.tell(own.lake, own.catalog)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(desk.events()) == 5


def test_a_compaction_keeps_what_was_not_told(desk):
    for day in (1, 2, 3):
        desk.lake.write(bars(f"2026-11-0{day}", "A"))
    desk.compact()
    assert [event.added for event in desk.events()] == [1, 1, 1]
    desk.lake.write(bars("2026-11-04", "A", "B"))
    desk.lake.write(bars("2026-11-05", "A"))
    desk.lake.compact(until=desk.catalog.events.mark("lake"))  # as if a write came between
    assert [event.added for event in desk.events()] == [1, 1, 1, 2, 1]
    desk.lake.write(bars("2026-11-06", "B"))
    desk.lake.write(bars("2026-11-07", "A"))
    desk.lake.compact()  # behind the desk's back: too much is said rather than too little
    assert (desk.events()[-1].symbols, desk.events()[-1].complete) == (["A", "B"], False)


def test_a_lake_that_was_made_anew_is_told_again(desk):
    import shutil

    for day in (1, 2, 3):
        desk.lake.write(bars(f"2026-11-0{day}", "A"))
    assert len(desk.events()) == 3
    desk.close()
    shutil.rmtree(desk.config.lake)
    desk.lake._store.catalogue.unlink()
    desk.lake.write(bars("2026-11-09", "C"))
    assert desk.events()[-1].symbols == ["C"]


def test_symbols_that_failed_are_told(desk, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "BAD.csv").write_text("date,open,high,low,close,volume\n2026-11-23,1,x,1,1,1\n")
    done = desk.ingest("files", path=str(tmp_path / "in"))
    assert len(done.failed) == 1
    (event,) = desk.events()
    assert (event.integration, event.symbols) == ("files", ["BAD"])


# ---- webhooks


def test_a_webhook_gets_each_event_signed_and_in_order(desk, web):
    desk.catalog.events.add(hit("before"))
    name, secret = desk.subscribe(web.url, ["scan.hit"])
    assert name == f"127.0.0.1-{web.server_port}"
    assert deliver(desk) == 0
    desk.catalog.events.add(*(hit(f"S{n}") for n in range(5)))
    assert deliver(desk) == 5
    assert deliver(desk) == 0
    assert [body["data"]["symbol"] for body in web.bodies()] == [f"S{n}" for n in range(5)]
    headers, body = web.got[0]
    assert headers["webhook-id"] == json.loads(body)["id"]
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_a_failing_webhook_is_tried_again_and_its_topic_waits_but_no_other(desk, web):
    desk.subscribe(web.url, ["scan.hit", "strategy.changed"])
    desk.catalog.events.add(hit("one"), hit("two"))
    desk.catalog.strategies.save("mine", "x = 1", "h")
    web.answers[:] = [500]
    assert deliver(desk) == 1  # the other topic went
    assert [body["topic"] for body in web.bodies()] == ["strategy.changed"]
    row = desk.catalog.subscribers.all()[0]
    assert (row["waiting"], row["error"]) == (2, f"127.0.0.1:{web.server_port} answered 500")
    assert deliver(desk) == 2
    assert [body["data"].get("symbol") for body in web.bodies()][1:] == ["one", "two"]
    told = desk.events(topics=["integration.failed"])
    assert [(event.tries, event.final) for event in told] == [(1, False)]


def test_after_all_tries_it_is_a_dead_letter_that_can_be_sent_again(desk, web):
    name, _ = desk.subscribe(web.url, ["scan.hit"])
    desk.catalog.events.add(hit("one"), hit("two"))
    web.answers[:] = [500, 503, 404]
    for _ in range(3):
        deliver(desk)
    assert [body["data"]["symbol"] for body in web.bodies()] == ["two"], (
        "the next one is not held up for ever"
    )
    (letter,) = desk.dead_letters().to_dict("records")
    assert (letter["subscriber"], letter["tries"]) == (name, 3)
    assert "answered 404" in letter["error"]
    assert desk.redeliver([letter["seq"]]) == 1
    web.answers[:] = [500]
    deliver(desk)
    assert desk.dead_letters()["tries"].tolist() == [4]
    assert desk.redeliver() == 1
    assert deliver(desk) == 1
    assert [body["data"]["symbol"] for body in web.bodies()] == ["two", "one"]
    assert desk.dead_letters().empty


def test_a_webhook_is_heard_when_it_asks_to_wait(desk, web):
    desk.subscribe(web.url, ["scan.hit"])
    desk.catalog.events.add(hit())
    web.answers[:] = [(429, {"retry-after": "120"})]
    deliver(desk)
    assert desk.catalog.subscribers.due("webhook") == []
    assert 100 < desk.catalog.subscribers.next_try() - time.time() < 121


def test_one_that_drips_is_cut_off(desk, web, monkeypatch):
    monkeypatch.setattr(event_webhooks, "ANSWER_SECONDS", 0.5)
    desk.subscribe(web.url, ["scan.hit"])
    desk.catalog.events.add(hit())

    said = []

    def drip(handler):
        for part in "HTTP/1.1 200 OK" * 40:
            try:
                handler.wfile.write(part.encode())
            except OSError:
                return
            said.append(part)
            time.sleep(0.1)

    web.answers[:] = [drip]
    assert deliver(desk) == 0
    assert len(said) < 300, "it was heard out"
    assert "did not answer within 0.5 s" in desk.catalog.subscribers.all()[0]["error"]


def test_a_redirect_is_not_followed_and_nobody_there_is_a_failure(desk, web):
    desk.subscribe(web.url, ["scan.hit"], name="moved")
    desk.subscribe("http://127.0.0.1:9/x", ["scan.hit"], name="nobody")
    desk.catalog.events.add(hit())
    web.answers[:] = [(302, {"location": web.url})]
    deliver(desk)
    errors = {row["name"]: row["error"] for row in desk.catalog.subscribers.all()}
    assert "answered 302" in errors["moved"]
    assert "127.0.0.1:9: ConnectError" in errors["nobody"]


def test_neither_address_nor_secret_is_in_what_the_desk_wrote(desk, web):
    name, secret = desk.subscribe(web.url)
    web.answers[:] = [500]
    desk.catalog.events.add(hit())
    deliver(desk)
    desk.close()
    for path in Path(desk.config.home).rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            assert b"tok-0123456789" not in text, path
            assert secret.removeprefix("whsec_").encode() not in text, path
    desk.unsubscribe(name)
    assert len(desk.catalog.secrets.list()) == 2, "it may come back"
    desk.empty_trash(older_than=0)
    assert [row["id"] for row in desk.catalog.secrets.list()] == []


def test_the_same_address_keeps_its_name_and_another_at_the_host_gets_its_own(desk, web):
    name, secret = desk.subscribe(web.url)
    assert desk.subscribe(web.url) == (name, secret)
    other, another = desk.subscribe(web.url + "2")
    assert (other, another != secret) == (f"{name}-2", True)
    with pytest.raises(BadInput, match="starts with http"):
        desk.subscribe("ftp://somewhere")
    with pytest.raises(UnknownName, match="Did you mean 'scan.hit'"):
        desk.subscribe(web.url, ["scan.hits"])


# ---- a function in a notebook


def test_a_function_is_called_with_each_event(desk):
    heard = []
    with desk.on("bars.updated", heard.append) as listener:
        assert "listening" in repr(listener)
        desk.lake.write(bars("2026-11-23", "A"))  # nobody tells: the listener looks itself
        wait_for(lambda: heard)
        with Desk.open(desk.config.home) as other:
            other.lake.write(bars("2026-11-24", "B"))
            other.events()
        wait_for(lambda: len(heard) == 2)
    assert [event.symbols for event in heard] == [["A"], ["B"]]
    desk.lake.write(bars("2026-11-25", "C"))
    assert desk.subscribers().empty
    assert len(heard) == 2
    with pytest.raises(UnknownName, match="Did you mean 'bars.updated'"):
        desk.on("bars.update", heard.append)


def test_a_named_one_hears_what_happened_while_it_was_away(desk):
    heard = []
    desk.on("scan.hit", heard.append, name="mine").close()
    desk.catalog.events.add(hit("meanwhile"))
    with desk.on("scan.hit", heard.append, name="mine"):
        wait_for(lambda: heard)
    with desk.on("scan.hit", heard.append, name="mine"):
        time.sleep(0.3)
    assert [event.symbol for event in heard] == ["meanwhile"]


def test_a_function_that_raises_is_called_again_then_passed_over(desk):
    heard = []

    def sometimes(event):
        heard.append(event.symbol)
        if event.symbol == "bad" or len(heard) == 1:
            raise KeyError(event.symbol)

    listener = Listener(
        desk.config, ["scan.hit"], sometimes, name="mine", patience=Patience(tries=2, first=0.0)
    )
    with listener:
        desk.catalog.events.add(hit("first"), hit("bad"), hit("last"))
        wait_for(lambda: "last" in heard)
    assert heard == ["first", "first", "bad", "bad", "last"]
    assert listener.errors == 3
    assert desk.dead_letters()["error"].tolist() == ["KeyError: 'bad'"]


# ---- the command line


def test_the_command_line_shows_and_subscribes(desk, web):
    def call(*args, code=0):
        done = CliRunner().invoke(main, ["--home", str(desk.config.home), "events", *args])
        assert done.exit_code == code, done.output
        return done

    assert "tapebook ingest" in call("tail").stderr
    desk.catalog.events.add(hit("A"), hit("B"))
    assert "B entered dips" in call("tail", "--limit", "1").stdout
    assert "A entered" not in call("tail", "--limit", "1").stdout
    rows = json.loads(call("tail", "--json", "--since", "1h").stdout)
    assert [row["data"]["symbol"] for row in rows] == ["A", "B"]
    assert rows[0].keys() == {"seq", "id", "topic", "at", "data"}
    assert json.loads(call("tail", "--json", "--since", "1").stdout)[0]["seq"] == 2
    assert json.loads(call("tail", "--json", "--since", "2099").stdout) == []
    assert json.loads(call("tail", "--json", "--topic", "run.finished").stdout) == []
    assert "length of time" not in call("tail", "--since", "nonsense", code=1).stderr
    made = json.loads(call("subscribe", web.url, "--topic", "scan.hit", "--json", "--since", "0").stdout)
    assert made["secret"].startswith("whsec_")
    shown = call("subscribers").stdout
    assert made["name"] in shown
    assert "tok-0123456789" not in shown
    web.answers[:] = [500] * 3
    for _ in range(3):
        deliver(desk)
    (letter,) = json.loads(call("dead", "--json").stdout)
    assert "say which" in call("redeliver", code=2).stderr
    assert "1 will be tried" in call("redeliver", str(letter["seq"])).stdout
    assert deliver(desk) == 1
    call("unsubscribe", made["name"], "--yes")
    assert json.loads(call("subscribers", "--json").stdout) == []
    assert "no subscriber named 'nobody'" in call("unsubscribe", "nobody", "--yes", code=1).stderr


def test_a_team_is_woken_at_once(tmp_path, postgres_url, monkeypatch):
    """By the notice of the database: the listener looks by itself in an hour's time only."""
    from dataclasses import replace

    from tapebook.config import Config
    from tapebook.data.catalog import Catalog

    monkeypatch.setattr("tapebook.integration.event_listener.LOOK_SECONDS", 3600.0)
    config = replace(Config.load(tmp_path), database=postgres_url)
    heard, listens = [], "SELECT 1 FROM pg_stat_activity WHERE application_name = 'tapebook listens'"
    with closing(Catalog.open(config)) as catalog, Listener(config, ["scan.hit"], heard.append) as listener:
        with psycopg.connect(postgres_url, autocommit=True) as looking:
            wait_for(lambda: looking.execute(listens).fetchone())
        time.sleep(0.3)  # it has looked once more by now; what comes sooner is heard too
        catalog.events.add(hit("first"))
        wait_for(lambda: heard)
        listener._stop.set()
        catalog.events.add(hit("last"))  # or it would sleep for the rest of its hour


def test_a_receiver_can_tell_what_is_ours_and_what_is_old(web, desk):
    _, secret = desk.subscribe(web.url, ["scan.hit"])
    desk.catalog.events.add(hit())
    deliver(desk)
    ((headers, body),) = web.got
    event_webhooks.verify(secret, headers, body)
    named = {name.lower(): value for name, value in headers.items()}
    sent = float(named["webhook-timestamp"])
    for told, changed, content, now in (
        ("sent again", {}, body, sent + 301),
        ("sent again", {"webhook-timestamp": f"{sent + 301:.0f}"}, body, sent),
        ("sent again", {"webhook-timestamp": "now"}, body, sent),
        ("was changed", {"webhook-timestamp": f"{sent + 1:.0f}"}, body, sent),
        ("was changed", {"webhook-id": "other"}, body, sent),
        ("was changed", {}, body.replace(b"AAPL", b"MSFT"), sent),
        ("was changed", {"webhook-signature": "v1,AAAA"}, body, sent),
    ):
        with pytest.raises(BadInput, match=told):
            event_webhooks.verify(secret, named | changed, content, now=now)
    with pytest.raises(BadInput, match="has no webhook-id, webhook-timestamp"):
        event_webhooks.verify(secret, {"Webhook-Signature": "v1,x"}, body)
