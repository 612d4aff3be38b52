"""Each fault is planted in a clean series and found, exactly there, and nothing else is."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import naive_moves
from tapebook.data import quality_moves
from tapebook.data.calendar import expected_bars
from tapebook.data.quality import check, check_all, worst
from tapebook.data.quality_moves import _unusual, jumps


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


def on_record(day, split=1.0, dividend=0.0):
    return pl.DataFrame({"ts": [day], "split": [split], "dividend": [dividend]})


def halved():
    """Prices half from bar 50 on."""
    return scaled(clean(), list(range(50, 400)), 0.5)


def test_a_special_dividend_is_no_jump():
    bars = clean()
    paid = on_record(bars["ts"][50], dividend=bars["close"][49] / 2)
    assert judge(halved(), actions=paid).is_empty()


def test_a_split_in_a_halt_is_no_jump():
    bars = halved()
    open_again = bars.filter(~pl.int_range(pl.len()).is_in([50, 51]))
    found = judge(open_again, actions=on_record(bars["ts"][50], 2.0))
    assert found["check_name"].to_list() == ["gap"]


@pytest.mark.parametrize(("freq", "every"), [("1w", "1w"), ("1mo", "1mo")])
def test_a_split_within_a_week_or_month_is_no_jump(freq, every):
    bars = halved()
    prices = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    how = [getattr(pl.col(name), way)() for name, way in prices.items()]
    longer = bars.group_by_dynamic("ts", every=every).agg(pl.col("ts").last().alias("end"), *how)
    longer = longer.drop("ts").rename({"end": "ts"})
    assert judge(longer, freq=freq, actions=on_record(bars["ts"][50], 2.0)).is_empty()
    assert judge(longer, freq=freq)["check_name"].item() in ("split_like", "jump"), "without the record it is"


@pytest.mark.parametrize("calendar", ["XNYS", "XASX", "24/7"])
def test_a_split_between_intraday_sessions_is_no_jump(calendar):
    """Sydney opens on the UTC day before its session's date."""
    from tapebook.data.calendar import opens, sessions

    bars = clean(calendar=calendar, freq="1h", T=300)
    day = sessions(calendar, "2015-01-02", "2015-02-01")[5]
    after = pl.col("ts") >= opens(calendar, sessions(calendar, day, day))[0].to_pydatetime()
    prices = ("open", "high", "low", "close")
    bars = bars.with_columns(pl.when(after).then(pl.col(n) / 2).otherwise(pl.col(n)) for n in prices)
    record = on_record(day.to_pydatetime(), 2.0)
    assert judge(bars, freq="1h", calendar=calendar, actions=record).is_empty()


def test_prices_that_are_adjusted_already_are_told():
    bars = clean()
    (found,) = judge(bars, actions=on_record(bars["ts"][50], 2.0)).rows(named=True)
    assert (found["check_name"], found["severity"], found["ts"]) == (
        "split_unseen",
        "warning",
        bars["ts"][50],
    )
    assert found["detail"].startswith("a split of 2 for 1 is on record, and the price moved +0.")
    assert found["detail"].endswith("are these prices adjusted already?")


def test_a_split_of_another_ratio_than_on_record_is_told():
    bars = halved()
    (found,) = judge(bars, actions=on_record(bars["ts"][50], 3.0)).rows(named=True)
    assert found["check_name"] == "split_like"
    assert "like a split of 2 for 1, and one of 3 for 1 is on record" in found["detail"]


def test_actions_may_have_empty_fields():
    bars = halved()
    record = on_record(bars["ts"][50], 2.0).with_columns(dividend=pl.lit(None, pl.Float64))
    assert judge(bars, actions=record).is_empty()
    nothing = on_record(bars["ts"][50]).with_columns(split=pl.lit(0.0))
    assert judge(clean(), actions=nothing).is_empty()
    assert judge(clean(), actions=nothing[:0]).is_empty()


def test_bars_while_the_market_is_closed_are_told():
    days = clean(calendar="24/7", end="2015-03-01")
    (found,) = judge(days).rows(named=True)
    assert (found["check_name"], found["severity"]) == ("off_calendar", "warning")
    told = "20 bars while the calendar XNYS is closed until 2015-03-01"
    assert found["detail"] == told, "9 weekends and two holidays"
    minutes = clean(freq="1m", end="2015-01-09", T=800)
    early = minutes[:1].with_columns(pl.col("ts").dt.offset_by("-30m"))
    (found,) = judge(pl.concat([early, minutes]), freq="1m").rows(named=True)
    assert (found["check_name"], found["severity"], found["value"]) == ("off_calendar", "info", 1.0)


@pytest.mark.parametrize(("freq", "aside"), [("1d", "5h"), ("1h", "30m")])
def test_bars_beside_their_places_are_told_once(freq, aside):
    bars = clean(freq=freq, T=200).with_columns(pl.col("ts").dt.offset_by(aside))
    (found,) = judge(bars, freq=freq).rows(named=True)
    assert (found["check_name"], found["severity"], found["value"]) == ("off_calendar", "warning", 200.0)
    assert "is the time zone of the stamps right?" in found["detail"]


