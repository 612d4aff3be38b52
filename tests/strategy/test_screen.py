"""The screening language: what it means (a slow twin), what it refuses, no future, no crash."""

import math
from statistics import median

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive_screen as naive
from tapebook.data.panel import Bars
from tapebook.errors import NoData
from tapebook.strategy import indicators, registry
from tapebook.strategy.screen.fault import BadExpression
from tapebook.strategy.screen.grammar import parse
from tapebook.strategy.screen.hits import held, read, screen
from tapebook.strategy.screen.node import Node, written
from tapebook.strategy.screen.words import WORDS

T, N = 160, 5


@pytest.fixture(scope="module")
def bars():
    """Five random walks: one listed late, one with a hole, one that ended long ago."""
    rng = np.random.default_rng(7)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, (T, N)), axis=0))
    open_ = np.vstack([close[:1], close[:-1]])
    blocks = {
        "open": open_, "high": np.maximum(open_, close) * 1.01, "low": np.minimum(open_, close) * 0.99,
        "close": close, "volume": rng.lognormal(10, 1, (T, N)),
    }  # fmt: skip
    for block in blocks.values():
        block[:70, 1] = np.nan
        block[80:90, 2] = np.nan
        block[-40:, 3] = np.nan
    index = pd.bdate_range("2010-01-04", periods=T, tz="UTC")
    return Bars.from_frames(
        **{k: pd.DataFrame(v, index, list("ABCDE")) for k, v in blocks.items()}, calendars="XNYS"
    )


def lists(bars, n):
    """One symbol's own bars as lists, and their rows."""
    rows = np.flatnonzero(np.isfinite(bars.values["close"][:, n]))
    return {name: bars.values[name][rows, n].tolist() for name in bars.values}, rows


TWINS = {
    "sma(7)": lambda b: naive.window(b["close"], 7, naive.mean),
    "avg(volume, 5)": lambda b: naive.window(b["volume"], 5, naive.mean),
    "median(close, 5)": lambda b: naive.window(b["close"], 5, median),
    "sum(volume, 4)": lambda b: naive.window(b["volume"], 4, math.fsum),
    "highest(6)": lambda b: naive.window(b["high"], 6, max),
    "lowest(6)": lambda b: naive.window(b["low"], 6, min),
    "max(close, 6)": lambda b: naive.window(b["close"], 6, max),
    "min(open, 6)": lambda b: naive.window(b["open"], 6, min),
    "max(open, close)": lambda b: list(map(max, b["open"], b["close"])),
    "min(open, close)": lambda b: list(map(min, b["open"], b["close"])),
    "stdev(8)": lambda b: naive.window(b["close"], 8, naive.std),
    "zscore(8)": lambda b: naive.window(b["close"], 8, lambda x: (x[-1] - naive.mean(x)) / naive.std(x)),
    "bollinger(8, 1.5).upper": lambda b: naive.window(
        b["close"], 8, lambda x: naive.mean(x) + 1.5 * naive.std(x, 0)
    ),
    "ema(9)": lambda b: naive.ema(b["close"], 9),
    "rsi(5)": lambda b: naive.rsi(b["close"], 5),
    "change(3)": lambda b: naive.change(b["close"], 3),
    "return(volume)": lambda b: naive.change(b["volume"], 1),
    "lag(volume, 2)": lambda b: naive.lag(b["volume"], 2),
    "close[4]": lambda b: naive.lag(b["close"], 4),
    "abs(-close)": lambda b: b["close"],
    "sqrt(close)": lambda b: [math.sqrt(x) for x in b["close"]],
    "log(close)": lambda b: [math.log(x) for x in b["close"]],
    "bars_since(close > open)": lambda b: naive.since(
        [c > o for c, o in zip(b["close"], b["open"], strict=True)]
    ),
    "count(close > open, 5)": lambda b: naive.window(
        [c > o for c, o in zip(b["close"], b["open"], strict=True)], 5, sum
    ),
    "2 * close - (open + close) / 2": lambda b: [
        2 * c - (o + c) / 2 for c, o in zip(b["close"], b["open"], strict=True)
    ],
}


