"""Indicators against published worked examples and against slow twins written here in plain loops."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from tapebook.data.panel import Bars
from tapebook.errors import BadParameter
from tapebook.strategy import indicators

NAN = math.nan

# StockCharts ChartSchool, "Relative Strength Index", worked example (cs-rsi.xls): QQQQ, 2009-12-14 to
# 2010-02-01, closes and 14-day RSI from the 15th close on.
QQQQ = [
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931,
    46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439, 46.2122, 46.2521,
    45.7137, 46.4515, 45.7835, 45.3548, 44.0288, 44.1783, 44.2181, 44.5672, 43.4205, 42.6628, 43.1314,
]  # fmt: skip
QQQQ_RSI = [
    70.53, 66.32, 66.55, 69.41, 66.36, 57.97, 62.93, 63.26, 56.06, 62.38, 54.71, 50.42, 39.99, 41.46, 41.87,
    45.46, 37.30, 33.08, 37.77,
]  # fmt: skip
# StockCharts ChartSchool, "Moving Averages", worked example: INTC, 10 days.
INTC = [
    22.2734, 22.1940, 22.0847, 22.1741, 22.1840, 22.1344, 22.2337, 22.4323, 22.2436, 22.2933, 22.1542,
    22.3926, 22.3816, 22.6109, 23.3558, 24.0519, 23.7530, 23.8324, 23.9516, 23.6338, 23.8225, 23.8722,
    23.6537, 23.1870, 23.0976, 23.3260, 22.6805, 23.0976, 22.4025, 22.1725,
]  # fmt: skip
INTC_EMA = [
    22.22, 22.21, 22.24, 22.27, 22.33, 22.52, 22.80, 22.97, 23.13, 23.28, 23.34, 23.43, 23.51, 23.54, 23.47,
    23.40, 23.39, 23.26, 23.23, 23.08, 22.92,
]  # fmt: skip
INTC_SMA = [
    22.22, 22.21, 22.23, 22.26, 22.31, 22.42, 22.61, 22.77, 22.91, 23.08, 23.21, 23.38, 23.53, 23.65, 23.71,
    23.69, 23.61, 23.51, 23.43, 23.28, 23.13,
]  # fmt: skip
# StockCharts ChartSchool, "Bollinger Bands", worked example: 20 days, two deviations.
BANDED = [
    86.16, 89.09, 88.78, 90.32, 89.07, 91.15, 89.44, 89.18, 86.93, 87.68, 86.96, 89.43, 89.32, 88.72, 87.45,
    87.26, 89.50, 87.90, 89.13, 90.70,
]  # fmt: skip


def column(values):
    return pd.DataFrame({"A": values}, pd.bdate_range("2010-01-04", periods=len(values), tz="UTC"))


def test_rsi_is_wilders_as_stockcharts_publishes_it():
    found = indicators.rsi(column(QQQQ), 14)["A"]
    assert found[:14].isna().all()
    np.testing.assert_allclose(found[14:], QQQQ_RSI, rtol=0, atol=0.00501)


def test_means_are_as_stockcharts_publishes_them():
    np.testing.assert_allclose(indicators.ema(column(INTC), 10)["A"][9:], INTC_EMA, rtol=0, atol=0.00501)
    np.testing.assert_allclose(indicators.sma(column(INTC), 10)["A"][9:], INTC_SMA, rtol=0, atol=0.00501)


def test_bollinger_is_as_stockcharts_publishes_it():
    bands = [band["A"].iloc[-1] for band in indicators.bollinger(column(BANDED), 20, 2.0)]
    np.testing.assert_allclose(bands, [86.12, 88.71, 91.29], rtol=0, atol=0.01)


# ---- slow twins: one symbol's present bars, as lists


def mean(x):
    return sum(x) / len(x)


def deviation(x, ddof):
    return math.sqrt(sum((v - mean(x)) ** 2 for v in x) / (len(x) - ddof))


def rolled(x, n, work):
    return [work(x[t - n + 1 : t + 1]) if t >= n - 1 else NAN for t in range(len(x))]


def twin_ema(x, n, first=None):
    """Start at bar `first` (from 0) with the mean of the n bars up to it."""
    first = n - 1 if first is None else first
    out = [NAN] * len(x)
    for t in range(first, len(x)):
        out[t] = mean(x[t - n + 1 : t + 1]) if t == first else out[t - 1] + 2 / (n + 1) * (x[t] - out[t - 1])
    return out


def wilder(x, n, first):
    """Wilder's mean of x from bar `first` on, started with the mean of the n values up to it."""
    out = [NAN] * len(x)
    for t in range(first, len(x)):
        out[t] = mean(x[t - n + 1 : t + 1]) if t == first else (out[t - 1] * (n - 1) + x[t]) / n
    return out


