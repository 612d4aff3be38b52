"""What a desk keeps: deleted and brought back with its files, noted, tagged, found."""

import json

import pytest
from click.testing import CliRunner
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from dashboards.records_made import make_run
from tapebook import Desk
from tapebook.cli import main
from tapebook.errors import BadInput, BadParameter, Changed, ConfigError, Deleted, TapebookError, UnknownName


@pytest.fixture(scope="module")
def desk(shared_home):
    with Desk.open(shared_home) as desk:
        yield desk


@pytest.fixture(autouse=True)
def ann(monkeypatch):
    monkeypatch.setenv("TAPEBOOK_USER", "ann")


def a_run(desk, id, outcome="succeeded"):
    make_run(desk.config.reports, id, outcome=outcome)
    row = {"id": id, "template": "backtest", "template_hash": "h", "outcome": outcome, "parameters": {}}
    desk.catalog.runs.add(row | {"started": "2026-11-01T22:15:00+00:00", "title": "Trend of Apple"})


def call(desk, *words, code=0, answer=None):
    done = CliRunner().invoke(main, ["--home", str(desk.config.home), *words], input=answer)
    assert done.exit_code == code, done.output
    return done


def test_a_result_comes_back_whole_until_the_trash_is_emptied(desk):
    bt = desk.backtest("sma_cross", "AAPL", fast=5, slow=20, note="too slow")
    folder, tried = desk.config.results / bt.id, len(desk.trials(batches=True))
    desk.tag(bt.id, "Keep", "odd")
    desk.delete_result(bt.id)
    assert bt.id not in set(desk.results()["id"])
    with pytest.raises(Deleted, match=f"result '{bt.id}' was deleted by ann on 20.*results restore {bt.id}"):
        desk.load(bt.id)
    assert folder.is_dir()
    assert bt.snapshot in desk.catalog.named_snapshots(), "what it read stays readable"
    (row,) = desk.trash().to_dict("records")
    assert (row["kind"], row["name"], row["who"], row["note"]) == ("result", bt.id, "ann", "too slow")
    desk.restore(bt.id)
    assert desk.load(bt.id).metrics.to_json() == bt.metrics.to_json()
    assert desk.item(bt.id)["tags"] == ["keep", "odd"]
    assert desk.results(tag="keep")["tags"].tolist() == [["keep", "odd"]]
    assert list(desk.log(bt.id)["what"]) == ["created", "tagged", "deleted", "restored"]
    desk.delete_result(bt.id)
    assert desk.empty_trash().empty, "it has just been deleted"
    assert len(desk.empty_trash(bt.id)) == 1
    assert not folder.exists()
    with pytest.raises(UnknownName, match="no deleted result named"):
        desk.restore(bt.id)
    assert desk.log(bt.id)["what"].iloc[-1] == "emptied"
    assert len(desk.trials(batches=True)) == tried, "what was tried stays counted"


def test_a_change_made_from_an_old_state_is_refused(desk, monkeypatch):
    desk.save_screen("dips", "close < sma(20)")
    seen = desk.item("dips")["revision"]
    monkeypatch.setenv("TAPEBOOK_USER", "bob")
    desk.note("dips", "Bob's word")
    told = rf"screen dips got another note by bob on 20.* it is at revision {seen + 1}, and this change was"
    with pytest.raises(Changed, match=told):
        desk.note("dips", "Ann's word", revision=seen)
    with pytest.raises(Changed, match=told):
        desk.tag("dips", "x", revision=seen)
    with pytest.raises(Changed, match="screen dips is at version 2 by now, not at 1, by bob"):
        desk.save_screen("dips", "close > 1", version=1)
    assert desk.item("dips")["note"] == "Bob's word"
    last = desk.log("dips").iloc[-1]
    assert (last["who"], last["before"], last["after"]) == ("bob", {"note": ""}, {"note": "Bob's word"})


def test_what_is_used_is_not_deleted_under_its_users(desk):
    desk.save_universe("two", ["AAPL", "MSFT"])
    desk.save_screen("mine", "close > 1", "@two")
    with pytest.raises(BadInput, match=r"used by screen mine \(`tapebook screen delete mine`\)"):
        desk.delete_universe("two")
    desk.schedule("nightly", "screen", {"screen": "mine"}, cron="0 0 * * *")
    with pytest.raises(BadInput, match=r"used by schedule nightly"):
        desk.delete_screen("mine")
    desk.remove_schedule("nightly")
    desk.delete_screen("mine")
    desk.delete_universe("two")
    assert {"schedule", "screen", "universe"} <= set(desk.trash()["kind"])
    for item in ("universe:two", "screen:mine", "schedule:nightly"):
        desk.restore(item)
    assert list(desk.universe("two").symbols) == ["AAPL", "MSFT"]
    assert desk.load_schedule("nightly")["state"] == "active"
    desk.secrets.set("token", "a-long-secret-value")
    desk.documents.add("notes", "webhook", to="https://example.com/x", token="secret:token")
    with pytest.raises(BadInput, match="used by documentation target notes"):
        desk.secrets.delete("token")
    desk.documents.remove("notes")
    desk.secrets.delete("token")
    assert list(desk.log("secret:token")["what"]) == ["created", "deleted"]
    with pytest.raises(UnknownName):
        desk.restore("secret:token")


