"""Declaring strategies: what is understood, what is refused, and how both are said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapebook.data.panel import Bars as RealBars
from tapebook.errors import BadInput, BadParameter, TapebookError, UnknownName
from tapebook.strategy import Range, Signals, registry, strategy

if TYPE_CHECKING:
    from tapebook import Bars


@strategy(family="test")
def idea(
    bars: Bars,
    *,
    window: Annotated[int, Range(2, 50, "bars")] = 10,
    share: Annotated[float, Range(0.0, 1.0)] = 0.5,
    side: Literal["up", "down"] = "up",
    strict: bool = False,
) -> Signals:
    """Do nothing much.

    Longer explanation.
    """
    rose = bars.close > bars.close.shift(window)
    return Signals(rose, ~rose)


def panel(T=30, N=2):
    close = pd.DataFrame(
        100 + np.random.default_rng(0).normal(0, 1, (T, N)).cumsum(0),
        pd.bdate_range("2020-01-01", periods=T, tz="UTC"), list("AB")[:N],
    )  # fmt: skip
    return RealBars.from_frames(close=close)


def test_a_declaration_is_read():
    assert (idea.name, idea.family, idea.description) == ("idea", "test", "Do nothing much.")
    assert {n: (p.type, p.default) for n, p in idea.parameters.items()} == {
        "window": (int, 10), "share": (float, 0.5), "side": (str, "up"), "strict": (bool, False),
    }  # fmt: skip
    assert idea.parameters["window"].help == "bars"
    assert "window = 10: a whole number from 2 to 50 (bars)" in repr(idea)
    assert idea.__name__ == "idea"


def test_values_are_checked_and_converted():
    assert idea.check({"window": np.int64(7), "share": 1}) == {
        "window": 7,
        "share": 1.0,
        "side": "up",
        "strict": False,
    }
    assert idea.parse({"window": " 7 ", "strict": "yes", "side": "down"})["strict"] is True


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"window": 1}, "parameter 'window' is 1: expected a whole number from 2 to 50 (bars)"),
        ({"window": 2.5}, "a whole number"),
        ({"window": True}, "a whole number"),
        ({"window": "10"}, "a whole number"),
        ({"share": float("nan")}, "a number from 0 to 1"),
        ({"side": "left"}, "one of 'up', 'down'"),
        ({"strict": 1}, "true or false"),
    ],
    ids=str,
)
def test_wrong_values(wrong, said):
    with pytest.raises(BadParameter) as caught:
        idea(panel(), **wrong)
    assert said in str(caught.value)


def test_unknown_names_get_a_near_one():
    with pytest.raises(UnknownName, match="no parameter of idea named 'windw'. Did you mean 'window'"):
        idea.check({"windw": 3})
    with pytest.raises(BadParameter, match="'ten'"):
        idea.parse({"window": "ten"})


@given(st.dictionaries(st.sampled_from(["window", "share", "side", "strict", "other"]), st.text(max_size=6)))
def test_any_text_is_read_or_refused(texts):
    try:
        found = idea.parse(texts)
    except TapebookError:
        return
    assert idea.check(found) == found


def positional(bars, fast=3): ...
def no_default(bars, *, fast): ...
def taken(bars, *, fees=1.0): ...
def swallow(bars, **more): ...
def nothing(): ...
def listed(bars, *, windows=[1, 2]): ...  # noqa: B006
def outside(bars, *, fast: Annotated[int, Range(5, 9)] = 3): ...


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (positional, "fast must be a keyword parameter"),
        (no_default, "needs a default"),
        (taken, "'fees' is taken"),
        (swallow, r"\*\*more cannot be checked"),
        (nothing, "expected `bars` first"),
        (listed, "expected int, float, bool or str"),
        (outside, "from 5 to 9"),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_declarations_that_cannot_be_used(function, said):
    with pytest.raises(TapebookError, match=said):
        strategy(function)


def answering(answer):
    def wanted(bars):
        """Answer."""
        return answer(bars)

    return strategy(wanted)


def test_answers_of_several_shapes():
    bars = panel(N=1)
    up = bars.close["A"] > 100
    for answer in (
        lambda b: (up, ~up),
        lambda b: Signals(up.to_frame(), ~up.to_numpy()),
        lambda b: Signals(up, ~up),
    ):
        found = answering(answer)(bars)
        assert found.entries.shape == bars.shape
        assert found.entries["A"].equals(up)
    assert answering(lambda b: up.astype(float))(bars).shape == bars.shape


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda b: None, "answered the weights as a NoneType"),
        (lambda b: b.close > 0, "expected Signals"),
        (lambda b: b.close.iloc[1:], "other times"),
        (lambda b: b.close.rename(columns={"A": "Z"}), "has the columns"),
        (lambda b: b.close * np.inf, "infinite"),
        (
            lambda b: Signals((b.close > 0).astype(object).where(b.close > 100), b.close > 0),
            r"try .fillna\(False\)",
        ),
        (lambda b: Signals(b.close, b.close > 0), "expected true or false"),
        (lambda b: Signals(np.zeros((3, 3), bool), b.close > 0), "has shape"),
        (lambda b: Signals(None, b.close > 0), "entries as a NoneType"),
    ],
)
def test_answers_that_cannot_be_traded(answer, said):
    with pytest.raises(BadInput, match=said):
        answering(answer)(panel())


def test_the_hash_names_the_code():
    def make(n):
        def inner(bars, *, k: int = 1):
            return Signals(bars.close > n, bars.close < n)

        return strategy(inner)

    assert make(1).source_hash == make(1).source_hash != make(2).source_hash
    assert idea.source_hash != registry.get("sma_cross").source_hash


def test_strategies_are_found_by_name_file_and_function(tmp_path):
    assert registry.get("sma_cross").name == "sma_cross"
    assert registry.get(idea) is idea
    file = tmp_path / "mine.py"
    file.write_text(
        "from tapebook import Signals, strategy\n"
        "def helper(bars):\n    return Signals(bars.close > 0, bars.close < 0)\n"
        "@strategy\ndef trend(bars, *, n: int = 2):\n    'Go.'\n    return helper(bars)\n"
    )
    assert registry.get(f"{file}:trend").name == "trend"
    assert registry.get(str(file)).name == "trend"
    assert registry.get(f"{file}:helper").name == "helper"
    with pytest.raises(UnknownName, match="Did you mean 'trend'"):
        registry.get(f"{file}:trnd")
    with pytest.raises(UnknownName, match="Did you mean 'sma_cross'"):
        registry.get("sma_crss")
    with pytest.raises(BadInput, match="no file"):
        registry.get(str(tmp_path / "gone.py"))
    file.write_text("1 / 0")
    with pytest.raises(BadInput, match="ZeroDivisionError"):
        registry.get(str(file))
