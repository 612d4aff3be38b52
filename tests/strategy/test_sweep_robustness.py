"""Plateau or spike, in words; pictures that say what they show."""

import numpy as np
import pandas as pd
import pytest

from tapebook.data.panel import Bars
from tapebook.errors import BadParameter, NoData
from tapebook.strategy import registry
from tapebook.strategy.sweep.robustness import plateau, robustness
from tapebook.strategy.sweep.sweep import sweep

A, B = [1, 2, 3, 4, 5], [10, 20, 30, 40, 50]


def ranked(values):
    """Values of `sharpe`, shape (len(A), len(B)), as a sweep ranks them."""
    rows = [(a, b, values[i, j]) for i, a in enumerate(A) for j, b in enumerate(B)]
    table = pd.DataFrame(rows, columns=["a", "b", "sharpe"])
    return table.sort_values("sharpe", ascending=False, ignore_index=True)


def hill(width):
    i, j = np.meshgrid(range(5), range(5), indexing="ij")
    return 0.2 + np.exp(-((i - 2) ** 2 + (j - 2) ** 2) / width)


def said(values):
    return plateau(ranked(values), {"a": A, "b": B}, "sharpe")


def test_a_wide_hill_is_a_plateau_and_a_needle_a_spike():
    assert said(hill(8.0)).startswith("Plateau: one step away from a=3, b=30, sharpe is 1.08 on average")
    assert "against 1.2 there" in said(hill(8.0))
    assert "and a median of 0.807 over all 25." in said(hill(8.0))
    assert said(hill(0.3)).startswith("Spike: ")
    assert said(hill(1.0)).startswith("Neither plateau nor spike: ")
    assert "edge" not in said(hill(8.0))


@pytest.mark.parametrize("shift", [-3.0, 0.0, 5.0])
@pytest.mark.parametrize("scale", [0.01, 1.0, 40.0])
def test_the_word_is_the_same_in_any_unit(shift, scale):
    for width in (8.0, 1.0, 0.3):
        assert said(shift + scale * hill(width)).partition(":")[0] == said(hill(width)).partition(":")[0]


def test_a_hole_beside_the_best_is_no_plateau():
    values = hill(8.0)
    values[2, 1] = -1.0
    assert not said(values).startswith("Plateau")


def test_the_edge_is_said():
    values = hill(8.0)[::-1].cumsum(axis=0)
    assert "It lies at the edge of a: what is beyond was not tried." in said(values)


def test_what_was_not_tried_is_not_known():
    table = ranked(hill(8.0)).iloc[[0, -1]].reset_index(drop=True)
    assert plateau(table, {"a": A, "b": B}, "sharpe").startswith("Not known: no neighbour of a=3, b=30")
    empty = table.assign(sharpe=np.nan)
    assert plateau(empty, {"a": A, "b": B}, "sharpe") == "No combination has a sharpe: none of them traded."


def test_neighbours_are_a_step_of_the_grid_apart_whatever_the_rank():
    tried = {"stop_loss": [None, 0.03, 0.1], "b": [10, 20]}
    rows = [(s, b, x) for (s, b), x in zip([(0.1, 10), (None, 10), (0.03, 10)], (3.0, 2.0, 1.0), strict=True)]
    table = pd.DataFrame(rows, columns=["stop_loss", "b", "sharpe"])
    assert robustness(table, tried, "sharpe")["neighbours"].tolist() == [1, 1, 2]


def market(T=300, seed=0):
    rng = np.random.default_rng(seed)
    index = pd.bdate_range("2010-01-04", periods=T, tz="UTC")
    close = pd.DataFrame(50 * np.exp(np.cumsum(rng.normal(0, 0.02, (T, 1)), axis=0)), index, ["A"])
    return Bars.from_frames(close=close, calendars="XNYS")


@pytest.fixture(scope="module")
def swept():
    settings = {"fast": [3, 5, 8], "slow": [12, 20], "stop_loss": [None, 0.03, 0.1]}
    return sweep(registry.get("sma_cross"), market(), settings)


def test_a_slice_is_what_it_says(swept):
    figure = swept.heatmap("fast", "slow", "total_return", fixed={"stop_loss": None})
    table = swept.table[swept.table["stop_loss"].isna()].set_index(["slow", "fast"])["total_return"]
    np.testing.assert_allclose(figure.data[0].z, table.unstack().to_numpy(), atol=1e-5)
    assert "stop loss none" in figure.layout.title.text
    whole = swept.heatmap("fast", "slow", "total_return")
    assert "mean over stop loss" in whole.layout.title.text
    stops = swept.heatmap("stop_loss", "fast", fixed={"slow": 20}).data[0]
    assert sorted(stops.x) == ["0.03", "0.1", "none"]
    with pytest.raises(NoData, match="no combination has slow=21: slow was one of"):
        swept.heatmap(fixed={"slow": 21})
    with pytest.raises(BadParameter, match="a heatmap needs two"):
        swept.heatmap(fixed={"slow": 20, "fast": 3})
    with pytest.raises(BadParameter, match="another setting than x"):
        swept.heatmap("fast", "fast")


def test_lines_have_an_axis_a_setting_with_none_among_them(swept):
    fast, _, stop, last = swept.parallel("calmar").data[0].dimensions
    assert (fast.label, stop.label, last.label) == ("fast", "stop loss", "calmar")
    assert stop.ticktext == ("none", "0.03", "0.1")
    assert not np.isnan(stop["values"]).any()


def test_the_sentence_is_the_sweeps(swept):
    assert swept.plateau().partition(":")[0] in ("Plateau", "Spike", "Neither plateau nor spike")
    assert f"fast={swept.best()['fast']}" in swept.plateau()