def twin_rsi(x, n):
    changes = [NAN] + [b - a for a, b in zip(x, x[1:], strict=False)]
    up = wilder([max(c, 0.0) for c in changes], n, n)
    down = wilder([max(-c, 0.0) for c in changes], n, n)
    return [50.0 if u + d == 0 else 100 * u / (u + d) for u, d in zip(up, down, strict=True)]


def twin_macd(x, fast, slow, signal):
    line = [a - b for a, b in zip(twin_ema(x, fast, slow - 1), twin_ema(x, slow, slow - 1), strict=True)]
    smooth = twin_ema(line, signal, slow + signal - 2)
    return [line[t] if t >= slow + signal - 2 else NAN for t in range(len(x))], smooth


def true_range(h, lo, c):
    return [NAN] + [max(h[t] - lo[t], abs(h[t] - c[t - 1]), abs(lo[t] - c[t - 1])) for t in range(1, len(c))]


def twin_atr(h, lo, c, n):
    return wilder(true_range(h, lo, c), n, n)


def twin_adx(h, lo, c, n):
    """Wilder's sums as TA-Lib starts them: of the first n - 1 bars, then lessened by an nth each bar."""
    plus, minus, ranges = [0.0], [0.0], true_range(h, lo, c)
    for t in range(1, len(c)):
        up, down = h[t] - h[t - 1], lo[t - 1] - lo[t]
        plus.append(up if up > down and up > 0 else 0.0)
        minus.append(down if down > up and down > 0 else 0.0)
    sums = [sum(part[1:n]) for part in (plus, minus, ranges)]
    dx = [NAN] * len(c)
    for t in range(n, len(c)):
        sums = [s - s / n + part[t] for s, part in zip(sums, (plus, minus, ranges), strict=True)]
        dx[t] = 100 * abs(sums[0] - sums[1]) / (sums[0] + sums[1])
    return wilder(dx, n, 2 * n - 1)


@pytest.fixture(scope="module")
def bars():
    rng = np.random.default_rng(7)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, (150, 3)), axis=0))
    high, low = close * (1 + rng.random((150, 3)) * 0.02), close * (1 - rng.random((150, 3)) * 0.02)
    frames = {"high": high, "low": low, "close": close}
    for block in frames.values():
        block[:30, 1] = NAN  # listed late
        block[70:75, 2] = NAN  # a hole
        block[-1, 2] = NAN
    index = pd.bdate_range("2015-01-05", periods=150, tz="UTC")
    return Bars.from_frames(**{k: pd.DataFrame(v, index, list("ABC")) for k, v in frames.items()})