def values(expression, bars):
    """What a number is on each bar, shape (T, N)."""
    from tapebook.strategy.screen.evaluate import Evaluation, Panel

    panel = Panel(bars)
    return panel.spread(np.array(Evaluation(expression, panel).of(parse(expression))))


@pytest.mark.parametrize("expression", TWINS)
def test_it_is_what_the_slow_way_says(bars, expression):
    told = values(expression, bars)
    for n in range(N):
        own, rows = lists(bars, n)
        wanted = np.array(TWINS[expression](own), dtype=float)
        assert np.isfinite(wanted).any()
        np.testing.assert_allclose(told[rows, n], wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("expression", "same"),
    [
        ("rsi(14)", lambda b: indicators.rsi(b.close, 14)),
        ("atr(10)", lambda b: indicators.atr(b, 10)),
        ("adx(10)", lambda b: indicators.adx(b, 10)),
        ("macd(5, 12, 4).signal", lambda b: indicators.macd(b.close, 5, 12, 4).signal),
        ("macd(5, 12, 4)", lambda b: indicators.macd(b.close, 5, 12, 4).line),
        ("bollinger(10).lower", lambda b: indicators.bollinger(b.close, 10).lower),
    ],
)
def test_it_is_the_indicator_of_the_strategies(bars, expression, same):
    np.testing.assert_allclose(values(expression, bars), same(bars).to_numpy(), rtol=1e-12, atol=1e-12)


def test_ranks_are_among_the_symbols_of_the_same_bar(bars):
    close = bars.close
    for n, expression in enumerate(("rank(close)", "percentile(close)")):
        told = values(expression, bars)
        for t in (10, 85, T - 1):
            row = close.iloc[t].dropna()
            for name, value in row.items():
                wanted = [1 + (row > value).sum(), (row <= value).sum() / len(row)][n]
                assert told[t, bars.symbols.index(name)] == pytest.approx(wanted)


def test_days_since_count_the_calendar(bars):
    told = values("days_since(close > open)", bars)
    for n in range(N):
        own, rows = lists(bars, n)
        last = None
        for t, c, o in zip(rows, own["close"], own["open"], strict=True):
            last = t if c > o else last
            if last is not None:
                assert told[t, n] == (bars.index[t] - bars.index[last]).days


CONDITIONS = {
    "sma(3) crosses above sma(9)": lambda b: naive.crosses(
        naive.window(b["close"], 3, naive.mean), naive.window(b["close"], 9, naive.mean)
    ),
    "sma(9) crosses below sma(3)": lambda b: naive.crosses(
        naive.window(b["close"], 3, naive.mean), naive.window(b["close"], 9, naive.mean)
    ),
    "close between open and high": lambda b: [
        float(o <= c <= h) for o, c, h in zip(b["open"], b["close"], b["high"], strict=True)
    ],
    "close > open or sma(20) > close and volume > 0": lambda b: [
        1.0 if c > o else (NAN if math.isnan(s) else float(s > c))
        for c, o, s in zip(b["close"], b["open"], naive.window(b["close"], 20, naive.mean), strict=True)
    ],
    "not (close <= open) and not sma(20) > 0": lambda b: [
        0.0 if c <= o or not math.isnan(s) else NAN
        for c, o, s in zip(b["close"], b["open"], naive.window(b["close"], 20, naive.mean), strict=True)
    ],
    "(close > open)[2]": lambda b: naive.lag(
        [float(c > o) for c, o in zip(b["close"], b["open"], strict=True)], 2
    ),
}
NAN = math.nan


@pytest.mark.parametrize("expression", CONDITIONS)
def test_conditions_hold_where_the_slow_way_says_and_are_unknown_where_it_cannot(bars, expression):
    told = held(expression, bars).to_numpy()
    for n in range(N):
        own, rows = lists(bars, n)
        np.testing.assert_array_equal(told[rows, n], np.array(CONDITIONS[expression](own), dtype=float))
        assert np.isnan(np.delete(told[:, n], rows)).all()


