"""The bundled sample is what its attribution says."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from tapebook.errors import BadParameter, UnknownName
from tapebook.integration.sources import get
from tapebook.integration.sources.sample import FOLDER, STOCKS
from tapebook.schema import Frequency

DAY = Frequency.parse("1d")


def fetch(symbol, start=None, end=None):
    return get("sample").fetch(symbol, freq=DAY, start=start, end=end)


@pytest.mark.parametrize(
    ("symbol", "bars", "first"),
    [
        ("AAPL", 3270, "2000-03-01"),
        ("GOOG", 2148, "2004-08-19"),
        ("FB", 196, "2012-05-18"),
        ("SP500", 5031, "1999-01-04"),
    ],
)
def test_spans(symbol, bars, first):
    found = fetch(symbol).bars
    assert len(found) == bars
    assert str(found["ts"][0].date()) == first
    assert found["ts"].is_sorted()


def test_splits_are_on_record():
    splits = {
        s: fetch(s).actions.filter(pl.col("split") != 1)["ts"].dt.date().cast(str).to_list() for s in STOCKS
    }
    assert splits["AAPL"] == ["2000-06-21", "2005-02-28"]
    assert splits["MSFT"] == ["2003-02-18"]
    assert splits["IBM"] == splits["GOOG"] == splits["FB"] == []


@pytest.mark.parametrize("symbol", STOCKS)
def test_total_return_adjusted_closes_are_the_publishers(symbol, sample_desk):
    raw = pl.read_parquet(FOLDER / "bars.parquet").filter(pl.col("symbol") == symbol)
    published = raw["adj_close"].to_numpy()
    ours = sample_desk.bars(symbol, adjust="total").close[symbol].to_numpy()
    # theirs also holds what came after 2013, one factor for all bars; and it divides a dividend by the
    # ex-date's close, ours by the close before (CRSP): a difference of the dividend times that day's return
    np.testing.assert_allclose(ours / ours[-1], published / published[-1], rtol=2e-3)


def test_dividends_are_the_ones_paid():
    """IBM paid 0.85 a quarter at the end of 2012, Microsoft 3.08 on 2004-11-15, Apple 2.65."""
    ibm = fetch("IBM").actions.filter(pl.col("ts") >= datetime(2012, 5, 1, tzinfo=UTC))["dividend"]
    assert ibm.to_list() == [0.85] * 4
    special = fetch("MSFT").actions.filter(pl.col("ts") == datetime(2004, 11, 15, tzinfo=UTC))
    assert special["dividend"].item() == 3.08
    assert fetch("AAPL").actions["dividend"].to_list() == [0, 0, 2.65, 2.65, 2.65]


def test_a_span_may_be_asked():
    found = fetch("AAPL", datetime(2005, 2, 28, tzinfo=UTC), datetime(2005, 3, 1, tzinfo=UTC))
    assert found.bars["close"].to_list() == [44.86, 44.50]
    assert len(found.actions) == 1


def test_what_is_not_there_is_said():
    with pytest.raises(UnknownName, match="Did you mean 'AAPL'"):
        fetch("APPL")
    with pytest.raises(BadParameter, match="the sample has daily bars"):
        get("sample").symbols(Frequency.parse("1h"))
    with pytest.raises(UnknownName, match="option of source sample"):
        get("sample", path="x")
    with pytest.raises(UnknownName, match="Did you mean 'sample'"):
        get("smaple")
    with pytest.raises(BadParameter, match="the source files needs it"):
        get("files")
