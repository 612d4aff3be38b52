"""Adjustment against a slow twin, by hand, and in the lake beside its SQL."""

import numpy as np
import pandas as pd
import pytest

from contracts.stores import DAYS, action, instrument, rows
from tapebook.config import Config
from tapebook.data.adjust import moments
from tapebook.data.lake import Lake
from tapebook.errors import BadInput


@pytest.fixture
def lake(tmp_path):
    with Lake.open(Config.load(tmp_path)) as lake:
        yield lake


def slow(close, actions, total):
    """One close at a time, one action at a time."""
    adjusted = close.copy()
    for row in actions.itertuples():
        before = close[close.index < row.ts]
        factor = 1 / row.split if row.split and not np.isnan(row.split) else 1.0
        if total and len(before) and not np.isnan(row.dividend):
            factor *= 1 - row.dividend / before.iloc[-1]
        adjusted[adjusted.index < row.ts] *= factor
    return adjusted


def test_split_divides_prices_and_multiplies_volume(lake):
    lake.write(rows(), actions=action(day=DAYS[5], split=4))
    raw, bars = lake.bars("A", adjust=False), lake.bars("A")
    for field in ("open", "high", "low", "close"):
        factor = (getattr(raw, field) / getattr(bars, field))["A"].tolist()
        assert factor == [4] * 5 + [1] * 5
    assert bars.volume["A"].tolist() == [40] * 5 + [10] * 5
    assert bars.adjust == "splits"


def test_dividend_takes_its_share_of_the_close_before(lake):
    lake.write(rows(price=100), actions=action(day=DAYS[5], dividend=5.2))
    total = lake.bars("A", adjust="total").close["A"]
    assert total.iloc[4] == pytest.approx(104 * (1 - 5.2 / 104))
    assert total.iloc[5] == 105
    assert lake.bars("A").close["A"].iloc[4] == 104
    assert lake.bars("A", adjust="total").volume["A"].tolist() == [10] * 10


def test_return_over_the_ex_date_is_the_total_return(lake):
    """CRSP: (close x split + dividend x split..., per share held before) / close before - 1."""
    lake.write(rows(price=100), actions=action(day=DAYS[5], split=2, dividend=4.0))
    total = lake.bars("A", adjust="total").close["A"]
    reinvested = 2 * 105 / (104 - 4.0) - 1
    assert total.iloc[5] / total.iloc[4] - 1 == pytest.approx(reinvested)


@pytest.mark.parametrize("seed", range(6))
def test_random_actions_as_the_slow_twin_has_them(lake, seed):
    chance = np.random.default_rng(seed)
    days = pd.date_range("2020-01-01", periods=60, tz="UTC")
    frames, actions = [], []
    for symbol in "ABCD":
        kept = days[np.sort(chance.choice(60, 40, replace=False))]
        close = 50 * np.exp(np.cumsum(chance.normal(0, 0.02, 40)))
        frames.append(rows(symbol, kept).assign(close=close))
        ex = pd.DatetimeIndex(chance.choice(days + pd.Timedelta("20D"), 6, replace=False))
        split = chance.choice([np.nan, 0, 1, 2, 3, 0.5], 6)
        dividend = chance.choice([np.nan, 0, 0.3, 2.5], 6)
        told = {"symbol": symbol, "ts": ex.tz_convert("UTC") if ex.tz else ex.tz_localize("UTC")}
        actions.append(pd.DataFrame({**told, "split": split, "dividend": dividend}))
    lake.write(pd.concat(frames), actions=pd.concat(actions))
    for adjust in ("splits", "total"):
        whole = lake.bars(list("DBCA"), adjust=adjust)
        part = lake.bars(list("DBCA"), adjust=adjust, start="2020-01-20", end="2020-02-10")
        for symbol, frame, acts in zip("ABCD", frames, actions, strict=True):
            wanted = slow(frame.set_index("ts").close, acts, adjust == "total")
            pd.testing.assert_series_equal(
                whole.close[symbol].dropna(), wanted, check_names=False, check_freq=False
            )
            here = wanted["2020-01-20":"2020-02-10"]
            pd.testing.assert_series_equal(
                part.close[symbol].dropna(), here, check_names=False, check_freq=False
            )
    told = lake.sql("SELECT symbol, ts, close FROM adjusted").pivot(
        index="ts", columns="symbol", values="close"
    )
    wide = lake.bars(list("ABCD")).close
    pd.testing.assert_frame_equal(told, wide, check_freq=False)


