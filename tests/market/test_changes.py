"""What changed between two scans, by hand."""

import numpy as np
import pandas as pd
import pytest

from tapebook.errors import BadInput
from tapebook.market.changes import changes, in_words, named_alike


def findings(*rows):
    return pd.DataFrame(rows, columns=["symbol", "horizon", "effect", "q", "holds"])


BEFORE = findings(
    ("stays", 5, 0.5, 0.01, True),
    ("breaks", 5, 0.4, 0.02, True),
    ("goes", 5, 0.3, 0.03, True),
    ("never", 5, 0.1, 0.90, False),
    ("comes", 5, 0.2, 0.40, False),
)
NOW = findings(
    ("comes", 5, 0.6, 0.001, True),
    ("stays", 5, 0.5, 0.02, True),
    ("appears", 5, 0.7, 0.03, True),
    ("breaks", 5, 0.1, 0.60, False),
    ("never", 5, 0.1, 0.95, False),
)


def test_what_is_new_what_broke_what_is_gone_and_what_still_holds():
    told = changes(NOW, BEFORE, ("symbol", "horizon"))
    assert dict(zip(told["symbol"], told["status"], strict=True)) == {
        "comes": "new",
        "appears": "new",
        "breaks": "broke",
        "goes": "gone",
        "stays": "holds",
    }
    assert list(told["status"]) == ["new", "new", "broke", "gone", "holds"]
    row = told.set_index("symbol").loc["comes"]
    assert (row["effect"], row["before"], row["q"], row["q_before"]) == (0.6, 0.2, 0.001, 0.40)
    assert np.isnan(told.set_index("symbol").loc["appears", "before"])
    assert in_words(told) == "2 new, 1 broke, 1 not among the findings any more, 1 still hold"


def test_nothing_held_then_or_now():
    told = changes(NOW.assign(holds=False), BEFORE.assign(holds=False), ("symbol", "horizon"))
    assert told.empty
    assert in_words(told) == "nothing held, then or now"


def test_tables_of_another_kind_or_with_a_question_twice_are_refused():
    with pytest.raises(BadInput, match="the findings now have no column lag: another kind of scan"):
        changes(NOW, BEFORE, ("symbol", "lag"))
    with pytest.raises(BadInput, match="the findings before have two rows of the same symbol"):
        changes(NOW, pd.concat([BEFORE, BEFORE]), ("symbol",))


def test_a_pair_is_found_again_in_other_order_and_over_more_bars():
    names = ["a", "b", "lag", "window"]
    now = pd.DataFrame(
        [("B", "A", 0, 900), ("B", "A", 1, 900), ("A", "B", 1, 900), ("B", "A", 0, 60)], columns=names
    )
    told = named_alike(now, (None, 60))
    assert told.to_numpy().tolist() == [
        ["A", "B", 0, 0],
        ["B", "A", 1, 0],
        ["A", "B", 1, 0],
        ["A", "B", 0, 60],
    ]
    spreads = named_alike(pd.DataFrame({"a": ["MSFT"], "b": ["IBM"]}))
    assert spreads.loc[0].tolist() == ["IBM", "MSFT"]
    assert named_alike(NOW).equals(NOW)