def test_a_schedule_and_a_target_change_in_place_and_refuse_an_old_state(desk):
    def add(symbol, **more):
        return desk.schedule("morning", "backtest", {"symbols": symbol}, **more)

    add("AAPL", cron="0 7 * * *", notify="json://user:pass-word-1@127.0.0.1/x")
    with pytest.raises(BadInput, match=r"there is a schedule 'morning' already: replace it"):
        add("MSFT", cron="0 8 * * *")
    seen = desk.item("schedule:morning")["revision"]
    desk.pause_schedule("morning")
    with pytest.raises(Changed, match="schedule morning was changed by ann"):
        add("MSFT", on="bars.updated", replace=True, revision=seen)
    made = add("MSFT", on="bars.updated", replace=True, revision=seen + 1)
    assert (made["state"], made["parameters"]["symbols"]) == ("paused", "MSFT")
    assert [row["name"] for row in desk.catalog.subscribers.all("schedule")] == ["schedule:morning"]
    assert "notice.morning.1" not in set(desk.secrets.list()["name"]), "nobody uses it any more"
    last = desk.log("schedule:morning").iloc[-1]
    assert (last["before"]["rule"]["cron"], last["after"]["rule"]["topic"]) == ("0 7 * * *", "bars.updated")
    desk.remove_schedule("morning")
    assert desk.catalog.subscribers.all("schedule") == []
    desk.restore("schedule:morning")
    assert [row["name"] for row in desk.catalog.subscribers.all("schedule")] == ["schedule:morning"]
    desk.documents.add("folder", "folder", to=str(desk.config.home / "a"))
    desk.documents.add("folder", "folder", to=str(desk.config.home / "b"), revision=1)
    with pytest.raises(Changed, match="document folder was changed by ann"):
        desk.documents.add("folder", "folder", to=str(desk.config.home / "c"), revision=1)


def test_a_name_that_is_used_again_is_another_item(desk):
    desk.save_screen("again", "close > 1", note="the first")
    desk.tag("again", "first")
    desk.delete_screen("again")
    desk.save_screen("again", "close > 2")
    assert desk.item("again")["tags"] == []
    with pytest.raises(BadInput, match="there is another screen again by now"):
        desk.restore("again")
    desk.delete_screen("again")
    desk.restore("again")
    assert desk.catalog.screens.get("again").expression == "close > 2", "the one that was deleted last"


def test_runs_lie_aside_and_their_pages_say_so(desk):
    a_run(desk, "backtest-20261101-221500-aa")
    a_run(desk, "backtest-20261101-221500-bb")
    a_run(desk, "going", outcome="running")
    one, two = "backtest-20261101-221500-aa", "backtest-20261101-221500-bb"
    desk.pin_run(two)
    with pytest.raises(BadInput, match="is pinned: it stays until"):
        desk.delete_run(two)
    desk.catalog.runs.heartbeat("going")
    with pytest.raises(BadInput, match="has not ended: `tapebook runs cancel going`"):
        desk.delete_run("going")
    before = desk.load_run(one).metrics
    desk.delete_run(one)
    assert not (desk.config.reports / one).exists()
    with pytest.raises(Deleted, match="runs restore"):
        desk.load_run(one)
    assert set(desk.search("apple", kinds="run")["name"]) == {two, "going"}
    assert asked(desk, f"/run/{one}")[0] == 410
    assert "This report was deleted on 20" in asked(desk, f"/run/{one}")[1]
    assert asked(desk, f"/run/{one}", everything=False)[0] == 404
    assert asked(desk, "/run/.trash")[0] == 404
    desk.restore(one)
    assert desk.load_run(one).metrics == before
    desk.delete_run(one)
    desk.empty_trash(f"run:{one}")
    assert not (desk.config.reports / ".trash" / one).exists()


def asked(desk, path, everything=True):
    """Status and body of a page of the dashboards' own handlers."""
    import asyncio

    from tornado.httpclient import AsyncHTTPClient
    from tornado.web import Application

    from tapebook.dashboards.site import Report, Site
    from tapebook.dashboards.visible import Visible

    async def ask():
        site = Site(Visible(desk.config, everything=everything))
        server = HTTPServer(Application([(r"/(run)/([\w.-]+)()", Report, {"site": site})]))
        sock, port = bind_unused_port()
        server.add_socket(sock)
        answer = await AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}{path}", raise_error=False)
        server.stop()
        return answer.code, answer.body.decode()

    return asyncio.run(ask())


