"""What changes, deletes or restores an item takes the revision it was made from; an old one is refused."""

import json

import click
import pytest
from click.testing import CliRunner

from dashboards.records_made import make_run
from tapebook import Desk
from tapebook.cli import main
from tapebook.errors import BadInput, Changed, Deleted, TapebookError, UnknownName

RUN, RESULT, SCAN = "backtest-20261101-221500-aa", "bt-1", "trends-1"
AT = "2026-11-01T22:15:00+00:00"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    home = tmp_path_factory.mktemp("desk")
    (home / "tapebook.toml").touch()
    with Desk.open(home) as desk, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPEBOOK_USER", "ann")
        fill(desk)
        yield desk


def fill(desk):
    """One item of each kind, each at revision 1."""
    said = {"symbols": ["AAPL"], "params": {}, "created": AT, "snapshot": None}
    desk.catalog.results.add(
        said | {"id": RESULT, "strategy": "sma_cross", "rules": {}, "metrics": {}, "code_hash": "abc"}
    )
    desk.catalog.scans.add(
        said
        | {"id": SCAN, "kind": "trends", "question": "q", "freq": "1d", "start": AT, "end": AT, "asked": 1}
        | {"held": 0, "coverage": 1.0, "summary": "nothing holds"}
    )
    make_run(desk.config.reports, RUN)
    row = {"id": RUN, "template": "backtest", "template_hash": "h", "outcome": "succeeded", "parameters": {}}
    desk.catalog.runs.add(row | {"started": AT, "title": "Trend"})
    desk.catalog.strategies.save("calm", "def calm(): ...", "hash-of-calm")
    desk.save_screen("dips", "close > 1")
    desk.save_universe("two", ["AAPL", "MSFT"])
    desk.schedule("nightly", "screen", {"screen": "dips"}, cron="0 0 * * *")
    desk.remove_schedule("nightly")  # a screen that is used is not deleted
    desk.schedule("late", "backtest", {"symbols": "AAPL"}, cron="0 0 * * *")
    desk.documents.add("notes", "folder", to=str(desk.config.home / "notes"))
    desk.catalog.documents.claim("notes", "page", "me")
    desk.subscribe("http://127.0.0.1:9/hook", ["run.finished"], name="hook")
    desk.secrets.set("token", "a-long-secret-value")
    desk.publish(template="portfolio", name="apple")


def again(desk, revision):
    return desk.schedule(
        "late", "backtest", {"symbols": "MSFT"}, cron="0 1 * * *", replace=True, revision=revision
    )


EDITS = {
    "strategy:calm@1": [
        lambda desk, n: desk.update_version("calm@1", notes="x", revision=n),
        lambda desk, n: desk.delete_strategy("calm@1", revision=n),
    ],
    f"result:{RESULT}": [lambda desk, n: desk.delete_result(RESULT, revision=n)],
    f"scan:{SCAN}": [lambda desk, n: desk.delete_scan(SCAN, revision=n)],
    f"run:{RUN}": [
        lambda desk, n: desk.pin_run(RUN, revision=n),
        lambda desk, n: desk.unpin_run(RUN, revision=n),
        lambda desk, n: desk.delete_run(RUN, revision=n),
    ],
    "screen:dips": [
        lambda desk, n: desk.save_screen("dips", "close > 2", revision=n),
        lambda desk, n: desk.delete_screen("dips", revision=n),
    ],
    "universe:two": [
        lambda desk, n: desk.save_universe(desk.universe("two").added("IBM"), revision=n),
        lambda desk, n: desk.delete_universe("two", revision=n),
    ],
    "schedule:late": [
        lambda desk, n: desk.pause_schedule("late", revision=n),
        lambda desk, n: desk.resume_schedule("late", revision=n),
        again,
        lambda desk, n: desk.remove_schedule("late", revision=n),
    ],
    "document:notes": [
        lambda desk, n: desk.documents.add("notes", "folder", to=str(desk.config.home / "b"), revision=n),
        lambda desk, n: desk.documents.delete("notes", "page", revision=n),
        lambda desk, n: desk.documents.remove("notes", revision=n),
    ],
    "subscription:hook": [
        lambda desk, n: desk.subscribe("http://127.0.0.1:9/hook", ["bars.updated"], name="hook", revision=n),
        lambda desk, n: desk.unsubscribe("hook", revision=n),
    ],
    "publication:apple": [
        lambda desk, n: desk.publish(name="apple", title="Apple", revision=n),
        lambda desk, n: desk.unpublish("apple", revision=n),
    ],
    "secret:token": [
        lambda desk, n: desk.secrets.set("token", "another-secret-value", revision=n),
        lambda desk, n: desk.secrets.delete("token", revision=n),
    ],
}


