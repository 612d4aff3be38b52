"""Bars corrected by hand: judged, written down, kept from the vendor, and put back."""

import json

import pytest
from click.testing import CliRunner

from tapebook import Desk
from tapebook.cli import main
from tapebook.errors import BadInput, BadParameter, Changed, TapebookError, UnknownName
from test_revisions import Revising

DAY = "2006-03-01"


@pytest.fixture(scope="module")
def desk(shared_home):
    with Desk.open(shared_home) as desk:
        yield desk


@pytest.fixture(autouse=True)
def ann(monkeypatch):
    monkeypatch.setenv("TAPEBOOK_USER", "ann")


def close(desk, symbol="IBM", day=DAY, asof=None):
    return float(desk.bars(symbol, start=day, end=day, adjust=False, asof=asof).close[symbol].iloc[0])


def test_an_edit_is_judged_written_down_and_makes_results_stale(desk):
    before, snapshot = close(desk), desk.lake.snapshot()
    bt = desk.backtest("sma_cross", desk.bars("IBM", start="2005"), fast=10, slow=50)
    other = desk.backtest("sma_cross", desk.bars("AAPL"), fast=10, slow=50)
    done = desk.edit_bars("IBM", DAY, close=before + 0.25, reason="misprint", seen=snapshot)
    assert str(done) == f"edit {done.number}: 1 edited in snapshot {done.snapshot}"
    assert close(desk) == before + 0.25
    assert close(desk, asof=snapshot) == before, "the snapshot before stays readable"
    (row,) = desk.audit("IBM").head(1).to_dict("records")
    assert (row["edit"], row["who"], row["what"], row["bars"]) == (done.number, "ann", "edited", 1)
    assert (row["reason"], row["snapshot before"]) == ("misprint", snapshot)
    (bar,) = desk.audit(edit=done.number).to_dict("records")
    assert (bar["was_close"], bar["close"], str(bar["ts"])[:10]) == (before, before + 0.25, DAY)
    stale = desk.results().set_index("id")["stale"]
    assert stale[bt.id] == f"1 bars of IBM revised by snapshot {done.snapshot}"
    assert stale[other.id] == ""
    assert desk.revisions("IBM").iloc[0]["note"] == f"edit {done.number} by ann: misprint"
    assert desk.events(1, topics=["bars.updated"])[0].note.startswith(f"edit {done.number} by ann")
    desk.compact()
    assert close(desk, asof=snapshot) == before, "nor does a compaction drop it"
    back = desk.restore_bars(done.number)
    assert (close(desk), back.bars["what"].to_list()) == (before, ["restored"])
    with pytest.raises(
        BadInput, match=f"edit {done.number} was undone already, by ann on .* \\(edit {back.number}\\)"
    ):
        desk.restore_bars(done.number)


