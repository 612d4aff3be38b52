"""Bars: an immutable value whose parts, other clocks and words are what they say."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tapebook.data.calendar import closes, expected_bars, sessions
from tapebook.data.panel import Bars
from tapebook.errors import BadInput, BadParameter, UnknownName


def panel(index, N=2, seed=0, holes=0.0, **options):
    rng = np.random.default_rng(seed)
    T = len(index)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, (T, N)), axis=0))
    start = np.vstack([close[:1], close[:-1]])
    blocks = {
        "open": start,
        "high": np.maximum(start, close) + 0.2,
        "low": np.minimum(start, close) - 0.2,
        "close": close,
        "volume": rng.integers(1, 99, (T, N)).astype(float),
    }
    gone = rng.random((T, N)) < holes
    names = [f"S{n}" for n in range(N)]
    frames = {k: pd.DataFrame(np.where(gone, np.nan, v), index, names) for k, v in blocks.items()}
    return Bars.from_frames(**frames, **options)


def days(start="2012-01-03", end="2012-12-31", calendar="XNYS"):
    return sessions(calendar, start, end)


def daily(**options):
    return panel(days(), calendars="XNYS", **options)


# ---- the value


def test_frames_have_the_shape_and_names_promised():
    bars = daily()
    assert bars.shape == bars.close.shape == (len(days()), 2)
    assert (bars.close.index.name, bars.close.columns.name) == ("ts", "symbol")
    assert str(bars.index.tz) == "UTC"
    assert (bars.start, bars.end) == (bars.index[0], bars.index[-1])


def test_nothing_can_be_changed():
    bars = daily()
    with pytest.raises(ValueError, match="read-only"):
        bars.values["close"][0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        bars.close.iloc[0, 0] = -1.0
    with pytest.raises(AttributeError):
        bars.freq = "1w"


def test_parts():
    bars = daily()
    assert bars.between("2012-03", "2012-04").index[[0, -1]].strftime("%m-%d").tolist() == ["03-01", "04-30"]
    assert bars.between(end="2012-01-05").index[-1] == pd.Timestamp("2012-01-05", tz="UTC")
    assert len(bars.between("2013")) == 0
    assert bars["S1"].symbols == ("S1",)
    assert bars.select("S1", "S0").symbols == ("S1", "S0")
    pd.testing.assert_series_equal(bars.select("S1", "S0").close["S0"], bars.close["S0"])
    with pytest.raises(UnknownName, match="Did you mean 'S1'"):
        bars["S11"]


def test_long_and_wide_are_the_same():
    bars = daily(holes=0.2)
    long = bars.polars()
    assert long.columns == ["symbol", "ts", "open", "high", "low", "close", "volume"]
    assert len(long) == int(bars.close.notna().to_numpy().sum())
    again = Bars.from_long(long.sample(fraction=1, shuffle=True, seed=1), bars.symbols, calendars="XNYS")
    for name in ("open", "close", "volume"):
        kept = getattr(bars, name).dropna(how="all")
        pd.testing.assert_frame_equal(getattr(again, name), kept, check_freq=False)


def test_the_fingerprint_names_the_data():
    bars = daily()
    assert bars.fingerprint() == daily().fingerprint()
    others = (daily(seed=1), bars["S0"], bars.between("2012-02"))
    assert len({other.fingerprint() for other in (bars, *others)}) == 4


def test_coverage_counts_against_the_calendar():
    bars = daily(N=1)
    frames = {n: getattr(bars, n).drop(bars.index[[10, 11]]) for n in ("open", "high", "low", "close")}
    row = Bars.from_frames(**frames, calendars="XNYS").coverage().iloc[0]
    assert (row["expected"] - row["bars"], row["missing"]) == (2, 2)
    assert "99.2% (2 missing)" in repr(Bars.from_frames(**frames, calendars="XNYS"))
    assert "<table>" in bars._repr_html_()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: f.iloc[::-1], "expected rising times"),
        (lambda f: pd.concat([f, f.iloc[-1:]]), "twice"),
        (lambda f: f.reset_index(drop=True), "expected times"),
        (lambda f: f.replace(f.iloc[3, 0], np.inf), "infinite for 'S0'"),
        (lambda f: f.astype(object).replace(f.iloc[3, 0], "abc"), "expected numbers"),
        (lambda f: f.set_axis(["S0", "S0"], axis=1), "twice"),
        (lambda f: f.to_numpy(), "expected a DataFrame"),
        (lambda f: f.set_axis(f.index + pd.Timedelta("5h"), axis=0), "expected dates for daily bars"),
    ],
)
def test_frames_that_are_no_bars(spoil, said):
    with pytest.raises(BadInput, match=said):
        Bars.from_frames(close=spoil(daily().close))


def test_frames_that_do_not_fit_each_other():
    close = daily().close
    with pytest.raises(BadInput, match="open has shape"):
        Bars.from_frames(close=close, open=close.iloc[1:])
    with pytest.raises(BadInput, match="without a time zone"):
        Bars.from_frames(close=close.set_axis(close.index.tz_localize(None) + pd.Timedelta("1h")), freq="1h")


# ---- longer bars


def slow_resample(bars, key):
    """Group by a label of each row, drop the group that may still grow, fold by hand."""
    rows, names = {}, ("open", "high", "low", "close", "volume")
    labels = [key(ts) for ts in bars.index]
    for label in dict.fromkeys(labels):
        part = bars.close.index[[other == label for other in labels]]
        for symbol in bars.symbols:
            o, h, low, c, v = (getattr(bars, n)[symbol].loc[part].dropna() for n in names)
            if len(c):
                rows[(label, symbol)] = (o.iloc[0], h.max(), low.min(), c.iloc[-1], v.sum())
    return rows


@pytest.mark.parametrize(("freq", "period"), [("1w", "W-SUN"), ("1mo", "M")])
def test_weeks_and_months_equal_the_slow_way_and_carry_their_last_session(freq, period):
    bars = daily(holes=0.1)
    longer = bars.resample(freq)
    expected = slow_resample(bars, lambda ts: ts.tz_localize(None).to_period(period))
    found = 0
    for ts in longer.index:
        label = ts.tz_localize(None).to_period(period)
        every = [s for s in days(end="2013-01-31") if s.tz_localize(None).to_period(period) == label]
        assert ts == every[-1]
        for symbol in bars.symbols:
            if (label, symbol) in expected:
                values = [getattr(longer, n)[symbol][ts] for n in ("open", "high", "low", "close", "volume")]
                np.testing.assert_allclose(values, expected[label, symbol])
                found += 1
    assert found > 20


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(2, 200), freq=st.sampled_from(["1w", "1mo"]), holes=st.sampled_from([0.0, 0.3]))
def test_a_longer_bar_appears_only_when_it_is_over(cut, freq, holes):
    bars = daily(holes=holes)
    short = bars.between(end=bars.index[cut]).resample(freq)
    whole = bars.resample(freq)
    pd.testing.assert_frame_equal(short.close, whole.close.iloc[: len(short)], check_freq=False)
    assert not len(short) or short.known_at[-1] <= bars.known_at[cut]


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(2, 1_200), freq=st.sampled_from(["5m", "1h", "1d"]))
@example(cut=989, freq="1h")  # the last half hour before a close is an hour's bar that is known at the close
def test_minutes_never_leak_into_hours_and_days(cut, freq):
    index = expected_bars("XNYS", "1m", "2012-11-21", "2012-11-26")  # a holiday and a half day between
    bars = panel(index, N=1, freq="1m", calendars="XNYS")
    cut = min(cut, len(bars) - 1)
    short = bars.between(end=bars.index[cut]).resample(freq)
    whole = bars.resample(freq)
    pd.testing.assert_frame_equal(short.high, whole.high.iloc[: len(short)], check_freq=False)
    assert not len(short) or short.known_at[-1] <= bars.known_at[cut]


def test_a_half_day_ends_early():
    index = expected_bars("XNYS", "1h", "2012-11-21", "2012-11-26")
    bars = panel(index, N=1, freq="1h", calendars="XNYS").resample("1d")
    assert bars.index.strftime("%m-%d").tolist() == ["11-21", "11-23", "11-26"]
    assert bars.known_at[1] == pd.Timestamp("2012-11-23 18:00", tz="UTC")


def test_bars_cannot_be_made_shorter():
    with pytest.raises(BadParameter, match="a longer bar"):
        daily().resample("1h")


# ---- other clocks


def test_days_are_known_at_the_close():
    bars = daily()
    assert (bars.known_at == closes("XNYS", bars.index)).all()


def test_alignment_gives_what_was_known_by_then():
    hours = panel(expected_bars("XNYS", "1h", "2012-11-19", "2012-11-30"), N=1, freq="1h", calendars="XNYS")
    seen = hours.align(daily(N=1)).close["S0"]
    whole = daily(N=1)
    for ts, known in zip(hours.index, hours.known_at, strict=True):
        before = whole.close["S0"][whole.known_at <= known]
        assert seen[ts] == before.iloc[-1]
    frame = hours.align(whole.close, freq="1d")["S0"]
    pd.testing.assert_series_equal(frame, seen, check_freq=False, check_names=False)


@settings(max_examples=20, deadline=None)
@given(row=st.integers(0, 60))
def test_alignment_cannot_see_the_future(row):
    hours = panel(expected_bars("XNYS", "1h", "2012-11-19", "2012-11-30"), N=1, freq="1h", calendars="XNYS")
    row = min(row, len(hours) - 1)
    other = daily(N=1)
    poisoned = other.close.where(pd.Series(other.known_at, other.index).le(hours.known_at[row]), 1e9)
    before, after = (hours.align(f, freq="1d").iloc[: row + 1] for f in (other.close, poisoned))
    pd.testing.assert_frame_equal(before, after)


def test_alignment_needs_to_know_how_long_bars_last():
    hours = panel(expected_bars("XNYS", "1h", "2012-11-19", "2012-11-30"), N=1, freq="1h", calendars="XNYS")
    with pytest.raises(BadParameter, match="freq"):
        daily().align(hours.close)
    with pytest.raises(BadInput, match="expected Bars, a DataFrame or a Series"):
        daily().align([1, 2])
    assert isinstance(daily().polars(), pl.DataFrame)