@pytest.mark.parametrize("item", EDITS)
def test_a_change_made_from_an_old_revision_is_refused_and_changes_nothing(desk, item):
    kind, _, name = item.partition(":")
    for act in EDITS[item]:
        seen = desk.note(item, f"noted before {len(desk.log(item))}")
        rows = desk.log(item)
        with pytest.raises(Changed, match=f"is at revision {seen}, .*made from revision {seen - 1}"):
            act(desk, seen - 1)
        assert len(desk.log(item)) == len(rows)
        act(desk, seen)
        last = desk.log(item).iloc[-1]
        assert last["revision"] > seen, f"{last['what']} is not in the history"
    with pytest.raises(TapebookError):
        desk.item(item)
    if kind == "secret":
        return
    (lies,) = desk.trash(kind).query("name == @name").to_dict("records")
    with pytest.raises(Changed, match=f"was deleted by ann .*at revision {lies['revision']}"):
        desk.restore(item, revision=lies["revision"] - 1)
    desk.restore(item, revision=lies["revision"])
    assert desk.item(item)["revision"] == lies["revision"] + 1


@pytest.mark.parametrize("kind", ["screen", "universe", "publication", "secret", "document", "subscription"])
def test_a_revision_of_what_is_not_there_makes_nothing(desk, kind):
    makes = {
        "screen": lambda: desk.save_screen("none", "close > 2", revision=1),
        "universe": lambda: desk.save_universe("none", ["A"], revision=1),
        "publication": lambda: desk.publish(name="none", template="portfolio", revision=1),
        "secret": lambda: desk.secrets.set("none", "a-long-secret-value", revision=1),
        "document": lambda: desk.documents.add("none", "folder", to="/nowhere", revision=1),
        "subscription": lambda: desk.subscribe("http://127.0.0.1:9/hook", name="none", revision=1),
    }
    with pytest.raises(UnknownName, match=f"no {kind} named 'none'"):
        makes[kind]()
    with pytest.raises(UnknownName):
        desk.item(f"{kind}:none")


def test_a_name_comes_back_with_what_it_showed_unless_that_is_gone(desk):
    desk.publish(RUN, name="trend", title="Apple's trend", description="Every night")
    desk.note("publication:trend", "Every evening")
    assert desk.published().set_index("name").loc["trend", "shows"] == f"run {RUN}"
    assert desk.catalog.publications.get("trend")["description"] == "Every evening"
    desk.unpublish("trend")
    assert "trend" not in set(desk.published()["name"])
    with pytest.raises(Deleted, match="tapebook published restore trend"):
        desk.published_history("trend")
    desk.delete_run(RUN)
    with pytest.raises(BadInput, match=f"run {RUN}, which it shows, was deleted meanwhile.*runs restore"):
        desk.restore("publication:trend")
    desk.restore(f"run:{RUN}")
    desk.restore("publication:trend")
    assert desk.published_history("trend")["run"].tolist() == [RUN]
    found = desk.search("evening", kinds="publication")
    assert found["name"].tolist() == ["trend"]


def test_every_word_that_changes_something_takes_a_revision():
    changing = {"delete", "restore", "note", "tag", "remove", "unsubscribe", "unpublish", "pause", "resume"}
    changing |= {"pin", "unpin", "publish", "subscribe", "set", "end"}
    without = {  # bars have their own (--seen); a run is no item that is changed, but one that is written
        "data delete", "data restore", "document publish", "kernel remove"
    }  # fmt: skip
    missing = [
        path
        for path, command in words(main, "")
        if path.split()[-1] in changing and path not in without
        and not any(option.name == "revision" for option in command.params)
    ]  # fmt: skip
    assert not missing


def words(group, path):
    for name, command in group.commands.items():
        full = f"{path} {name}".strip()
        if isinstance(command, click.Group):
            yield from words(command, full)
        else:
            yield full, command


def test_the_command_line_refuses_too(desk):
    def call(*words, code=0):
        done = CliRunner().invoke(main, ["--home", str(desk.config.home), *words])
        assert done.exit_code == code, done.output
        return done.output

    call("publish", "--template", "portfolio", "--as", "evening")
    call("published", "tag", "evening", "good")
    assert "at revision 2, and this change" in call("unpublish", "evening", "--revision", "1", code=1)
    call("unpublish", "evening", "--revision", "2")
    row = next(r for r in json.loads(call("trash", "list", "--json")) if r["name"] == "evening")
    assert row["revision"] == 3
    call("published", "restore", "evening", "--revision", "3")
    assert json.loads(call("published", "evening", "--json")) == []
    assert {row["name"] for row in json.loads(call("published", "--json"))} >= {"evening"}
    told = call("results", "delete", "a", "b", "--revision", "1", "--yes", code=2)
    assert "--revision is of one item, but 2 are named" in told


def test_the_log_of_corrections_can_be_asked_in_sql(desk, shared_home):
    empty = desk.sql("SELECT number, who, was_close, close FROM edits")
    assert empty.empty
    with Desk.open(shared_home) as other:
        before = other.lake.snapshots()["id"].max()
        assert other.sql("SELECT count(*) AS n FROM edits")["n"].item() == 0
        other.edit_bars("AAPL", "2010-01-04", close=213.5, reason="typed wrong")
        row = other.sql("SELECT symbol, what, reason, close FROM edits").to_dict("records")
        assert row == [{"symbol": "AAPL", "what": "edited", "reason": "typed wrong", "close": 213.5}]
        assert other.sql("SELECT count(*) AS n FROM edits", asof=int(before))["n"].item() == 0
        assert "AAPL" in set(other.search("apple", kinds="symbol")["name"])
