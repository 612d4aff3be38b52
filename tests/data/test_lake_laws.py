"""Laws of the lake, for batches of all kinds."""

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.stores import DAYS, action, rows
from tapebook.config import Config
from tapebook.data.lake import Lake
from tapebook.errors import NoData, UnknownName

few = settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
price = st.one_of(
    st.just(np.nan), st.floats(-1e9, 1e12, allow_nan=False), st.sampled_from([0.1, -0.0, 5e-324])
)
symbols = st.sampled_from(["A", "B.C", "D'E", "Ünïcode", 'q"'])
keys = st.tuples(symbols, st.sampled_from(["1d", "1h"]), st.integers(0, 30))


@st.composite
def batches(draw, most=12):
    """A long frame with distinct keys and any prices, some missing."""
    found = draw(st.lists(keys, min_size=1, max_size=most, unique=True))
    frame = pd.DataFrame(found, columns=["symbol", "freq", "day"])
    frame["ts"] = DAYS[0] + pd.to_timedelta(frame.pop("day"), "D")
    for field in ("open", "high", "low", "close", "volume"):
        frame[field] = np.array(draw(st.lists(price, min_size=len(frame), max_size=len(frame))), dtype=float)
    return frame


@contextmanager
def fresh():
    home = tempfile.mkdtemp()
    try:
        with Lake.open(Config.load(home)) as lake:
            yield lake
    finally:
        shutil.rmtree(home)


def held(lake, asof=None):
    """All bars of the lake, sorted."""
    return lake.sql("SELECT * FROM bars ORDER BY symbol, freq, ts", asof=asof)


def merged(*frames):
    """What a dictionary would hold after these batches."""
    rows = pd.concat(frames).drop_duplicates(["symbol", "freq", "ts"], keep="last")
    order = rows.symbol.map(lambda name: name.encode())
    return rows.assign(o=order).sort_values(["o", "freq", "ts"]).drop(columns="o").reset_index(drop=True)


def same(left, right):
    pd.testing.assert_frame_equal(left, right, check_dtype=False, rtol=0, atol=0)


@few
@given(batches(), batches())
def test_a_lake_is_a_dictionary_of_bars(first, second):
    with fresh() as lake:
        lake.write(first)
        same(held(lake), merged(first))
        told = lake.write(second)
        same(held(lake), merged(first, second))
        assert told.added == len(merged(first, second)) - len(first)
        assert told.added + told.changed + told.unchanged == len(second)
        assert lake.write(second).snapshot == told.snapshot
        assert lake.write(merged(first, second)).snapshot == told.snapshot


@few
@given(batches(20), st.randoms(use_true_random=False))
def test_order_and_size_of_batches_do_not_matter(frame, chance):
    order = list(range(len(frame)))
    chance.shuffle(order)
    with fresh() as whole, fresh() as parts:
        whole.write(frame)
        for at in range(0, len(order), 5):
            parts.write(frame.iloc[order[at : at + 5]])
        same(held(whole), held(parts))


@few
@given(batches(20), st.integers(0, 30), st.integers(0, 30))
def test_deleted_bars_are_gone_and_no_others(frame, low, high):
    start, end = DAYS[0] + pd.Timedelta(low, "D"), DAYS[0] + pd.Timedelta(high, "D")
    name = frame.symbol.iloc[0]
    with fresh() as lake:
        before = lake.write(frame).snapshot
        told = lake.delete(name, freq="1d", start=start, end=end)
        gone = (frame.symbol == name) & (frame.freq == "1d") & frame.ts.between(start, end)
        same(held(lake), merged(frame[~gone]))
        assert told.removed == gone.sum()
        same(held(lake, before), merged(frame))
        lake.write(frame)
        same(held(lake), merged(frame))


@few
@given(st.lists(batches(), min_size=2, max_size=4), st.data())
def test_earlier_snapshots_never_change(frames, data):
    with fresh() as lake:
        states = {}
        for number, frame in enumerate(frames):
            snapshot = lake.write(frame, actions=action("A", split=number + 2)).snapshot
            states[snapshot] = (held(lake), prices(lake, snapshot))
        keep = data.draw(st.sets(st.sampled_from(sorted(states))))
        lake.delete(frames[0].symbol.iloc[0])
        newest = held(lake)
        for snapshot, (rows_then, prices_then) in states.items():
            same(held(lake, snapshot), rows_then)
            assert prices(lake, snapshot) == prices_then
        lake.compact(keep=keep)
        same(held(lake), newest)
        for snapshot in keep:
            same(held(lake, snapshot), states[snapshot][0])
            assert prices(lake, snapshot) == states[snapshot][1]
        assert set(lake.snapshots().id) == {*keep, lake.snapshot()}


def prices(lake, asof):
    """Fingerprint of all adjusted daily bars; None without any."""
    try:
        return lake.bars(adjust="splits", asof=asof).fingerprint()
    except (NoData, UnknownName):
        return None


def test_a_moved_folder_answers_as_before(tmp_path):
    here, there = tmp_path / "here", tmp_path / "far" / "there"
    with Lake.open(Config.load(here)) as lake:
        lake.write(pd.concat([rows("A"), rows("B")]), actions=action(split=2))
        lake.delete("B", end=DAYS[3])
        before = held(lake)
    there.parent.mkdir()
    Path(here).rename(there)
    with Lake.open(Config.load(there)) as lake:
        same(held(lake), before)
        lake.write(rows("C"))
        lake.compact()
        assert len(lake.listing()) == 3
