"""Splits of time: laws, published counts, and scikit-learn's own where it has the same."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tapebook.errors import BadParameter, NoData
from tapebook.strategy.walk_forward.splits import combinatorial, expanding, paths, rolling


def rows(runs):
    return [row for run in runs for row in run]


@pytest.mark.parametrize(
    ("groups", "tests", "splits", "several"), [(6, 2, 15, 5), (10, 2, 45, 9), (3, 2, 3, 2)]
)
def test_the_counts_of_the_book(groups, tests, splits, several):
    """López de Prado 2018, chapter 12: C(N, k) splits, k / N of them paths."""
    found = combinatorial(500, groups=groups, tests=tests)
    assert (len(found), len(paths(found))) == (splits, several)


def test_the_first_folds_by_hand():
    one, two, three = rolling(12, train=4, test=3, purge=1)
    assert (one.train, one.test) == ((range(0, 4),), (range(5, 8),))
    assert (two.train, two.test) == ((range(3, 7),), (range(8, 11),))
    assert three.test == (range(11, 12),), "the last one trades what is left"
    assert [s.train[0] for s in expanding(12, train=4, test=3)] == [range(0, 4), range(0, 7), range(0, 10)]
    split = combinatorial(12, groups=4, tests=1, purge=1, embargo=1)[1]
    assert (split.train, split.test) == ((range(0, 2), range(8, 12)), (range(3, 6),))


@given(st.integers(5, 200), st.integers(2, 50), st.integers(1, 30), st.integers(0, 10), st.booleans())
def test_laws_of_walking_forward(T, train, test, purge, grows):
    assume(train + purge < T)
    found = (expanding if grows else rolling)(T, train=train, test=test, purge=purge)
    traded = rows(run for split in found for run in split.test)
    assert traded == list(range(train + purge, T)), "each bar is traded once, none is left out"
    for split in found:
        (learn,), (trade,) = split.train, split.test
        assert trade.start - learn.stop == purge
        assert len(learn) == trade.start - purge if grows else train


@given(st.integers(30, 200), st.integers(2, 8), st.integers(1, 3), st.integers(0, 3), st.integers(0, 3))
def test_laws_of_combinations(T, groups, tests, purge, embargo):
    assume(tests < groups)
    assume(T // groups > purge + embargo + purge)  # else nothing is left between two groups
    found = combinatorial(T, groups=groups, tests=tests, purge=purge, embargo=embargo)
    for split in found:
        learn, trade = set(rows(split.train)), rows(split.test)
        assert not learn & set(trade)
        for block in split.test:
            near = range(block.start - purge, block.stop + purge + embargo)
            assert not learn & set(near)
        if purge == embargo == 0:
            assert sorted([*learn, *trade]) == list(range(T))
    for path in paths(found):
        assert sorted(rows(path)) == list(range(T)), "a path trades every bar once"
        for block, number in path.items():
            assert block in found[number].test
    used = [(block, number) for path in paths(found) for block, number in path.items()]
    assert len(used) == len(set(used)), "what was traded in a split is in one path only"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: rolling(100, train=100, test=10), "100 bars are too few: 100 to learn from, 0 purged"),
        (lambda: rolling(100, train=1, test=10), "'train' is 1: expected a whole number of bars, at least 2"),
        (lambda: rolling(100, train=50.5, test=10), "'train' is 50.5"),
        (lambda: expanding(100, train=50, test=10, step=5), "'step' is 5: expected at least test"),
        (lambda: rolling(100, train=50, test=10, purge=-1), "'purge' is -1"),
        (lambda: combinatorial(100, groups=4, tests=4), "'tests' is 4: expected fewer than the 4 groups"),
        (lambda: combinatorial(3, groups=4), "3 bars cannot be cut into 4 groups"),
        (lambda: combinatorial(40, groups=4, tests=2, purge=20), "nothing is left to learn from"),
    ],
)
def test_what_cannot_be_is_said(make, said):
    with pytest.raises((BadParameter, NoData), match=said):
        make()


def test_rows_are_plain_numbers():
    assert all(type(run.start) is int for split in combinatorial(np.int64(50)) for run in split.train)