TWINS = {
    "sma": (lambda b: indicators.sma(b.close, 5), lambda h, lo, c: rolled(c, 5, mean)),
    "ema": (lambda b: indicators.ema(b.close, 7), lambda h, lo, c: twin_ema(c, 7)),
    "ema of one": (lambda b: indicators.ema(b.close, 1), lambda h, lo, c: c),
    "rsi": (lambda b: indicators.rsi(b.close, 9), lambda h, lo, c: twin_rsi(c, 9)),
    "macd": (lambda b: indicators.macd(b.close, 5, 11, 4).line, lambda h, lo, c: twin_macd(c, 5, 11, 4)[0]),
    "signal": (
        lambda b: indicators.macd(b.close, 5, 11, 4).signal, lambda h, lo, c: twin_macd(c, 5, 11, 4)[1],
    ),
    "lower": (
        lambda b: indicators.bollinger(b.close, 8, 1.5).lower,
        lambda h, lo, c: rolled(c, 8, lambda x: mean(x) - 1.5 * deviation(x, 0)),
    ),
    "highest": (lambda b: indicators.donchian(b, 6).upper, lambda h, lo, c: [NAN, *rolled(h, 6, max)[:-1]]),
    "lowest": (lambda b: indicators.donchian(b, 6).lower, lambda h, lo, c: [NAN, *rolled(lo, 6, min)[:-1]]),
    "atr": (lambda b: indicators.atr(b, 6), lambda h, lo, c: twin_atr(h, lo, c, 6)),
    "adx": (lambda b: indicators.adx(b, 6), lambda h, lo, c: twin_adx(h, lo, c, 6)),
    "returns": (
        lambda b: indicators.simple_returns(b.close, 3),
        lambda h, lo, c: [NAN] * 3 + [c[t] / c[t - 3] - 1 for t in range(3, len(c))],
    ),
    "volatility": (
        lambda b: indicators.realised_volatility(b.close, 10, 252.0),
        lambda h, lo, c: [NAN] + rolled(
            [c[t] / c[t - 1] - 1 for t in range(1, len(c))], 10, lambda x: deviation(x, 1) * 252**0.5
        ),
    ),
    "zscore": (
        lambda b: indicators.zscore(b.close, 10),
        lambda h, lo, c: rolled(c, 10, lambda x: (x[-1] - mean(x)) / deviation(x, 1)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_each_symbol_runs_over_its_own_bars_as_in_plain_loops(name, bars):
    ours, twin = TWINS[name]
    found = ours(bars)
    assert found.index.equals(bars.index)
    assert found.columns.equals(bars.close.columns)
    for symbol in bars.symbols:
        here = bars.close[symbol].notna()
        expected = twin(*(getattr(bars, f)[symbol][here].tolist() for f in ("high", "low", "close")))
        assert np.isfinite(expected).sum() > 50
        np.testing.assert_allclose(found[symbol][here], expected, rtol=1e-9, atol=1e-9)
        assert found[symbol][~here].isna().all()


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("rows", [0, 1, 2, 5])
def test_too_few_bars_are_no_error(name, rows, bars):
    ours, _ = TWINS[name]
    assert ours(bars._rows(slice(0, rows))).shape == (rows, 3)


def test_one_symbols_series_may_be_given(bars):
    frame = bars.close
    for work in (lambda x: indicators.sma(x, 5), indicators.rsi, lambda x: indicators.macd(x).histogram):
        for symbol in bars.symbols:
            pd.testing.assert_series_equal(work(frame[symbol]), work(frame)[symbol])


def test_only_closes_are_bars_too(bars):
    close = bars.close
    found = indicators.donchian(Bars.from_frames(close=close), 4)
    expected = close["A"].shift().rolling(4).max()
    pd.testing.assert_series_equal(found.upper["A"], expected)


def test_a_price_that_stands_still_says_nothing():
    flat = column([5.0] * 60)
    assert (indicators.rsi(flat)["A"].dropna() == 50.0).all()
    assert indicators.zscore(flat, 10).isna().all(axis=None)
    up, down = column(np.arange(60) + 1.0), column(100.0 - np.arange(60))
    assert indicators.rsi(up)["A"].iloc[-1] == 100.0
    assert indicators.rsi(down)["A"].iloc[-1] == 0.0


def test_a_crossing_is_an_event_seen_in_the_symbols_own_bars():
    line = column([1.0, 2, NAN, 4, 4, 3, 3, 5])
    above, below = indicators.crossed_above(line, 3.0), indicators.crossed_below(line, 3.5)
    assert above["A"].tolist() == [False, False, False, True, False, False, False, True]
    assert below["A"].tolist() == [False, False, False, False, False, True, False, False]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: indicators.sma(x, 0), "'window' is 0: expected a whole number of at least 1"),
        (lambda x: indicators.rsi(x, 1), "'window' is 1: expected a whole number of at least 2"),
        (lambda x: indicators.ema(x, 2.5), "'window' is 2.5: expected a whole number"),
        (lambda x: indicators.lagged(x, -1), "'bars' is -1: expected a whole number of at least 0"),
        (lambda x: indicators.simple_returns(x, -1), "'bars' is -1"),
    ],
)
def test_windows_that_make_no_sense(call, said):
    with pytest.raises(BadParameter, match=said):
        call(column([1.0, 2.0, 3.0]))