def test_symbols_are_asked_for_by_name(bars):
    assert screen(bars, "symbol in (A, 'E', Z)").symbols == ("A", "E")
    assert screen(bars, "symbol == A or symbol = 'C'").symbols == ("A", "C")
    assert screen(bars, "symbol not in (A)").symbols == ("B", "C", "E")


def test_a_screen_says_what_it_found_and_whom_it_could_not_judge(bars):
    found = screen(bars, "close > sma(100) or close <= sma(100)")
    assert found.symbols == ("A", "C", "E")
    assert list(found.table.columns) == ["symbol", "bar", "close", "sma(100)"]
    assert found.table["close"].tolist() == bars.close.iloc[-1][["A", "C", "E"]].tolist()
    out = dict(found.coverage.excluded.to_numpy())
    assert out == {"B": "90 bars, too few", "D": f"its last bar is of {bars.index[-41]:%Y-%m-%d}"}
    assert "3 of 5 symbols had enough bars" in found.summary


def test_as_of_a_day_is_the_history_of_that_day(bars):
    expression = "close > sma(10) and rank(change(5)) <= 2 or days_since(close > open) > 2"
    history = held(expression, bars)
    for t in (12, 85, 119, T - 1):
        then = screen(bars, expression, asof=bars.index[t].strftime("%Y-%m-%d"))
        on_that_bar = {row.symbol for row in then.table.itertuples() if row.bar == bars.index[t]}
        assert on_that_bar == set(history.columns[history.iloc[t] == 1])
    with pytest.raises(NoData, match="no bar was known by 2009"):
        screen(bars, expression, asof="2009")


@pytest.mark.parametrize("expression", [
    "close > sma(10) and rsi(5) < 60", "rank(change(3)) = 1", "ema(5) crosses above ema(12)",
    "days_since(close > highest(10)[1]) < 4", "adx(5) > 20 and close < bollinger(8).middle",
])  # fmt: skip
@pytest.mark.parametrize("t", [60, 100, 140])
def test_no_bar_knows_the_future(bars, expression, t):
    poisoned = {name: block.copy() for name, block in bars.values.items()}
    for block in poisoned.values():
        block[t + 1 :] = np.where(np.isnan(block[t + 1 :]), 3.0, 1e6)
    spoilt = Bars.from_frames(
        **{k: pd.DataFrame(v, bars.index, bars.symbols) for k, v in poisoned.items()}, calendars="XNYS"
    )
    before, after = (held(expression, b).iloc[: t + 1] for b in (bars, spoilt))
    assert (before == 1).to_numpy().any()
    pd.testing.assert_frame_equal(before, after)


