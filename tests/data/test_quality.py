"""Each fault is planted in a clean series and found, exactly there, and nothing else is."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from tapebook.data.calendar import expected_bars
from tapebook.data.quality import check, worst


def clean(T=400, seed=0, calendar="XNYS", freq="1d", start="2015-01-02", end="2018-01-01"):
    rng = np.random.default_rng(seed)
    stamps = expected_bars(calendar, freq, start, end)[:T]
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, len(stamps))))
    open_ = np.concatenate([[100.0], close[:-1]])
    return pl.DataFrame(
        {
            "ts": pl.Series(stamps.tz_localize(None).to_numpy("datetime64[us]")).dt.replace_time_zone("UTC"),
            "open": open_,
            "high": np.maximum(open_, close) + 0.1,
            "low": np.minimum(open_, close) - 0.1,
            "close": close,
            "volume": rng.integers(1_000, 9_000, len(stamps)).astype(float),
        }
    )


def judge(bars, **options):
    given = {"symbol": "X", "freq": "1d", "calendar": "XNYS"} | options
    return check(bars, **given)


def put(bars, row, **values):
    there = pl.int_range(pl.len()) == row
    return bars.with_columns(
        pl.when(there).then(pl.lit(v)).otherwise(pl.col(n)).alias(n) for n, v in values.items()
    )


def scaled(bars, rows, factor):
    there = pl.int_range(pl.len()).is_in(rows)
    prices = ("open", "high", "low", "close")
    return bars.with_columns(
        pl.when(there).then(pl.col(n) * factor).otherwise(pl.col(n)).alias(n) for n in prices
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_clean_series_has_no_findings(seed):
    assert judge(clean(seed=seed)).is_empty()


PLANTED = {
    "missing_close": (lambda b: put(b, 50, close=None), "severe", 50),
    "not_positive": (lambda b: put(b, 50, low=-1.0), "severe", 50),
    "high_below_low": (
        lambda b: put(b, 50, high=b["low"][50] - 1, open=None, close=b["low"][50] - 0.5),
        "severe",
        50,
    ),
    "outside_range": (lambda b: put(b, 50, open=b["high"][50] + 1), "warning", 50),
    "zero_volume": (lambda b: put(put(b, 50, volume=0.0), 51, volume=0.0), "info", 50),
    "bad_print": (lambda b: scaled(b, [50], 1.6), "warning", 50),
    "split_like": (lambda b: scaled(b, list(range(50, 400)), 0.5), "warning", 50),
    "jump": (lambda b: scaled(b, list(range(50, 400)), 0.43), "info", 50),
    "gap": (lambda b: b.filter(~pl.int_range(pl.len()).is_in([50, 51])), "warning", 50),
    "duplicate": (lambda b: pl.concat([b, b[50:51].with_columns(close=b["close"][50] + 0.01)]), "severe", 50),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_there(name):
    spoil, severity, row = PLANTED[name]
    bars = clean()
    found = judge(spoil(bars)).filter(pl.col("check_name") == name)
    assert len(found) == 1
    assert found["severity"][0] == severity
    assert found["ts"][0] == bars["ts"][row]
    assert found["detail"][0]
    others = set(judge(spoil(bars))["check_name"]) - {name}
    assert others <= {"outside_range"}, "one fault, one finding"


def test_a_stale_run_counts_its_bars():
    bars = clean()
    for row in range(101, 107):
        bars = put(bars, row, **{n: bars[n][100] for n in ("open", "high", "low", "close")})
    (found,) = judge(bars).rows(named=True)
    assert (found["check_name"], found["value"], found["ts"]) == ("stale", 7.0, bars["ts"][100])


def test_a_split_on_record_is_no_jump():
    bars = scaled(clean(), list(range(50, 400)), 0.5)
    actions = pl.DataFrame({"ts": [bars["ts"][50]], "split": [2.0], "dividend": [0.0]})
    assert judge(bars, actions=actions).is_empty()


def test_the_same_bar_twice_is_only_noted():
    bars = clean()
    found = judge(pl.concat([bars, bars[9:10]]))
    assert found["severity"].to_list() == ["info"]


def test_gaps_are_counted_against_the_calendar():
    days = clean(calendar="24/7", end="2015-03-01")
    assert judge(days, calendar="24/7").is_empty()
    weekdays = days.filter(pl.col("ts").dt.weekday() < 6)
    assert len(judge(weekdays, calendar="24/7")) == 8
    minutes = clean(calendar="XNYS", freq="1m", start="2015-01-02", end="2015-01-09", T=800)
    assert judge(minutes, freq="1m").is_empty()
    (found,) = judge(minutes.filter(~pl.int_range(pl.len()).is_between(100, 119)), freq="1m").rows(named=True)
    assert (found["check_name"], found["value"]) == ("gap", 20.0)


def test_the_worst_severity():
    assert worst(judge(clean())) == ""
    assert worst(judge(put(clean(), 3, volume=0.0))) == "info"
    assert worst(judge(put(put(clean(), 3, volume=0.0), 9, close=-1.0))) == "severe"


def test_one_bar_or_none():
    assert judge(clean(T=1)).is_empty()
    assert judge(clean(T=1)[:0]).is_empty()
    assert judge(clean())["ts"].dtype == pl.Datetime("us", "UTC")
    assert isinstance(judge(put(clean(), 3, volume=0.0))["ts"][0].astimezone(UTC), datetime)
