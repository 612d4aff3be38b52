"""A sweep's rows are the same whether they are kept in memory or in a file, whatever is missing of them."""

import numpy as np
import pandas as pd
import pytest

from cases import market
from tapebook.strategy import registry
from tapebook.strategy.sweep import rows as sweep_rows
from tapebook.strategy.sweep.grid import Grid
from tapebook.strategy.sweep.rows import Rows
from tapebook.strategy.sweep.sweep import sweep

VALUES = {"fast": [1, 2, 3], "stop_loss": [None, 0.05], "name": ["a", "b"]}


def slow(answers, each):
    """One row after the other."""
    rows = []
    for settings, found in answers:
        for n in range(each) if found is not None else ():
            rows.append(settings | {"symbol": "XYZ"[n]} | dict(zip("pq", found[n], strict=True)))
    return pd.DataFrame(rows)


def answers(each, refused):
    rng = np.random.default_rng(0)
    for i in range(12):
        settings = {"fast": VALUES["fast"][i // 4], "stop_loss": VALUES["stop_loss"][i // 2 % 2]}
        found = None if i in refused else rng.normal(size=(each, 2))
        yield settings | {"name": VALUES["name"][i % 2]}, found


@pytest.mark.parametrize("in_file", [False, True])
@pytest.mark.parametrize("refused", [(), (0, 5, 6), (11,), range(12)])
@pytest.mark.parametrize("each", [1, 3])
def test_rows_stand_at_their_slots(monkeypatch, in_file, refused, each):
    monkeypatch.setattr(sweep_rows, "LARGE", 0 if in_file else 1e9)
    given = list(answers(each, refused))
    found = [figures for _, figures in given]
    rows = Rows(Grid(VALUES), "pq", each, 12)
    first = [3, 7, 11]  # measured ahead of the others, as a pilot does it
    rows.put(np.array(first), np.array(first), [found[i] for i in first])
    rest = np.array([i for i in range(12) if i not in first])
    for part in (rest[:5], rest[5:]):
        known = all(found[i] is not None for i in part)
        rows.put(part, part, (np.stack if known else list)([found[i] for i in part]))
    table, expected = rows.table("XYZ"[:each]), slow(given, each)
    assert (rows.refused, len(table)) == (len(refused), each * (12 - len(refused)))
    if len(expected):
        pd.testing.assert_frame_equal(table, expected.astype(table.dtypes))
        assert table["fast"].dtype == int
        assert table["stop_loss"].isna().sum() == expected["stop_loss"].isna().sum()
        table.loc[0, "p"] = 7.0  # it can be worked with
        assert table["p"].iloc[0] == 7.0


def test_a_sweep_in_a_file_equals_one_in_memory(monkeypatch):
    bars = market(np.random.default_rng(1), 120, 2, holes=True)
    settings = {"fast": range(2, 9), "slow": [5, 10, 20], "stop_loss": [None, 0.1]}
    inside = sweep(registry.get("sma_cross"), bars, settings, alone=True)
    monkeypatch.setattr(sweep_rows, "LARGE", 0)
    outside = sweep(registry.get("sma_cross"), bars, settings, alone=True)
    assert inside.refused == outside.refused > 0
    pd.testing.assert_frame_equal(outside.table, inside.table)
    pd.testing.assert_frame_equal(outside.ranked(), inside.ranked())
    assert outside.best() == inside.best()