FAULTS = {
    "close > smaa(200)": (8, "no function named 'smaa'. Did you mean 'sma'?"),
    "closee > 3": (0, "no field named 'closee'. Did you mean 'close'?"),
    "close > volume": (8, "cannot compare a price and a volume"),
    "close > rsi(14)": (8, "cannot compare a price and points from 0 to 100"),
    "rsi(14) < 30%": (10, "write 30, not 30%"),
    "close > (sma(20)": (8, "this ( is never closed"),
    "close > sma(20))": (15, "this ) closes nothing"),
    "close >": (7, "the expression ends too early"),
    "close $ 3": (6, "'$' means nothing here"),
    "a nad b": (2, "Did you mean 'and'?"),
    "close > 3x": (8, "this is no number"),
    "symbol == 'AAPL": (10, "this ' is never closed"),
    "close": (0, "a screen is a condition"),
    "close > lag(close, -1)": (19, "a bar ahead is not known yet"),
    "close > close[-1]": (14, "a bar ahead is not known yet"),
    "close > sma(volume)": (8, "sma needs its bars"),
    "close > sma(rsi(5))": (8, "sma needs its bars"),
    "close > sma(close, volume)": (19, "must be a fixed number"),
    "close > bollinger(20)": (8, "bollinger says several things"),
    "macd(26, 12) > 0": (0, "must be shorter"),
    "sma > 3": (0, "sma is a function"),
    "close / 0 > 1": (8, "divides by 0"),
    "(close > 3) > 2": (0, "this is a condition"),
    "": (0, "an empty expression"),
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_is_pointed_at(text):
    at, reason = FAULTS[text]
    with pytest.raises(BadExpression) as caught:
        read(text)
    assert caught.value.at == at, str(caught.value)
    assert reason in caught.value.reason
    *_, line, carets = str(caught.value).split("\n")
    assert carets.index("^") == 2 + at
    assert line == "  " + text


def test_a_share_that_was_meant_as_percent_is_noted():
    assert read("change(20) > 5")[2] == ("character 14: 5 is 500% here; write 5% for 0.05",)
    assert read("change(20) > 5%")[2] == ()


NUMBERS = st.one_of(st.integers(0, 999).map(float), st.floats(0.001, 1e6))
LEAVES = st.one_of(
    NUMBERS.map(lambda x: Node("number", x)),
    st.sampled_from(["close", "open", "volume"]).map(lambda x: Node("name", x)),
    st.builds(lambda n: Node("call", ("sma", ""), (Node("number", float(n)),)), st.integers(1, 300)),
)
SUMS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda k, a, b: Node(k, None, (a, b)), st.sampled_from("+-*/"), inner, inner),
        inner.map(lambda a: Node("minus", None, (a,))),
        inner.map(lambda a: Node("call", ("macd", "signal"), (a,))),
    ),
    max_leaves=8,
)
SIGNS = st.sampled_from(["<", "<=", ">", ">=", "==", "!=", "crosses above", "crosses below"])
TESTS = st.recursive(
    st.builds(lambda k, a, b: Node(k, None, (a, b)), SIGNS, SUMS, SUMS),
    lambda inner: st.one_of(
        st.builds(lambda k, a, b: Node(k, None, (a, b)), st.sampled_from(["and", "or"]), inner, inner),
        inner.map(lambda a: Node("not", None, (a,))),
        st.builds(lambda a, b: Node("in", None, (a, b)), SUMS, LEAVES),
    ),
    max_leaves=6,
)


@given(TESTS)
@settings(max_examples=150)
def test_what_is_written_reads_back_as_the_same(node):
    assert parse(written(node)) == node


PIECES = st.sampled_from(
    [*WORDS, "close", "symbol", "and", "or", "not", "in", "between", "crosses", "above", "(", ")", "[", "]",
     ",", ".", "5%", "20", "1", "<", ">=", "=", "+", "-", "*", "/", "'A'", "\"", "#", "é", "\n", "1e999", "²"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=14).map(" ".join)))
@settings(max_examples=400)
def test_any_text_is_an_expression_or_an_error_that_says_why(text):
    try:
        read(text)
    except BadExpression as error:
        told = error.at
    else:
        told = 0
    assert 0 <= told <= len(text)


def test_what_is_too_deep_or_too_long_is_refused_not_a_crash():
    for text in ("(" * 5000, "not " * 2000 + "close > 1", "close" + "[1]" * 2000 + " > 1",
                 "1+" * 4000 + "1 > close", "x" * 20_000, "-" * 9000 + "1 > close"):  # fmt: skip
        with pytest.raises(BadExpression):
            read(text)
    read("close" + "[1]" * 80 + " > 1")


def test_a_screen_is_a_strategy_that_holds_its_hits(bars):
    found = screen(bars, "close > sma(10) and rsi(3) < 40")
    strategy = found.strategy(hold=4)
    assert strategy.parameters["expression"].default == found.expression
    signals = strategy(bars)
    history = found.history
    for n, symbol in enumerate("ABCDE"):
        _, rows = lists(bars, n)
        true = (history[symbol].to_numpy()[rows] == 1).tolist()
        since = naive.since(true)
        assert signals.entries[symbol].to_numpy()[rows].tolist() == [
            now and not (t and true[t - 1]) for t, now in enumerate(true)
        ]
        assert signals.exits[symbol].to_numpy()[rows].tolist() == [s == 4 for s in since]
    assert signals.entries.to_numpy().any()
    assert registry.get("on_screen").name == "on_screen"


def test_the_history_counts_hits(bars):
    told = screen(bars, "close > open").counts()
    assert told["hits"].sum() == int((held("close > open", bars) == 1).to_numpy().sum())
    assert (told["share"].dropna() <= 1).all()