@pytest.mark.parametrize(
    ("said", "error", "told"),
    [
        ({"low": 999.0}, BadInput, "IBM 2006-03-01: high .* below low 999"),
        ({"close": 999.0}, BadInput, "IBM 2006-03-01: close 999 outside low"),
        ({"close": -1.0}, BadInput, "a price must be above 0"),
        ({"close": float("inf")}, BadInput, "is infinite"),
        ({"clse": 1.0}, UnknownName, "Did you mean 'close'"),
        ({}, BadParameter, "at least one of open, high"),
        ({"close": 80.0, "ts": "2006-03-04"}, BadInput, "no bar IBM 2006-03-04: to make a new one"),
        ({"close": 80.0, "ts": "2006-03-04", "add": True}, BadInput, "needs open, high, low and close"),
        ({"close": 80.0, "ts": "2006-03-01 14:30"}, BadInput, "has a time of day"),
        ({"close": 80.0, "bars": "IBN"}, UnknownName, "Did you mean 'IBM'"),
        ({"close": 80.0, "reason": " "}, BadParameter, "why the bars are changed"),
        ({"close": 80.0, "was_close": 1.0}, Changed, "close is .* now and was 1 as it was seen"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_nothing_is_written(desk, said, error, told):
    asked = {"bars": "IBM", "ts": DAY, "reason": "a test"} | said
    snapshot = desk.lake.snapshot()
    with pytest.raises(error, match=told):
        desk.edit_bars(asked.pop("bars"), asked.pop("ts"), **asked)
    assert desk.lake.snapshot() == snapshot


def test_a_lost_update_is_refused_and_says_who_and_when(desk, monkeypatch):
    seen, before = desk.lake.snapshot(), close(desk)
    desk.edit_bars("IBM", DAY, close=before + 0.1, reason="from the bulletin")
    monkeypatch.setenv("TAPEBOOK_USER", "bob")
    told = (
        r"IBM 2006-03-01 was changed by ann on 20.* \(edit \d+, from the bulletin\): close is .* in snapshot"
    )
    with pytest.raises(Changed, match=told):
        desk.edit_bars("IBM", DAY, close=before - 0.1, reason="other", seen=seen)
    with pytest.raises(Changed, match="was edited by ann on .*say the snapshot"):
        desk.edit_bars("IBM", DAY, close=before - 0.1, reason="other")
    done = desk.edit_bars("IBM", DAY, close=before - 0.1, reason="other", seen=desk.lake.snapshot())
    with pytest.raises(Changed, match="by bob"):
        desk.restore_bars(done.number - 1)
    desk.restore_bars(done.number)
    desk.restore_bars(done.number - 1)
    assert close(desk) == before


def test_a_correction_is_kept_when_the_vendor_sends_the_bar_again(desk, monkeypatch):
    before = close(desk)
    edit = desk.edit_bars("IBM", DAY, close=before + 0.25, reason="misprint")
    struck = desk.delete("IBM", start="2006-03-02", end="2006-03-02", reason="bad print")
    again = desk.ingest("sample", "IBM").rows[0]
    assert (again.added, again.changed, close(desk)) == (0, 0, before + 0.25)
    assert again.reason == "2 bars corrected by hand are kept"
    only = desk.ingest("sample", "IBM", start="2006-03-02", end="2006-03-02").rows[0]
    assert (only.outcome, only.reason) == ("unchanged", "1 bar corrected by hand is kept")
    vendor = desk.ingest(Revising({DAY: 1.001, "2006-03-02": 1.001, "2006-03-03": 1.001}), "IBM").rows[0]
    assert (vendor.changed, vendor.added) == (1, 0), "only the bar that nobody has corrected"
    assert "the source has other values by now for 2 of them" in vendor.reason
    assert "2006-03-01: close" in vendor.reason
    assert close(desk) == before + 0.25
    (row,) = desk.audit("IBM", limit=1).to_dict("records")
    assert (row["what"], row["who"], row["bars"]) == ("conflict", "sample", 2)
    bars = desk.audit(edit=row["edit"]).set_index("ts")
    assert bars["was_close"].tolist()[0] == before + 0.25, "what is kept"
    assert bars["close"].tolist()[0] == pytest.approx(before * 1.001), "what the vendor has"
    assert bars["was_close"].isna().tolist() == [False, True], "the other was struck out"
    desk.ingest(Revising({DAY: 1.001, "2006-03-02": 1.001, "2006-03-03": 1.001}), "IBM", refresh=True)
    assert desk.audit("IBM", limit=1)["edit"].item() == row["edit"], "the same is told once"
    assert desk.ingest(Revising({DAY: 1.003}), "IBM", dry_run=True).rows[0].outcome in (
        "dry run",
        "unchanged",
    )
    assert desk.audit("IBM", limit=1)["edit"].item() == row["edit"], "and nothing by a dry run"
    with pytest.raises(BadInput, match=rf"edit {row['edit']} changed nothing: it says what sample has"):
        desk.restore_bars(row["edit"])
    monkeypatch.setenv("TAPEBOOK_USER", "bob")
    with pytest.raises(Changed, match="was edited by ann on .*say the snapshot"):
        desk.edit_bars("IBM", DAY, close=before + 0.1, reason="it stands as before")
    monkeypatch.setenv("TAPEBOOK_USER", "ann")
    desk.restore_bars(edit.number)
    desk.restore_bars(edit.number + 1)
    assert struck.removed == 1
    assert desk.ingest("sample", "IBM").rows[0].changed == 1, "the vendor's own change goes"
    assert close(desk) == before
    assert desk.ingest("sample", "IBM").rows[0].outcome == "unchanged"


def test_a_whole_symbol_comes_back_with_what_went_with_it(desk):
    before = desk.bars("GOOG", adjust="total")
    calendar = desk.symbols().set_index("symbol").loc["GOOG"].to_dict()
    desk.delete("GOOG")
    assert "GOOG" not in set(desk.symbols()["symbol"])
    (row,) = desk.audit(limit=1).to_dict("records")
    assert (row["what"], row["bars"]) == ("deleted", len(before))
    desk.restore_bars(row["edit"], reason="too early")
    assert desk.bars("GOOG", adjust="total").fingerprint() == before.fingerprint()
    assert desk.symbols().set_index("symbol").loc["GOOG"].to_dict() == calendar


def test_a_file_is_read_whole_or_not_at_all_and_a_fault_has_its_line(desk, tmp_path):
    before, snapshot = close(desk), desk.lake.snapshot()
    file = tmp_path / "fixes.csv"
    file.write_text(
        f"symbol,date,close,volume,was_close\nIBM,{DAY},{before + 0.1},,{before}\nIBM,2006-03-02,abc,,\n"
    )
    with pytest.raises(BadInput, match=r"fixes.csv, line 3: parameter 'close' is 'abc'"):
        desk.edit_bars(file, reason="bulletin")
    file.write_text("symbol,date,clse\nIBM,2006-03-02,1\n")
    with pytest.raises(UnknownName, match="Did you mean 'close'"):
        desk.edit_bars(file, reason="bulletin")
    assert desk.lake.snapshot() == snapshot
    frame = desk.bars("IBM", start="2006-03-01", end="2006-03-03", adjust=False).polars().to_pandas()
    done = desk.edit_bars(frame[["symbol", "ts", "volume"]].assign(volume=1e6), reason="a table")
    assert done.bars["close"].to_list() == done.bars["was_close"].to_list()
    assert desk.edit_bars(frame[["symbol", "ts", "volume"]].assign(volume=1e6), reason="again").number is None
    desk.restore_bars(done.number)


def test_a_span_is_multiplied(desk):
    before = desk.bars("IBM", start="2006-03-06", end="2006-03-10", adjust=False)
    done = desk.edit_bars("IBM", times=0.5, start="2006-03-06", end="2006-03-10", reason="two for one")
    after = desk.bars("IBM", start="2006-03-06", end="2006-03-10", adjust=False)
    assert (after.high == before.high * 0.5).all(axis=None)
    assert (after.volume == before.volume).all(axis=None)
    desk.restore_bars(done.number)
    assert desk.bars("IBM", start="2006-03-06", end="2006-03-10", adjust=False).close.equals(before.close)
    for wrong, told in [
        ({"times": -1.0}, "a number above 0"),
        ({"times": 2.0, "ts": DAY}, "of one symbol"),
        ({"start": DAY}, "a span goes with times"),
        ({"times": 2.0, "start": "1990", "end": "1991"}, "no bar in this span"),
    ]:
        with pytest.raises(TapebookError, match=told):
            desk.edit_bars("IBM", reason="x", **wrong)


def test_the_command_line_edits_audits_and_restores(desk):
    before = close(desk)

    def call(*words, code=0, answer=None):
        done = CliRunner().invoke(main, ["--home", str(desk.config.home), *words], input=answer)
        assert done.exit_code == code, done.output
        return done

    asked = ("data", "edit", "IBM", DAY, "--close", str(before + 0.5), "--reason", "misprint")
    assert f"{before + 0.5:,.2f}" in call(*asked, "--dry-run").stdout
    call(*asked, code=1, answer="n\n")
    assert close(desk) == before
    number = int(call(*asked, "--yes").stdout.split()[1].rstrip(":"))
    rows = json.loads(call("data", "audit", "IBM", "--json").stdout)
    assert (rows[0]["edit"], rows[0]["who"]) == (number, "ann")
    bars = json.loads(call("data", "audit", "--edit", str(number), "--json").stdout)
    assert (bars[0]["was_close"], bars[0]["close"]) == (before, before + 0.5)
    assert "restored" in call("data", "restore", str(number)).stdout
    assert close(desk) == before
    assert (
        "wrong, so nothing was changed"
        in call(*asked[:4], "--low", "999", "--reason", "x", "-y", code=1).stderr
    )
    span = ("--start", "2006-03-06", "--end", "2006-03-10", "--times", "0.5", "--reason", "x", "--dry-run")
    assert call("data", "edit", "IBM", *span).stdout.count("edited") == 5
    assert "name SYMBOL and TS" in call("data", "edit", "IBM", "--reason", "x", code=2).stderr
    assert "no edit named '999'" in call("data", "restore", "999", code=1).stderr


def test_an_empty_desk_knows_no_edit(tmp_path):
    with Desk.open(tmp_path) as empty:
        assert empty.audit().empty
        with pytest.raises(UnknownName, match="The lake is empty"):
            empty.edit_bars("IBM", DAY, close=1.0, reason="x")
        with pytest.raises(UnknownName, match="no edit named '1'"):
            empty.restore_bars(1)


def test_on_postgres_too(postgres_url, tmp_path):
    (tmp_path / "tapebook.toml").write_text(f'database = "{postgres_url}"\n')
    with Desk.open(tmp_path) as team:
        team.ingest("sample", "IBM")
        before = close(team)
        done = team.edit_bars("IBM", DAY, close=before + 0.25, reason="misprint")
        assert close(team, asof=done.snapshot - 1) == before
        assert team.audit().iloc[0]["who"] == "ann"
        team.restore_bars(done.number)
        assert close(team) == before
