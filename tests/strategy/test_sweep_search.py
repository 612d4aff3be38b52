"""Random and guided searches: the same for the same seed, nothing twice, and better than chance."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from tapebook.data.panel import Bars
from tapebook.errors import BadParameter
from tapebook.strategy import registry
from tapebook.strategy.sweep.grid import Grid
from tapebook.strategy.sweep.sweep import sweep

CROSS = registry.get("sma_cross")


def market(N=1, T=300, seed=0):
    rng = np.random.default_rng(seed)
    index = pd.bdate_range("2010-01-04", periods=T, tz="UTC")
    moves = np.abs(rng.normal(0.001, 0.01, (T, N)))
    close = pd.DataFrame(50 * np.exp(np.cumsum(moves, axis=0)), index, list("ABC")[:N])
    return Bars.from_frames(close=close, calendars="XNYS")


def planted(bars, *, a: int = 1, b: int = 1, kind: str = "no"):
    """Invest the more the closer the parameters are to (70, 20), on a market that only rises."""
    far = abs(a - 70) / 100 + abs(b - 20) / 100 + (kind != "yes")
    return pd.DataFrame(1.0 / (1.0 + 3.0 * far), bars.index, bars.close.columns)


SPACE = {"a": range(1, 101), "b": range(1, 101), "kind": ["no", "yes", "maybe"]}


def guided(trials=120, seed=0, **options):
    settings = options.pop("settings", SPACE)
    found = registry.get(planted)
    return sweep(
        found, market(), settings, search="optuna", trials=trials, seed=seed, metric="total_return", **options
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_planted_optimum_is_found_in_a_small_part_of_the_grid(seed):
    sw = guided(seed=seed)
    assert len(sw.table) == 120  # of 30,000
    best = sw.best()
    assert best["kind"] == "yes"
    assert abs(best["a"] - 70) + abs(best["b"] - 20) <= 3  # random search came as close with 2 seeds of 8
    assert not sw.table.duplicated(["a", "b", "kind"]).any()
    assert sw.ranked("total_return").iloc[0]["total_return"] == sw.table["total_return"].max()


def test_the_same_seed_gives_the_same_table_on_any_number_of_threads():
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two:
        tables = [guided(40, seed=5, executor=pool).table for pool in (None, one, two)]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    pd.testing.assert_frame_equal(tables[0], tables[2])
    assert not guided(40, seed=6).table.equals(tables[0])


def test_what_the_condition_leaves_out_is_never_traded():
    asked = []

    def watched(bars, *, a: int = 1, b: int = 1):
        asked.append((a, b))
        return planted(bars, a=a, b=b)

    settings = {"a": range(1, 21), "b": range(1, 21)}
    sw = sweep(
        registry.get(watched), market(), settings, search="optuna", trials=60, where=lambda a, b: a < b - 5
    )
    assert len(sw.table) == 60
    assert all(a < b - 5 for a, b in asked)
    assert len(set(asked)) == len(asked) == 60


def test_a_search_ends_when_all_was_tried():
    settings = {"a": [1, 2, 3], "b": [4, 5, 6]}
    sw = guided(50, settings=settings, where=lambda a, b: a + b != 7)
    assert (sw.asked, len(sw.table), sw.complete) == (6, 6, True)
    every = sweep(registry.get(planted), market(), settings, where=lambda a, b: a + b != 7)
    pd.testing.assert_frame_equal(
        sw.table.sort_values(["a", "b"], ignore_index=True), every.table.sort_values(["a", "b"])
    )


def test_what_the_strategy_refuses_or_never_trades_does_not_stop_a_search():
    settings = {"fast": range(2, 300, 10), "slow": range(5, 600, 10)}
    sw = sweep(CROSS, market(N=2), settings, search="optuna", trials=80, alone=True)
    assert len(sw.table) // 2 + sw.refused == 80
    assert sw.refused > 0


def test_a_guided_search_goes_on_from_an_earlier_one():
    first = guided(30)
    more = guided(50, resume=first)
    assert len(more.table) == 50
    pd.testing.assert_frame_equal(more.table.iloc[:30], first.table)
    assert not more.table.duplicated(["a", "b", "kind"]).any()


def test_optuna_is_left_as_it_was():
    import optuna

    optuna.logging.set_verbosity(optuna.logging.INFO)
    guided(9)
    assert optuna.logging.get_verbosity() == optuna.logging.INFO


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"search": "genetic"}, "one of grid, random, optuna"),
        ({"search": "random"}, "how many combinations to try, since search is 'random'"),
        ({"search": "optuna", "trials": 0}, "how many combinations"),
        ({"trials": 5}, "a grid tries all"),
        ({"metric": "sharp"}, "one of total_return"),
    ],
    ids=str,
)
def test_a_search_that_cannot_be(options, said):
    with pytest.raises(BadParameter, match=said):
        sweep(CROSS, market(), {"fast": [2, 3]}, **options)


def test_a_grid_counts_only_what_is_allowed():
    grid = Grid({"a": [1, 2, 3], "b": [None, 0.5]}, lambda a, b: a > 1 or b is None)
    assert list(grid.places) == [0, 2, 3, 4, 5]
    assert [grid.at(p) for p in (0, 3)] == [{"a": 1, "b": None}, {"a": 2, "b": 0.5}]
    assert all(grid.place_of(tuple(grid.at(p).values())) == p for p in grid.places)
    assert grid.place_of((2.0, float("nan"))) == 2
    assert grid.place_of((4, None)) is None
    assert len(set(grid.drawn(3, seed=1))) == 3
    assert set(grid.drawn(3, seed=1)) <= set(grid.places)


def test_a_grid_that_is_too_large_to_count_is_drawn_from():
    values = {name: list(range(200)) for name in "abcd"}
    drawn = Grid(values, lambda a, b, c, d: a < b < c < d).drawn(50, seed=0)
    assert len(set(drawn)) == 50
    assert len(Grid(values).drawn(50, seed=0)) == 50
    with pytest.raises(BadParameter, match="more of the combinations meet"):
        Grid(values, lambda a, b, c, d: a == b == c == d == 7).drawn(3, seed=0)
