"""The ledger of trials on a desk: what counts, who made it, and that nothing takes it away."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from tapebook import Desk
from tapebook.data.catalog import Catalog


@pytest.fixture
def desk(sample_home):
    with Desk.open(sample_home) as desk:
        yield desk


def test_every_trial_counts_saved_or_not_and_the_same_one_once(desk):
    first = desk.backtest("sma_cross", "AAPL", fast=5, save=False)
    again = desk.backtest("sma_cross", "AAPL", fast=5)
    other = desk.backtest("macd_trend", "AAPL", save=False)
    assert first.tried.raw == again.tried.raw
    assert other.luck()["trials"].value == first.luck()["trials"].value + 1, "macd_trend is a trend too"
    listed = desk.trials()
    assert listed["trials"].sum() == len(desk.trials(batches=True)) == desk.catalog.trials.newest()


def test_deleting_results_deletes_no_trial(desk):
    bt = desk.backtest("rsi_reversion", "MSFT")
    before = desk.trials()["trials"].sum()
    desk.delete_result(bt.id)
    assert desk.trials()["trials"].sum() == before
    assert desk.backtest("rsi_reversion", "MSFT", window=9).tried.raw == 2


def test_an_idea_is_a_family_on_shared_symbols(desk):
    desk.backtest("donchian_breakout", "IBM,GOOG", save=False)
    one = desk.backtest("donchian_breakout", "GOOG", save=False)
    two = desk.backtest("donchian_breakout", "IBM", save=False)
    assert two.tried.idea.endswith("on IBM")
    assert two.tried.raw == 2, "the pot of both and itself; GOOG alone is another idea"
    assert two.tried.elsewhere >= 1
    assert one.tried.raw == 2


def test_who_made_it_is_known(desk, monkeypatch, tmp_path):
    monkeypatch.setenv("TAPEBOOK_RUN", str(tmp_path / "backtest-1"))
    desk.backtest("bollinger_reversion", "AAPL", save=False)
    last = desk.trials(batches=True).iloc[-1]
    assert last["run_id"] == "backtest-1"
    assert "@" in last["who"]
    assert (last["kind"], last["strategy"], last["count"]) == ("backtest", "bollinger_reversion", 1)


def test_a_result_read_back_is_judged_by_what_was_tried_since(desk):
    bt = desk.backtest("pairs_spread", "AAPL,MSFT")
    before = bt.luck()["trials"].value
    for window in (30, 40, 50):
        desk.backtest("pairs_spread", "AAPL,MSFT", window=window, save=False)
    assert desk.load(bt.id).luck()["trials"].value == before + 3
    assert bt.id in set(desk.results()["id"])
    assert desk.results(limit=1)["verdict"].iloc[0] in ("no evidence", "weak", "worth a forward test")


def test_a_pinned_desk_counts_what_was_there_then_and_its_own(desk, sample_home, monkeypatch):
    before = desk.backtest("momentum", "AAPL", save=False).tried.raw
    monkeypatch.setenv("TAPEBOOK_TRIALS", str(desk.catalog.trials.newest()))
    desk.backtest("momentum", "AAPL", lookback=33, save=False)
    with Desk.open(sample_home) as pinned:
        assert pinned.backtest("momentum", "AAPL", lookback=44, save=False).tried.raw == before + 1
        assert pinned.backtest("momentum", "AAPL", lookback=44, save=False).tried.raw == before + 1
    assert desk.backtest("momentum", "AAPL", lookback=44, save=False).tried.raw == before + 2


@pytest.mark.parametrize("table", ["trials", "trial_symbols", "frozen", "forward"])
def test_the_database_itself_refuses_to_change_a_ledger(desk, table):
    desk.backtest("sma_cross", "IBM", save=False)
    file = desk.config.database.removeprefix("sqlite:///")
    with sqlite3.connect(file) as connection:
        held = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        if held:
            with pytest.raises(sqlite3.IntegrityError, match=f"{table} is a ledger: rows are never changed"):
                connection.execute(f"DELETE FROM {table}")
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    assert {(f"{table}_no_delete",), (f"{table}_no_update",)} <= set(triggers)


def entry(key, count=1):
    told = {"key": key, "kind": "sweep", "family": "own", "strategy": "s", "code_hash": "c", "count": count}
    told |= {"symbols": ["A", "B"], "settings": {}, "rules": {}, "start": "2020", "end": "2021", "freq": "1d"}
    return told | {"fingerprint": "f", "created": "2026", "who": "me@here", "sketch": bytes(100)}


def test_writers_at_once_add_each_batch_once(tmp_path, monkeypatch):
    monkeypatch.setenv("TAPEBOOK_HOME", str(tmp_path))
    with Desk.open(tmp_path) as desk, ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda n: desk.catalog.trials.add(entry(f"k{n % 10}")), range(40)))
        assert sum(added) == len(desk.catalog.trials.list()) == 10
        assert len(desk.catalog.trials.list(symbols=["B", "A"], family="own")) == 10
        assert desk.catalog.trials.list(symbols=["C"]) == []


def test_postgres_keeps_the_ledger_too(postgres_url, tmp_path, monkeypatch):
    monkeypatch.setenv("TAPEBOOK_DATABASE", postgres_url)
    with Desk.open(tmp_path) as desk:
        catalog = Catalog.open(desk.config)
        assert catalog.trials.add(entry("one", 20_000_000_000))
        assert not catalog.trials.add(entry("one"))
        assert catalog.trials.list()[0]["count"] == 20_000_000_000
        assert catalog.trials.sketches([catalog.trials.newest()]) == {1: bytes(100)}
        for verb in ("DELETE FROM trials", "UPDATE trials SET count = 0", "TRUNCATE trials CASCADE"):
            with (
                pytest.raises(DatabaseError, match="is a ledger: rows are never changed or deleted"),
                catalog.trials._rows.writing() as connection,
            ):
                connection.execute(text(verb))
        catalog.close()


def test_of_many_sketches_some_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("tapebook.data.catalog.trials.SKETCH_BYTES", 1_000)
    with Desk.open(tmp_path) as desk:
        for n in range(40):
            desk.catalog.trials.add(entry(f"k{n}"))
        assert len(desk.catalog.trials.sketches(range(1, 41))) == 10


def test_a_sweep_counts_all_its_combinations_and_its_best_knows_it(desk):
    before = desk.backtest("sma_cross", "MSFT", save=False).tried.raw
    settings = {"fast": range(5, 25), "slow": range(30, 60, 5)}
    done = desk.sweep("sma_cross", "MSFT", **settings)
    best = done.backtest()
    assert best.tried.raw == before + 120
    assert 1 <= best.luck()["independent_trials"].value < 60, "moving averages are much alike"
    assert not np.isnan(best.luck()["overfitting_probability"].value)
    assert desk.save(best).id
    assert desk.trials()["trials"].sum() == desk.trials(batches=True)["count"].sum() == before + 120
    desk.sweep("sma_cross", "MSFT", **settings)
    assert desk.trials()["trials"].sum() == before + 120, "the same sweep again is no new trial"
    last = desk.trials(batches=True).iloc[-1]
    assert last["settings"]["fast"] == {"from": 5, "to": 24, "values": 20}
    assert last["settings"]["slow"] == [30, 35, 40, 45, 50, 55]


def test_a_sweep_of_symbols_alone_counts_each_symbol(desk):
    desk.sweep("sma_cross", "AAPL,IBM", fast=[5, 10], alone=True)
    assert desk.backtest("sma_cross", "IBM", fast=20, save=False).tried.raw == 5


def test_what_a_resumed_sweep_took_over_is_not_counted_again(desk, tmp_path):
    part = desk.sweep("sma_cross", "IBM", fast=[5, 10, 15])
    part.save(tmp_path / "part.parquet")
    desk.sweep("sma_cross", "IBM", fast=[5, 10, 15, 20], resume=tmp_path / "part.parquet")
    assert desk.trials()["trials"].sum() == 4
    desk.sweep("sma_cross", "IBM", fast=[5, 10, 15, 20], resume=tmp_path / "part.parquet")
    assert desk.trials()["trials"].sum() == 4
    with Desk.open(tmp_path / "another") as other:
        other.sweep("sma_cross", desk.bars("IBM"), fast=[5, 10, 15, 25], resume=part)
        assert other.trials()["trials"].sum() == 4, "this desk never saw the first three"


def test_a_walk_forward_counts_each_combination_once_and_its_account(desk):
    walk = desk.walk_forward("sma_cross", "AAPL", fast=[5, 10, 20], slow=[50, 100], note="walked")
    assert walk.traded.tried.raw == 7, "six combinations, and the account that was stitched from them"
    stored = desk.load(walk.traded.id)
    assert stored.equity.equals(walk.backtest.equity)
    assert stored.luck()["trials"].value == 7
    desk.walk_forward("sma_cross", "AAPL", fast=[5, 10, 20], slow=[50, 100], save=False)
    assert desk.trials()["trials"].sum() == 7
    last = desk.trials(batches=True)
    assert last["kind"].tolist() == ["walk_forward", "backtest"]
    across = desk.walk_forward("sma_cross", "IBM", fast=[5, 10], slow=50, scheme="combinatorial")
    assert across.traded is None
    assert desk.backtest("sma_cross", "IBM", fast=30, save=False).tried.raw == 3