def test_emptying_that_is_broken_off_goes_on_later(desk, monkeypatch):
    bt = desk.backtest("sma_cross", "AAPL", fast=6, slow=20)
    desk.delete_result(bt.id)

    def broken(folder):
        raise PermissionError("not yours")

    with monkeypatch.context() as patch:
        patch.setattr("tapebook.runs.trash.shutil.rmtree", broken)
        with pytest.raises(TapebookError, match="cannot be removed .*not yours.*next `tapebook trash empty`"):
            desk.empty_trash(bt.id)
    with pytest.raises(BadInput, match="is being destroyed: it cannot come back"):
        desk.restore(bt.id)
    assert desk.empty_trash()["name"].tolist() == [bt.id], "whatever its age"
    assert not (desk.config.results / bt.id).exists()


def test_names_that_say_too_little_are_asked_for_more(desk):
    desk.save_screen("both", "close > 1")
    desk.save_universe("both", ["AAPL"])
    with pytest.raises(BadParameter, match="its kind as well: screen:both or universe:both"):
        desk.note("both", "x")
    with pytest.raises(UnknownName, match="no item named 'nobody'.*Name its kind"):
        desk.item("nobody")
    with pytest.raises(BadParameter, match="one word without commas"):
        desk.tag("screen:both", "two words")
    desk.note("universe:both", "noted", revision=1)
    assert desk.universe("both").version == 2, "who saves an earlier state takes no note back"


def test_the_command_line_does_it_all(desk):
    bt = desk.backtest("sma_cross", "MSFT", fast=7, slow=21)
    assert "at revision 2" in call(desk, "results", "note", bt.id, "slow exit, Café").stdout
    assert json.loads(call(desk, "results", "tag", bt.id, "to-review", "x", "--json").stdout) == [
        {"tag": "to-review"}, {"tag": "x"}
    ]  # fmt: skip
    call(desk, "results", "tag", bt.id, "--remove", "x")
    rows = json.loads(call(desk, "search", "cafe", '"slow exit"', "--tag", "to-review", "--json").stdout)
    assert [row["name"] for row in rows] == [bt.id]
    assert "to-review" in call(desk, "tags").stdout
    assert (
        "was made from revision 1"
        in call(desk, "results", "note", bt.id, "x", "--revision", "1", code=1).stderr
    )
    assert json.loads(call(desk, "results", "list", "--tag", "to-review", "--json").stdout)[0]["id"] == bt.id
    call(desk, "results", "delete", bt.id, "--yes")
    assert bt.id in call(desk, "trash", "list").stdout
    assert "results restore" in call(desk, "results", "show", bt.id, code=1).stderr
    assert "is back" in call(desk, "results", "restore", bt.id).stdout
    assert "restored" in call(desk, "results", "log", bt.id).stdout
    call(desk, "results", "delete", bt.id, "--yes")
    assert bt.id in call(desk, "trash", "empty", f"result:{bt.id}", "--dry-run").stdout
    call(desk, "trash", "empty", f"result:{bt.id}", code=1, answer="n\n")
    call(desk, "trash", "empty", "--all", "--yes")
    assert "the trash is empty" in call(desk, "trash", "list").stderr
    assert "at least one letter" in call(desk, "search", "???", code=1).stderr


def test_a_symbol_is_noted_tagged_and_found_while_it_is_there(desk):
    call(desk, "data", "note", "IBM", "Big Blue, splits twice")
    desk.tag("IBM", "hardware")
    assert desk.search("blue", tags="hardware")["name"].tolist() == ["IBM"]
    assert desk.search("ibm", kinds="symbol")["kind"].tolist() == ["symbol"]
    gone = desk.delete("IBM")
    assert gone.removed
    assert desk.search("blue").empty
    with pytest.raises(UnknownName, match="no symbol named 'IBM'"):
        desk.note("symbol:IBM", "x")
    desk.restore_bars(int(desk.audit(limit=1)["edit"].iloc[0]))
    assert desk.item("IBM")["note"] == "Big Blue, splits twice"
    assert desk.search("blue")["tags"].tolist() == [["hardware"]]


def test_the_trash_is_kept_as_long_as_the_desk_says(desk, monkeypatch):
    from tapebook.config import Config
    from tapebook.runs.trash import empty

    desk.save_screen("short", "close > 1")
    desk.delete_screen("short")
    wanted = ("screen", "short")
    assert wanted not in {(row["kind"], row["name"]) for row in empty(desk.config, desk.catalog)}
    monkeypatch.setenv("TAPEBOOK_TRASH_DAYS", "0")
    brief = Config.load(desk.config.home)
    assert wanted in {(row["kind"], row["name"]) for row in empty(brief, desk.catalog)}, "as the worker does"
    for wrong in ("soon", "-1", "nan"):
        monkeypatch.setenv("TAPEBOOK_TRASH_DAYS", wrong)
        with pytest.raises(ConfigError, match=f"trash_days is '{wrong}': expected days"):
            Config.load(desk.config.home)
