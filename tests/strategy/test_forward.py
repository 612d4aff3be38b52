"""The forward ledger's arithmetic: the chain, the account, the cone, decay, and where gaps come from."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import cases
from tapebook.errors import BadInput
from tapebook.strategy import Signals, registry
from tapebook.strategy.forward.book import account, bar_row, bars_of, broken, decided, digest, expect_whole
from tapebook.strategy.forward.gap import CAUSES, gaps
from tapebook.strategy.forward.odds import ALARM, cone, decay, trade_rate
from tapebook.strategy.rules import Rules
from tapebook.strategy.simulation.simulate import direction, flags_of, signals_of, simulate

RULES = [
    Rules(),
    Rules(stop_loss=0.04, take_profit=0.06, fees=0.002),
    Rules(direction="both", trailing_stop=0.05),
    Rules(shared_cash=False, fractional=False, lot=1.0),
]


def market(N=2, T=160, seed=0, holes=False):
    return cases.market(np.random.default_rng(seed), T, N, holes=holes)


def like(bars):
    return {"symbols": list(bars.symbols), "freq": str(bars.freq), "calendars": dict(bars.calendars)}


def rows_of(strategy, bars, rules, first=100, params=None):
    """A ledger as it grows: each row from the bars up to it only."""
    rows = []
    for t in range(first, len(bars)):
        known = bars.between(end=bars.index[t])
        row = bar_row(known, known, t)
        rows.append(row | decided(strategy, params or {}, known, rules, state=t == first))
    return rows


@pytest.mark.parametrize("rules", RULES, ids=range(4))
@pytest.mark.parametrize("name", ["sma_cross", "volatility_target", "donchian_breakout"])
def test_the_account_of_the_rows_is_that_of_one_simulation(name, rules):
    strategy, bars = registry.get(name), market()
    params = {"fast": 3, "slow": 9} if name == "sma_cross" else {}
    rows = rows_of(strategy, bars, rules, params=params)
    made_bars, made = account(rows, rules, like(bars))
    later = bars.between(start=bars.index[100])
    said = strategy(bars, **params)
    if isinstance(said, Signals):
        flags = flags_of(said, direction(said, rules)).T[100:].copy()
        whole = flags_of(said, direction(said, rules)).T[:101]
        flags[0] = [column[np.flatnonzero(column)[-1]] if column.any() else 0 for column in whole.T]
        decision = signals_of(flags, later.index, list(bars.symbols))
    else:
        decision = said.iloc[100:].copy()
        decision.iloc[0] = said.iloc[:101].ffill().iloc[-1]
    plain = simulate(later, decision, rules, periods_per_year=later.periods_per_year)
    np.testing.assert_allclose(made.equity, plain.equity, rtol=1e-12)
    np.testing.assert_array_equal(made.orders[:, :2], plain.orders[:, :2])
    for name_ in ("open", "high", "low", "close"):
        np.testing.assert_allclose(made_bars.values[name_], later.values[name_], rtol=1e-12)


def test_a_split_since_changes_units_but_no_money():
    strategy, rules, bars = registry.get("sma_cross"), Rules(), market(1, 200)
    raw = {name: np.array(block) for name, block in bars.values.items()}
    for name in ("open", "high", "low", "close"):
        raw[name][150:] /= 4.0
    printed = replace(bars, values=raw)  # a 4:1 split on row 150
    rows, plain = [], rows_of(strategy, bars, rules, params={"fast": 3, "slow": 9})
    for t in range(100, 200):
        known = bars.between(end=bars.index[t])
        shown = printed.between(end=bars.index[t])
        divided = 4.0 if t >= 150 else 1.0
        today = {n: (b / divided if n != "volume" else b) for n, b in known.values.items()}
        known = replace(known, values=today)  # as the lake adjusts it on that day
        row = bar_row(shown, known, t) | decided(
            strategy, {"fast": 3, "slow": 9}, known, rules, state=t == 100
        )
        rows.append(row)
    assert rows[50]["split"] == {"S0": 4.0}
    before, after = account(rows[:50], rules, like(bars))[1], account(rows, rules, like(bars))[1]
    expected = account(plain, rules, like(bars))[1]
    np.testing.assert_allclose(after.equity, expected.equity, rtol=1e-12)
    np.testing.assert_allclose(after.equity[:50], before.equity, rtol=1e-12)
    np.testing.assert_allclose(after.positions[-1], expected.positions[-1] * 4.0, rtol=1e-12)


def test_rows_with_missing_bars_stay_missing():
    bars = market(3, 60, holes=True)
    rows = rows_of(registry.get("buy_and_hold"), bars, Rules(), first=20)
    back = bars_of(rows, like(bars))
    later = bars.between(start=bars.index[20])
    np.testing.assert_array_equal(np.isnan(back.close), np.isnan(later.close))


# ---- the chain


def chained(n=5):
    entries, previous = [], "first"
    for number in range(1, n + 1):
        content = {"ts": str(number), "decision": {"A": number}, "none": None, "nan": float("nan")}
        mark = digest(previous, content)
        entries.append(
            {"entry": number, "ts": str(number), "content": content, "previous": previous, "digest": mark}
        )
        previous = mark
    return entries


def test_any_change_of_an_entry_breaks_the_chain_there():
    assert broken("first", chained()) is None
    for n in range(5):
        entries = chained()
        entries[n]["content"] = entries[n]["content"] | {"decision": {"A": 99}}
        assert broken("first", entries) == f"entry {n + 1} ({n + 1}) was changed after it was written"
    assert broken("first", [*chained()[:2], *chained()[3:]]) == "entry 3 is missing"
    assert "does not follow" in broken("another", chained())
    with pytest.raises(BadInput, match="the forward ledger of fz-1 was tampered with: entry 1 is missing"):
        expect_whole("first", chained()[1:], "fz-1")


def test_a_digest_does_not_depend_on_how_it_is_written():
    one, other = {"b": 1.0, "a": [1, 2]}, {"a": (1, 2), "b": np.float64(1.0)}
    assert digest("x", one) == digest("x", other)
    assert digest("x", one) != digest("y", one)


# ---- cone and decay


def expectation(sharpe=1.5, T=2_520, seed=0):
    rng = np.random.default_rng(seed)
    drawn = rng.standard_t(4, T) * 0.007
    return drawn - drawn.mean() + sharpe / np.sqrt(252) * drawn.std()


def days(values):
    return pd.Series(values, pd.bdate_range("2020-01-01", periods=len(values), tz="UTC"))


def test_the_cone_holds_so_many_of_what_it_was_drawn_from():
    expected, rng, inside = expectation(), np.random.default_rng(1), []
    for seed in range(200):
        real = days(rng.choice(expected, 120))
        inside.append(cone(expected, real, draws=400, seed=seed).inside)
    assert 0.90 <= np.mean(inside) <= 0.99


def test_a_cone_is_longer_than_its_past_if_need_be_and_says_its_side():
    short = expectation(T=40)
    fan = cone(short, days(np.full(90, -0.02)), draws=200)
    assert fan.bands.shape == (90, 7)
    assert str(fan) == "below the cone: 0% of the expected paths end below it"
    assert str(cone(short, days(np.full(90, 0.05)), draws=200)).startswith("above the cone: 100%")


def test_looking_every_day_raises_no_more_false_alarms_than_promised():
    expected, rng, alarms = expectation(), np.random.default_rng(2), 0
    for _ in range(300):
        real = days(rng.choice(expected, 1_000))
        alarms += decay(expected, real, 252.0).since is not None
    assert alarms / 300 <= 0.05


def test_what_has_turned_bad_is_found_within_about_two_years():
    expected, rng, taken = expectation(1.5), np.random.default_rng(3), []
    for _ in range(60):
        bad = rng.choice(expected, 1_000) - 2.5 / np.sqrt(252) * expected.std()
        since = decay(expected, days(bad), 252.0).since
        taken.append(1_000 if since is None else days(bad).index.get_loc(since))
    assert np.median(taken) < 504


def test_decay_says_what_it_found_and_survives_what_never_moves():
    bad = decay(expectation(), days(np.full(300, -0.01)), 252.0)
    assert str(bad).startswith("decayed: the evidence reached")
    assert bad.evidence.max() >= ALARM
    assert decay(np.zeros(100), days(np.zeros(5)), 252.0).since is None
    assert "no decay shown" in str(decay(expectation(), days(np.full(5, 0.01)), 252.0))


def test_trades_are_compared_with_their_rate():
    assert trade_rate(0.02, 10, 500).endswith("4 to 17 with 95 %")
    assert trade_rate(0.02, 1, 500).endswith("fewer than chance allows")
    assert trade_rate(0.02, 40, 500).endswith("more than chance allows")


# ---- gaps


def ledger(rules=None):
    """One symbol, in and out every ten bars, decided by rows."""
    bars = market(1, 60, seed=3)
    rows = []
    for t in range(60):
        flag = {0: 1, 10: 2, 20: 1, 30: 2, 40: 1, 50: 2}.get(t, 0)
        rows.append(bar_row(bars, bars, t) | {"kind": "signals", "decision": {"S0": flag}})
    return bars, rows, rules or Rules()


def decision(rows, bars):
    flags = np.array([[row["decision"]["S0"]] for row in rows], dtype=np.uint8)
    return signals_of(flags, bars.index, ["S0"])


def found(rows, rules, bars, fresh, said):
    table = gaps(rows, rules, like(bars), fresh, said)
    assert set(table["cause"]) <= set(CAUSES)
    ours = account(rows, rules, like(bars))[1].equity[-1]
    theirs = simulate(fresh, said, rules, periods_per_year=bars.periods_per_year).equity[-1]
    assert table["money"].sum() == pytest.approx(theirs - ours, abs=1e-9 * ours)
    return table


def changed(bars, name, row, factor):
    values = {n: np.array(block) for n, block in bars.values.items()}
    values[name][row] *= factor
    return replace(bars, values=values)


def test_nothing_changed_is_no_gap():
    bars, rows, rules = ledger()
    assert found(rows, rules, bars, bars, decision(rows, bars)).empty


def test_a_revised_open_is_a_fill_price():
    bars, rows, rules = ledger(Rules(fees=0.0, slippage=0.0))
    table = found(rows, rules, bars, changed(bars, "open", 11, 0.99), decision(rows, bars))
    assert table.iloc[0][["ts", "cause"]].tolist() == [bars.index[11], "fill price"]
    assert table.iloc[0]["money"] < 0, "sold for less"


def test_a_revised_close_is_a_data_revision_that_evens_out():
    bars, rows, rules = ledger(Rules(fees=0.0, slippage=0.0))
    table = found(rows, rules, bars, changed(bars, "close", 25, 1.01), decision(rows, bars))
    assert table["cause"].unique().tolist() == ["data revision"]
    assert table["ts"].tolist() == [bars.index[25], bars.index[26]]
    assert table["money"].sum() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("drop", "cause"), [(False, "missing trade"), (True, "extra trade")])
def test_a_trade_that_only_one_has(drop, cause):
    bars, rows, rules = ledger()
    other = [dict(row) for row in rows]
    if drop:  # today the code would not have traded from bar 20 on
        other[20] = other[20] | {"decision": {"S0": 0}}
    else:  # today it would have traded from bar 52 on
        other[52] = other[52] | {"decision": {"S0": 1}}
    table = found(rows, rules, bars, bars, decision(other, bars))
    causes = table.loc[table["cause"] != "cost"].groupby("cause")["money"].apply(lambda m: m.abs().sum())
    assert causes.idxmax() == cause
    assert "cost" in set(table["cause"])


def test_a_later_exit_is_a_signal():
    bars, rows, rules = ledger(Rules(fees=0.0, slippage=0.0, direction="both"))
    other = [dict(row) for row in rows]
    other[25] = other[25] | {"decision": {"S0": 4}}  # turned short in the middle of the trade
    table = found(rows, rules, bars, bars, decision(other, bars))
    assert "signal" in set(table["cause"])
