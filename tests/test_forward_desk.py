"""Forward tests on a desk: what is frozen stays, what was decided stays, and what differs has a cause."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
from click.testing import CliRunner

from tapebook import Desk, Signals, strategy
from tapebook.cli import main
from tapebook.errors import BadInput, NoData, UnknownName

UNTIL = "2012-09-28"


@pytest.fixture
def desk(sample_home):
    with Desk.open(sample_home) as desk:
        yield desk


def rewritten(desk, symbol, day, **values):
    """Store another value for a bar, as a vendor that revises its data does."""
    old = desk.bars(symbol, start=day, end=day, adjust=False)
    row = {"symbol": symbol, "freq": "1d", "ts": old.index[0]}
    row |= {
        name: float(old.values[name][0, 0]) for name in ("open", "high", "low", "close", "volume")
    } | values
    return desk.lake.write(bars=pd.DataFrame([row]))


def test_a_freeze_remembers_everything_and_nothing_can_change_it(desk):
    made = desk.freeze("sma_cross", {"fast": 5}, "AAPL", until=UNTIL, slow=30, stop_loss=0.1, note="first")
    assert made.verify()
    content = made.content
    assert content["params"] == {"fast": 5, "slow": 30}
    assert content["rules"]["stop_loss"] == 0.1
    assert content["snapshot"] in desk.catalog.named_snapshots()
    assert content["look_ahead"].endswith("signals checked, none leaked")
    assert content["expectation"]["sharpe"]["low"] < content["expectation"]["sharpe"]["value"]
    assert made.backdated
    assert "FROZEN IN HINDSIGHT" in repr(made)
    with sqlite3.connect(desk.config.database.removeprefix("sqlite:///")) as connection:
        for verb in ("DELETE FROM frozen", "UPDATE frozen SET digest = ''"):
            with pytest.raises(sqlite3.IntegrityError, match="frozen is a ledger"):
                connection.execute(verb)


def test_each_new_bar_is_decided_on_once(desk):
    id = desk.freeze("sma_cross", {"fast": 5, "slow": 20}, "AAPL,MSFT", until=UNTIL).id
    done = desk.forward(id)
    bars = desk.bars("AAPL,MSFT", start="2012-09-29")
    assert done.added == len(done.entries) == len(bars)
    assert done.verify() is None
    assert desk.forward(id).added == 0
    assert done.gaps.empty
    assert done.revisions.empty
    assert len(done.returns) == len(bars)
    assert all(entry["content"]["caught_up"] for entry in done.entries), "all of it is hindsight"
    assert desk.all_frozen().iloc[0]["entries"] == len(bars)
    assert "inside the cone" in repr(done) or "the cone" in repr(done)


def test_the_ledger_is_what_a_backtest_from_the_freeze_would_make(desk):
    frozen = desk.freeze("volatility_target", None, "AAPL,IBM", until=UNTIL)
    done = desk.forward(frozen.id)
    whole = desk.backtest("volatility_target", desk.bars("AAPL,IBM"), save=False)
    ours, theirs = done.returns.iloc[2:], whole.returns.reindex(done.returns.index).iloc[2:]
    assert (ours - theirs).abs().max() < 2e-3, "the start is flat, after that the weights are the same"


def test_a_revised_bar_changes_no_past_decision_and_is_told(desk):
    id = desk.freeze("sma_cross", {"fast": 3, "slow": 10}, "AAPL", until=UNTIL).id
    before = desk.forward(id)
    trade = before.trades.iloc[0]
    day = before.equity.index[before.equity.index.get_loc(trade["entry_ts"]) + 1]
    close = float(desk.bars("AAPL", adjust=False).close["AAPL"][day])
    rewritten(desk, "AAPL", f"{day:%Y-%m-%d}", close=close * 1.0001)
    after = desk.forward(id)
    assert after.added == 0
    assert [e["digest"] for e in after.entries] == [e["digest"] for e in before.entries]
    assert after.equity.equals(before.equity)
    assert after.verify() is None
    row = after.revisions.iloc[0]
    assert (row["ts"], row["field"], row["now"]) == (day, "close", close * 1.0001)
    assert after.gaps["cause"].tolist() == ["data revision"] * 2, "up by a little that day, down the next"
    assert any("1 value revised since" in line for line in after.words())
    rewritten(desk, "AAPL", f"{day:%Y-%m-%d}", close=close * 1.3, high=close * 1.4)
    decided_otherwise = desk.forward(id)
    assert [e["digest"] for e in decided_otherwise.entries] == [e["digest"] for e in before.entries]
    assert {"signal", "missing trade", "extra trade"} & set(decided_otherwise.gaps["cause"])


def test_the_frozen_code_runs_when_the_file_has_changed(desk, tmp_path):
    file = tmp_path / "idea.py"
    text = (
        "from tapebook.strategy import Signals, strategy\n\n@strategy\ndef idea(bars, *, window: int = 5):\n"
        "    up = bars.close > bars.close.rolling(window).mean()\n    return Signals(up, ~up)\n"
    )
    file.write_text(text)
    frozen = desk.freeze(f"{file}:idea", None, "AAPL", until=UNTIL)
    file.write_text(text.replace(" > ", " < "))
    done = desk.forward(frozen.id)
    plain = desk.bars("AAPL")
    up = (plain.close > plain.close.rolling(5).mean())["AAPL"]
    for entry in done.entries:
        assert entry["content"]["decision"]["AAPL"] == (1 if up[entry["ts"]] else 2)


def test_a_strategy_that_looks_ahead_is_not_frozen(desk):
    @strategy
    def seer(bars, *, ahead: int = 1):
        up = bars.close.shift(-ahead) > bars.close
        return Signals(up, ~up)

    with pytest.raises(BadInput, match="look"):
        desk.freeze(seer, None, "AAPL", until=UNTIL)
    assert desk.all_frozen().empty
    made = desk.freeze(seer, None, "AAPL", until=UNTIL, check=False)
    assert made.content["look_ahead"] == "unchecked"
    done = desk.forward(made.id)
    assert len(done.gaps), "a fresh backtest knows what the ledger could not"
    assert {"missing trade", "signal", "extra trade"} & set(done.gaps["cause"])


def test_a_saved_version_can_be_frozen(desk):
    desk.save_strategy("sma_cross", name="trend", params={"fast": 7}, bars=desk.bars("AAPL"))
    made = desk.freeze("trend@1", None, "AAPL", until=UNTIL)
    assert made.content["version"] == "trend@1"
    assert made.content["params"]["fast"] == 7
    assert desk.forward(made.id).verify() is None


def test_two_at_once_write_each_bar_once(desk, sample_home):
    id = desk.freeze("sma_cross", None, "AAPL", until=UNTIL).id

    def run(_):
        with Desk.open(sample_home) as own:
            return own.forward(id).added

    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(run, range(4)))
    done = desk.forward(id)
    assert sum(added) == len(done.entries) == len(desk.bars("AAPL", start="2012-09-29"))
    assert done.verify() is None


def test_a_changed_entry_is_found(desk):
    id = desk.freeze("sma_cross", None, "AAPL", until=UNTIL).id
    desk.forward(id)
    with sqlite3.connect(desk.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute("DROP TRIGGER forward_no_update")
        said = connection.execute("SELECT content FROM forward WHERE entry = 7").fetchone()[0]
        told = json.loads(said)
        told["decision"]["AAPL"] = 1
        connection.execute("UPDATE forward SET content = ? WHERE entry = 7", [json.dumps(told)])
    with pytest.raises(
        BadInput, match=r"was tampered with: entry 7 \(2012-10-09.*was changed after it was written"
    ):
        desk.forward(id)


def test_before_any_bar_has_come_it_says_so(desk):
    frozen = desk.freeze("sma_cross", None, "AAPL")
    assert not frozen.backdated
    done = desk.forward(frozen.id)
    assert done.words() == ["No bar has come since the freeze."]
    assert done.next_session == "2013-03-04"
    assert len(done.figure().data) == 1


def test_orders_for_tomorrow_are_those_of_the_next_open(desk):
    frozen = desk.freeze("sma_cross", {"fast": 5, "slow": 20}, "AAPL", until="2011-12-30", stop_loss=0.1)
    done = desk.forward(frozen.id)
    orders, found = done.orders, 0
    for _, order in orders.iterrows():
        if order["reason"] != "signal":
            continue
        n = next(i for i, e in enumerate(done.entries) if pd.Timestamp(e["ts"]) == order["ts"])
        if n == 0:
            continue
        from dataclasses import replace

        then = replace(done, entries=done.entries[:n], next_session=f"{order['ts']:%Y-%m-%d}")
        told = then.tomorrow()
        assert len(told) == 1
        assert told["side"].iloc[0] == ("buy" if order["units"] > 0 else "sell")
        assert told["units"].iloc[0] == pytest.approx(abs(order["units"]), rel=0.1), (
            "the open is not known yet"
        )
        found += 1
    assert found > 5
    held = done.held()
    if len(held):
        assert held["stop"].iloc[0] == pytest.approx(held["entry_price"].iloc[0] * 0.9)


def test_what_cannot_be_is_said(desk):
    with pytest.raises(NoData, match="nothing is frozen yet: `tapebook freeze sma_cross AAPL`"):
        desk.forward()
    with pytest.raises(UnknownName, match="fz-nothing"):
        desk.forward("fz-nothing")


def test_postgres_keeps_forward_ledgers_too(postgres_url, tmp_path, monkeypatch):
    monkeypatch.setenv("TAPEBOOK_DATABASE", postgres_url)
    with Desk.open(tmp_path) as desk:
        desk.ingest("sample", "AAPL")
        id = desk.freeze("sma_cross", None, "AAPL", until=UNTIL).id
        done = desk.forward(id)
        assert done.verify() is None
        assert desk.forward(id).added == 0
        assert len(done.entries) == len(desk.bars("AAPL", start="2012-09-29"))


def test_the_command_line_freezes_and_walks(sample_home):
    def cli(*args, code=0):
        done = CliRunner().invoke(main, ["--home", str(sample_home), *args])
        assert done.exit_code == code, done.output
        return done

    assert "nothing is frozen yet" in cli("forward", "list").stderr
    made = json.loads(cli("freeze", "sma_cross", "AAPL", "--fast", "5", "--until", UNTIL, "--json").stdout)
    assert made["content"]["params"]["fast"] == 5
    told = cli("forward", "run")
    assert "FROZEN IN HINDSIGHT" in told.stdout
    assert "entries were added to the ledger" in told.stderr
    said = json.loads(cli("forward", "show", made["id"], "--json").stdout)
    assert said["added"] == 0
    assert isinstance(said["inside"], bool)
    assert "all as they were written" in cli("forward", "verify").stdout
    cli("forward", "orders", made["id"])
    assert json.loads(cli("forward", "list", "--json").stdout)[0]["id"] == made["id"]
    assert "as if earlier" in cli("freeze", "sma_cross", "AAPL", "--end", "2012", code=2).output
