"""The blocks of a bootstrap are laid as the slow way lays them, to the last row."""

import numpy as np
import pytest

from tapebook.strategy.resampling import _blocks


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
