"""The page of a pair, and the structure of those symbols that share enough rows."""

import numpy as np
import pandas as pd
import pytest

from tapebook.data.panel import Bars
from tapebook.errors import BadParameter
from tapebook.market.correlation.correlations import correlations
from tapebook.market.correlation.figures import spread
from tapebook.market.correlation.structure.choice import most_shared


def market(T=500, N=5, seed=3):
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.01, (T, 1))
    close = 50 * np.exp(np.cumsum(common + rng.normal(0, 0.01, (T, N)), axis=0))
    index = pd.date_range("2010-01-04", periods=T, freq="D", tz="UTC")
    return pd.DataFrame(close, index, [f"S{n}" for n in range(N)])


def test_the_spread_is_what_least_squares_leaves():
    close = market()[["S0", "S1"]]
    hedge, gap = spread(close)
    slope, constant = np.polyfit(np.log(close["S1"]), np.log(close["S0"]), 1)
    assert hedge == pytest.approx(slope, rel=1e-9)
    np.testing.assert_allclose(gap, np.log(close["S0"]) - slope * np.log(close["S1"]) - constant, atol=1e-9)
    assert spread(close.assign(S1=7.0))[0] == 0.0


def test_a_pair_shows_prices_spread_rolling_correlation_and_lags_over_its_shared_bars():
    close = market()
    close.iloc[:200, 1] = np.nan
    figure = correlations(Bars.from_frames(close=close)).figure(0)
    assert {trace.name for trace in figure.data} >= {"spread", "rolling correlation", "correlation"}
    found = correlations(Bars.from_frames(close=close[["S0", "S1"]]), min_coverage=0.2)
    drawn = {trace.name: trace for trace in found.figure(0).data}
    for name in ("S0", "S1", "spread"):
        assert len(drawn[name].x) == 300
        assert np.isfinite(np.asarray(drawn[name].y, dtype=float)).all()
    assert pd.Timestamp(drawn["rolling correlation"].x[0]) >= close.index[259]


def test_symbols_that_others_do_not_share_rows_with_are_left_out():
    returns = market().pct_change()
    assert most_shared(returns, 400)[1] == ()
    late = returns.copy()
    late.iloc[:450, 2] = np.nan
    late.iloc[450:, 4] = np.nan
    assert most_shared(late, 300)[1] == ("S2",)
    kept, out = most_shared(late, 460)
    assert out == ("S2", "S4")
    assert list(kept.columns) == ["S0", "S1", "S3"]
    assert most_shared(late, 10_000)[0].shape[1] == 3
    with pytest.raises(BadParameter, match="rows"):
        most_shared(late, 0)


def test_a_scan_of_correlations_knows_its_structure_and_its_breaks():
    close = market(N=6)
    close.iloc[:450, 5] = np.nan
    found = correlations(Bars.from_frames(close=close), min_bars=40)
    shape = found.structure()
    assert "S5" not in shape.symbols
    assert shape.warnings[0] == "S5 left out: with it all symbols share fewer than 250 rows"
    assert len(found.breaks(min_size=60).findings) >= 10
    assert list(found.shown.columns[:10]) == [
        "a", "b", "lag", "window", "method", "effect", "low", "high", "q", "holds",
    ]  # fmt: skip
    assert set(found.shown) == set(found.findings)
