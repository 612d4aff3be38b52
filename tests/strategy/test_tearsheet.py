"""The tear sheet shows what there is, says what there is not, and stays small."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from tapebook.data.panel import Bars
from tapebook.strategy.backtest import sheet_parts as parts_
from tapebook.strategy.backtest.backtest import run_backtest
from tapebook.strategy.backtest.tearsheet import _domains, parts, tearsheet
from tapebook.strategy.performance.figures import MARK
from tapebook.strategy.rules import Rules

NAMES = ["equity", "drawdown", "rolling_sharpe", "monthly_returns", "trades"]


def market(T=900, N=1, freq="1d", step="B", seed=0):
    index = pd.date_range("2010-01-04", periods=T, freq=step, tz="UTC")
    close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0004, 0.015, (T, N)), axis=0))
    frame = pd.DataFrame(close, index, [f"S{n}" for n in range(N)])
    return Bars.from_frames(open=frame.shift().fillna(100.0), close=frame, freq=freq, calendars="24/7")


@pytest.fixture(scope="module")
def bt():
    return run_backtest("sma_cross", market(), params={"fast": 5, "slow": 20})


def values(figure, kind):
    return [trace for trace in figure.data if trace.type == kind]


def test_every_part_is_in_the_sheet_and_on_its_own(bt):
    sheet = tearsheet(bt)
    assert {trace.type for trace in sheet.data} == {"scatter", "heatmap", "bar"}
    assert list(parts(bt)) == NAMES
    equity = next(t for t in sheet.data if t.name == "sma_cross")
    np.testing.assert_allclose(equity.y, bt.equity, atol=0.006)
    (bars,) = values(sheet, "bar")
    assert sum(bars.y) == bt.metrics["trades"].value
    assert "Sharpe <b>" in sheet.layout.title.text


def test_plotly_finds_nothing_wrong_with_what_it_is_not_asked_of(bt):
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    for figure in (tearsheet(bt), tearsheet(run_backtest("buy_and_hold", market(T=1))), *parts(bt).values()):
        said = json.loads(figure.to_json())
        looked_at = go.Figure(figure.to_dict())
        assert json.loads(looked_at.to_json()) == said
        with pytest.raises(ValueError, match="Invalid"):
            figure.data[0].opacity = "no number"
        with pytest.raises(ValueError, match="Invalid"):
            figure.update_layout(height="tall")
    heights, sheet = [3.0, 1.0, 2.0], tearsheet(bt)
    theirs = make_subplots(rows=3, cols=1, row_heights=heights, vertical_spacing=0.1).layout
    assert _domains(heights, 0.1) == [theirs.yaxis.domain, theirs.yaxis2.domain, theirs.yaxis3.domain]
    sheet.add_hline(y=0.5, row=3, col=1).add_scatter(y=[1.0, 2.0], row=5, col=1)
    assert (sheet.layout.shapes[0].yref, sheet.data[-1].yaxis) == ("y3", "y5")


def test_months_compound_to_years(bt):
    table = parts_.month_table(bt)
    np.testing.assert_allclose(table["year"], (1 + table[parts_.MONTHS].fillna(0)).prod(axis=1) - 1)
    assert (1 + table["year"]).prod() - 1 == pytest.approx(bt.metrics["total_return"].value)


def test_trades_are_marked_where_they_happened(bt):
    entries = next(t for t in parts(bt)["equity"].data if t.name == "entry")
    assert list(entries.x) == list(bt.trades["entry_ts"].dt.strftime("%Y-%m-%d"))
    assert "long S0" in entries.text[0]


def test_the_same_close_is_marked():
    bt = run_backtest(
        "sma_cross", market(), params={"fast": 5, "slow": 20}, rules=Rules(execution="same_close")
    )
    title = tearsheet(bt).layout.title.text
    assert MARK in title.replace(":<br>", ": ")
    lines = re.sub("<(?!br)[^>]*>", "", title).split("<br>")
    assert max(map(len, lines)) <= 108, "700 pixels would cut the line off; runs/fit.js breaks it on a phone"


@pytest.mark.parametrize(
    "bars",
    [market(T=1), market(T=30), market(T=3_000, freq="5m", step="5min"), market(T=8_000), market(N=12)],
    ids=repr,
)
@pytest.mark.parametrize("dark", [False, True])
def test_odd_cases_are_drawn(bars, dark):
    bt = run_backtest("sma_cross", bars, params={"fast": 5, "slow": 20})
    drawn = json.loads(tearsheet(bt, dark=dark).to_json())
    assert drawn["data"]
    assert all(figure.data for figure in parts(bt, dark=dark).values())


def test_marks_never_hide_the_line():
    bt = run_backtest("sma_cross", market(T=8_000), params={"fast": 5, "slow": 20})
    assert len(bt.trades) > parts_.MARKERS
    equity = parts(bt)["equity"]
    assert {trace.mode for trace in equity.data} == {"lines"}
    assert f"{len(bt.trades)} trades, too many to mark" in equity.layout.title.text


def test_one_bar_says_so():
    bt = run_backtest("sma_cross", market(T=1), params={"fast": 5, "slow": 20})
    sheet = tearsheet(bt)
    assert [a.text for a in sheet.layout.annotations].count("one bar only") == 2
    assert sheet.layout.xaxis.tickvals == ("2010-01-04",)


def test_what_is_empty_says_so():
    bt = run_backtest("sma_cross", market(T=10), params={"fast": 5, "slow": 20})
    told = [a.text for a in tearsheet(bt).layout.annotations]
    assert "no closed trades" in told
    assert "too few bars, or no position yet" in told


def test_twelve_years_of_days_stay_small():
    bt = run_backtest("sma_cross", market(T=3_100), params={"fast": 10, "slow": 50})
    assert len(tearsheet(bt).to_json()) < 400_000


def test_a_long_line_keeps_its_extremes():
    bt = run_backtest("buy_and_hold", market(T=20_000, freq="1m", step="min"))
    line = next(t for t in tearsheet(bt).data if t.name == "buy_and_hold")
    assert len(line.y) <= parts_.POINTS + 2
    assert max(line.y) == pytest.approx(bt.equity.max(), abs=0.01)
    assert min(line.y) == pytest.approx(bt.equity.min(), abs=0.01)