def test_actions_after_the_span_count_and_their_close_is_found(lake):
    lake.write(rows(), actions=pd.concat([action(day=DAYS[8], split=2), action(day=DAYS[9], dividend=10.8)]))
    early = lake.bars("A", adjust="total", end=DAYS[3])
    assert early.close["A"].iloc[0] == pytest.approx(100 / 2 * (1 - 10.8 / 108))


def test_actions_before_the_first_bar_change_nothing(lake):
    acts = pd.concat(
        [action(day=DAYS[0] - pd.Timedelta("9D"), split=2, dividend=500), action(day=DAYS[0], dividend=3)]
    )
    lake.write(rows(), actions=acts)
    assert lake.bars("A", adjust="total").close.equals(lake.bars("A", adjust=False).close)


def test_a_dividend_as_large_as_the_price_is_refused(lake):
    lake.write(rows(), actions=action(day=DAYS[5], dividend=104))
    with pytest.raises(
        BadInput, match=r"A has a dividend of 104.0 on 2020-01-06, not less than the close before it"
    ):
        lake.bars("A", adjust="total")
    assert len(lake.bars("A"))


def test_only_the_symbols_own_actions(lake):
    lake.write(pd.concat([rows("A"), rows("B")]), actions=action("A", split=2))
    assert lake.bars("B").close.equals(lake.bars("B", adjust=False).close)
    both = lake.bars(["B", "A"])
    assert both.close["A"].iloc[0] == 50
    assert both.close["B"].iloc[0] == 100


def test_intraday_bars_change_between_the_sessions(lake):
    """After-hours trading of the day before is as before the split; of the ex-date's morning, after it."""
    times = pd.to_datetime(
        ["2020-01-03 20:00", "2020-01-04 00:30", "2020-01-06 09:30", "2020-01-06 15:00"], utc=True
    )
    lake.write(
        rows("A", times, "30min", 100), actions=action(day=pd.Timestamp("2020-01-06", tz="UTC"), split=2),
        instruments=instrument("A", "XNYS"),
    )  # fmt: skip
    assert lake.bars("A", freq="30m").close["A"].tolist() == [50, 50.5, 102, 103]
    assert lake.sql("SELECT close FROM adjusted ORDER BY ts").close.tolist() == [50, 50.5, 102, 103]


def test_intraday_ex_date_is_the_exchanges_own_day(lake):
    """Sydney opens at 23:00 UTC of the day before: those bars are of the ex-date's session."""
    times = pd.to_datetime(["2020-01-07 04:00", "2020-01-07 23:00", "2020-01-08 02:00"], utc=True)
    lake.write(
        rows("A", times, "1h", 100), actions=action(day=pd.Timestamp("2020-01-08", tz="UTC"), split=2),
        instruments=instrument("A", "XASX"),
    )  # fmt: skip
    assert lake.bars("A", freq="1h").close["A"].tolist() == [50, 101, 102]


def test_round_the_clock_changes_at_midnight():
    dates = np.array(["2020-01-04", "2020-01-06T05:30"], dtype="datetime64[us]")
    assert (moments(dates, ["24/7", "XNYS"]) == dates).all()


def test_actions_of_the_same_snapshot(lake):
    first = lake.write(rows(), actions=action(split=2)).snapshot
    lake.write(actions=action(split=4))
    assert lake.bars("A", asof=first).close["A"].iloc[0] == 50
    assert lake.bars("A").close["A"].iloc[0] == 25
