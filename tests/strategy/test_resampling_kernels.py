"""The blocks of a bootstrap are laid as the slow way lays them, to the last row."""

import numpy as np
import pytest

from tapebook.strategy.luck.bar_estimates import drawn_pasts
from tapebook.strategy.luck.resampling import _blocks, _geometric, drawn_rows


def slow(rng, n, T, length):
    """Sort, repeat, divide."""
    cells = n * T
    expected = cells / length
    ends = np.cumsum(rng.geometric(1.0 / length, size=int(expected + 10.0 * np.sqrt(expected) + 50.0)))
    begins = np.union1d(ends[ends < cells], np.arange(0, cells, T))
    sizes = np.diff(begins, append=cells)
    return ((np.repeat(rng.integers(T, size=len(begins)) - begins, sizes) + np.arange(cells)) % T).reshape(
        n, T
    )


@pytest.mark.parametrize(("n", "T"), [(1, 1), (1, 7), (5, 1), (40, 250), (3, 2520)])
@pytest.mark.parametrize("length", [1.0001, 1.5, 8.0, 400.0])
def test_blocks_are_the_slow_ways(n, T, length):
    for seed in range(5):
        got = _blocks(np.random.default_rng(seed), n, T, length)
        np.testing.assert_array_equal(got, slow(np.random.default_rng(seed), n, T, length))


@pytest.mark.parametrize("length", [1.0, 2.3, 9.0])
def test_one_pass_over_the_draws_says_what_numpy_says_of_the_rows(length):
    rng = np.random.default_rng(1)
    returns, money = rng.normal(0.001, 0.02, 300), rng.normal(10.0, 500.0, 300)
    rows = np.concatenate(list(drawn_rows(300, 200, length, 5)))
    means, walked = drawn_pasts(returns, money, 200, length, 5)
    np.testing.assert_allclose(means, [returns[rows].mean(axis=1), money[rows].mean(axis=1)], rtol=1e-12)
    walk = np.cumsum(np.log1p(returns)[rows], axis=1)
    peak = np.maximum(np.maximum.accumulate(walk, axis=1), 0.0)
    np.testing.assert_array_equal(walked.growth, walk[:, -1])
    np.testing.assert_array_equal(walked.lowest, np.minimum(walk.min(axis=1), 0.0))
    np.testing.assert_array_equal(walked.drawdown, np.expm1((walk - peak).min(axis=1)))


@pytest.mark.parametrize("length", [1.5, 3.0, 3.1, 40.0, 5000.0])
def test_lengths_of_blocks_are_numpys_own_and_leave_the_generator_where_it_does(length):
    ours, numpys = np.random.default_rng(2), np.random.default_rng(2)
    np.testing.assert_array_equal(
        _geometric(ours, 1.0 / length, 5000), numpys.geometric(1.0 / length, size=5000)
    )
    assert ours.random() == numpys.random()