def test_few_bars_are_gaps_and_not_beside_their_places():
    sparse = clean().filter(pl.int_range(pl.len()) % 5 == 0)
    assert set(judge(sparse)["check_name"]) == {"gap"}


def test_the_order_of_bars_does_not_matter():
    bars = halved()
    assert judge(bars.sample(fraction=1.0, shuffle=True, seed=1)).equals(judge(bars))


def test_five_hundred_symbols_are_judged_in_about_a_second():
    import time

    bars = clean(T=2520, start="2008-01-02", end="2018-12-31")
    began = time.process_time()
    for _ in range(100):
        judge(bars)
    assert time.process_time() - began < 1.0, "0.15 s on two cores at rest"


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


@given(st.integers(2, 200), st.integers(0, 10**6))
def test_unusual_moves_are_those_of_the_slow_way(n, seed):
    chance = np.random.default_rng(seed)
    moves = chance.standard_t(1.5, n) * 0.01 * (chance.random(n) < chance.choice([1.0, 0.4]))
    assert _unusual(moves, np.array([n + 1])).tolist() == naive_moves.unusual(moves)


@given(
    st.lists(st.integers(0, 140), min_size=1, max_size=5), st.integers(0, 10**6), st.sampled_from([1, 20000])
)
def test_jumps_of_many_symbols_are_those_of_the_slow_way(sizes, seed, block):
    """Bad prints, splits with and without a record, gaps in closes and opens, of symbols of any length."""
    chance, total = np.random.default_rng(seed), sum(sizes)
    close = np.round(50 * np.exp(np.cumsum(chance.standard_t(2.0, total) * 0.02)), 2)
    close *= np.cumprod(
        np.where(chance.random(total) < 0.03, chance.choice([0.5, 2.0, 1 / 3, 1.5, 0.7], total), 1)
    )
    spiked = np.flatnonzero(chance.random(total) < 0.04)
    close[spiked] *= chance.choice([0.4, 1.1, 1.6, 2.0], len(spiked))
    values = {
        name: np.abs(close) * chance.choice([1.0, 1.01, 0.5], total) for name in ("open", "high", "low")
    }
    values |= {"close": np.where(chance.random(total) < 0.02, chance.choice([np.nan, -1.0], total), close)}
    values["open"][chance.random(total) < 0.1] = np.nan
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])[np.array(sizes) > 0]
    stamps = np.concatenate([np.arange(size) for size in sizes]).astype("datetime64[us]")
    record = {
        at: (
            np.sort(chance.integers(0, 150, 3)).astype("datetime64[us]"),
            chance.choice([1.0, 2.0, 1.5], 3),
            d,
        )
        for at in range(len(starts))
        if (d := chance.choice([0.0, 5.0], 3)).any()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quality_moves, "BLOCK", block)
        found = jumps(stamps, values, starts, record)
    assert found == naive_moves.jumps(stamps, values, starts, record)


def test_many_symbols_are_judged_as_each_alone():
    chance = np.random.default_rng(5)
    parts, alone, calendars, paid = [], [], {}, []
    for at, calendar in enumerate(["XNYS", "24/7", "XNYS", "XLON", "24/7", "XNYS"]):
        name, n = f"S{9 - at}", [60, 1, 300, 40, 2, 250][at]
        stamps = expected_bars(calendar, "1d", "2018", "2019")[:n]
        stamps = stamps[np.sort(chance.choice(n, n - n // 20, replace=False))]
        close = np.round(50 * np.exp(np.cumsum(chance.standard_t(2.2, len(stamps)) * 0.02)), 2)
        close[len(close) // 2 : len(close) // 2 + 7] = close[len(close) // 2]
        close[-1:] *= 2.0
        frame = pl.DataFrame({"ts": pl.Series(stamps.tz_localize(None).to_numpy("datetime64[us]"))})
        prices = {"open": close, "high": close + 0.1, "low": close - 0.1, "close": close}
        frame = frame.with_columns(pl.col("ts").dt.replace_time_zone("UTC"), **prices, volume=pl.lit(0.0))
        action = pl.DataFrame({"ts": frame["ts"].tail(1), "split": [2.0], "dividend": [0.1]})
        alone.append(check(frame, symbol=name, freq="1d", calendar=calendar, actions=action))
        parts.append(frame.with_columns(symbol=pl.lit(name)))
        paid.append(action.with_columns(symbol=pl.lit(name)))
        calendars[name] = calendar
    together = check_all(pl.concat(parts), freq="1d", calendars=calendars, actions=pl.concat(paid))
    assert_frame_equal(together, pl.concat(alone))
    assert {"gap", "stale", "zero_volume", "jump"} <= set(together["check_name"])
