"""What changed between two runs of the same scan: what is new, what broke, what still holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd

from tapebook.errors import BadInput

Status = Literal["new", "broke", "gone", "holds"]
ORDER: tuple[Status, ...] = ("new", "broke", "gone", "holds")


def changes(now: pd.DataFrame, before: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Compare two tables of findings by the columns that name a question.

    Returns
    -------
    frame
        One row a finding that holds in one of them: the keys, `status` ("new": holds now and did not;
        "broke": held and does not any more; "gone": held, and is not among today's findings; "holds": in
        both), `effect` and `before`, `q` and `q_before`. New ones first.

    Raises
    ------
    BadInput
        If a key is missing in one of them, or two rows have the same.
    """
    names = list(keys)
    for label, table in (("now", now), ("before", before)):
        missing = [name for name in names if name not in table]
        if missing:
            raise BadInput(f"the findings {label} have no column {', '.join(missing)}: another kind of scan?")
        if table.duplicated(names).any():
            raise BadInput(f"the findings {label} have two rows of the same {', '.join(names)}")
    kept = ["effect", "q", "holds"]
    both = now[names + kept].merge(before[names + kept], on=names, how="outer", suffixes=("", "_before"))
    is_now, was = (both[name].fillna(False).astype(bool) for name in ("holds", "holds_before"))
    known = both["effect"].notna()
    status = pd.Series("holds", both.index)
    status[is_now & ~was], status[~is_now & was & known] = "new", "broke"
    status[~is_now & was & ~known] = "gone"
    told = both[is_now | was].assign(status=status[is_now | was])
    told = told.rename(columns={"effect_before": "before"})[
        ["status", *names, "effect", "before", "q", "q_before"]
    ]
    rank = told["status"].map({name: n for n, name in enumerate(ORDER)})
    return told.loc[rank.sort_values(kind="stable").index].reset_index(drop=True)


def named_alike(findings: pd.DataFrame, windows: Sequence[int | None] = (None,)) -> pd.DataFrame:
    """Name the questions of a scan so that they are found again when there are more bars, or in other order.

    A window of all rows (any that is not among `windows`) becomes 0. A pair without a leader (lag 0, or no
    lag at all) is named in the order of the alphabet.
    """
    told = findings.copy()
    if "window" in told:
        told["window"] = told["window"].where(told["window"].isin([w for w in windows if w]), 0)
    if {"a", "b"} <= set(told):
        swapped = told["a"].astype(str) > told["b"].astype(str)
        if "lag" in told:
            swapped &= told["lag"] == 0
        told.loc[swapped, ["a", "b"]] = told.loc[swapped, ["b", "a"]].to_numpy()
    return told


def in_words(told: pd.DataFrame) -> str:
    """Count what `changes` told, in words."""
    counts = told["status"].value_counts()
    words = {"new": "new", "broke": "broke", "gone": "not among the findings any more", "holds": "still hold"}
    said = [f"{counts[name]:,} {words[name]}" for name in ORDER if name in counts]
    return ", ".join(said) or "nothing held, then or now"
