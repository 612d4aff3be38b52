"""Declaring strategies: what is understood, what is refused, and how both are said."""

from __future__ import annotations

import inspect
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapebook.data.panel import Bars as RealBars
from tapebook.desk import Desk
from tapebook.errors import BadInput, BadParameter, TapebookError, UnknownName
from tapebook.strategy import Range, Rules, Signals, registry, strategy
from tapebook.strategy.declare import Choices

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
    numpy = {"window": np.uint8(7), "share": np.float32(0.5), "side": np.str_("up"), "strict": np.True_}
    found = idea.check(numpy)
    assert [type(v) for v in found.values()] == [int, float, str, bool]
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
        ({"share": 10**400}, "a number from 0 to 1"),
        ({"share": np.float32("inf")}, "a number from 0 to 1"),
        ({"share": None}, "a number from 0 to 1"),
        ({"window": np.array([3])}, "a whole number"),
        ({"window": pd.NA}, "a whole number"),
        ({"side": np.str_("left")}, "one of 'up', 'down'"),
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


def test_text_that_is_no_value_says_what_would_be():
    with pytest.raises(BadParameter) as caught:
        registry.get("sma_cross").parse({"fast": "ten"})
    said = "parameter 'fast' is 'ten': expected a whole number from 1 to 500 (bars in the fast mean)"
    assert str(caught.value) == said
    assert idea.parse({}) == idea.check({})


def test_one_line_of_parameters_is_read():
    cross = registry.get("sma_cross")
    for line in ("fast=7 slow=30", "fast=7, slow=30", " slow=30  fast='7' "):
        assert cross.parse(line) == {"fast": 7, "slow": 30}
    assert cross.parse("") == cross.check({})
    assert (
        registry.get("on_screen").parse("expression='close > sma(200)'")["expression"] == "close > sma(200)"
    )
    for wrong in ("fast", "fast=7 fast=8", "=7", "fast='7"):
        with pytest.raises(BadParameter, match="each parameter once, as NAME=VALUE"):
            cross.parse(wrong)
    with pytest.raises(UnknownName, match="Did you mean 'fast'"):
        cross.parse("fats=7")


@given(st.dictionaries(st.sampled_from(["window", "share", "side", "strict", "other"]), st.text(max_size=6)))
def test_any_text_is_read_or_refused(texts):
    try:
        found = idea.parse(texts)
    except TapebookError:
        return
    assert idea.check(found) == found


KINDS = {
    int: (st.integers(-(10**9), 10**9), st.floats() | st.text() | st.booleans() | st.none()),
    float: (st.floats(-1e9, 1e9) | st.integers(-(10**9), 10**9), st.text() | st.booleans() | st.none()),
    str: (st.text(max_size=9), st.integers() | st.floats() | st.booleans() | st.none()),
    bool: (st.booleans(), st.integers() | st.floats() | st.text() | st.none()),
}


@given(st.data(), st.sampled_from(list(KINDS)))
def test_a_value_of_its_type_and_within_bounds_passes_and_no_other(data, kind):
    good, bad = KINDS[kind]
    default = data.draw(good)
    bounds = Range()
    if kind in (int, float):
        low, high = sorted([data.draw(good), data.draw(good)])
        default, bounds = (low if kind is int else float(low)), Range(low, high)

    def drawn(bars, *, value: Annotated[kind, bounds] = default): ...

    drawn.__annotations__["value"] = Annotated[kind, bounds]
    found = strategy(drawn)
    value = data.draw(good)
    inside = bounds.low is None or bounds.low <= value <= bounds.high
    if inside:
        answer = found.check({"value": value})["value"]
        assert type(answer) is kind
        assert answer == value
        assert found.parse({"value": str(answer)})["value"] == (answer.strip() if kind is str else answer)
    else:
        with pytest.raises(BadParameter, match="expected a (whole )?number (from|of)"):
            found.check({"value": value})
    with pytest.raises(BadParameter):
        found.check({"value": data.draw(bad)})


def positional(bars, fast=3): ...
def no_default(bars, *, fast): ...
def taken(bars, *, fees=1.0): ...
def swallow(bars, **more): ...
def nothing(): ...
def listed(bars, *, windows=[1, 2]): ...  # noqa: B006
def outside(bars, *, fast: Annotated[int, Range(5, 9)] = 3): ...
def starred(bars, *more): ...
def half(bars, *, fast: int = 2.5): ...
def upside(bars, *, fast: Annotated[int, Range(9, 5)] = 7): ...
def worded(bars, *, side: Annotated[str, Range(1, 2)] = "up"): ...
def mixed(bars, *, side: Literal["up", 1] = "up"): ...
def unknown(bars, *, fast: Annotated[int, Rnge(1, 2)] = 1): ...  # noqa: F821
def maybe(bars, *, fast: int | None = None): ...
def hinted(bars, *, fast: Bars = 3): ...


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (positional, r"put a star before it, def positional\(bars, \*, fast=3\)"),
        (no_default, r"needs a default: def no_default\(bars, \*, fast: int = 10\)"),
        (taken, "'fees' is taken"),
        (swallow, r"\*\*more cannot be checked"),
        (nothing, "expected `bars` first"),
        (listed, "expected int, float, bool or str"),
        (outside, "'fast' is 3: expected a whole number from 5 to 9"),
        (starred, r"\*more cannot be checked"),
        (half, "'fast' is 2.5: expected a whole number"),
        (upside, r"Range\(9, 5\) holds no value"),
        (worded, "Range is for numbers; for str write Choices"),
        (mixed, "'side' is 1: expected a text"),
        (unknown, "annotation of 'fast' cannot be read: name 'Rnge' is not defined"),
        (maybe, "expected int, float, bool or str"),
        (hinted, "not only under TYPE_CHECKING"),
        (max, "strategy max: .*: expected a Python function of bars"),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_declarations_that_cannot_be_used(function, said):
    with pytest.raises(BadInput, match=said):
        strategy(function)


def test_names_that_a_backtest_uses_itself_are_refused():
    from tapebook.strategy.declare import TAKEN

    theirs = {field.name for field in fields(Rules)} | set(inspect.signature(Desk.backtest).parameters)
    assert theirs - {"settings"} <= TAKEN
    for name in sorted(TAKEN - {"self", "bars"}):
        space = {}
        exec(f"def clash(bars, *, {name}=1): ...", space)
        with pytest.raises(BadInput, match=f"'{name}' is taken by the backtest itself"):
            strategy(space["clash"])


@pytest.mark.parametrize("name", ["two words", "a/b", "", "x.py:f"])
def test_names_are_words(name):
    if name:
        with pytest.raises(BadInput, match="expected a word such as 'calm_trend'"):
            strategy(name=name)(lambda bars: bars.close)
    with pytest.raises(BadInput, match="expected a function"):
        strategy("trend")


def test_a_name_and_a_family_may_be_given():
    @strategy(name="calm", family="trend")
    def other(bars, *, n=3, share=0.5, loud=False, side="up"):
        return bars.close

    assert (other.name, other.family, other.description, other.doc) == ("calm", "trend", "", "")
    assert [p.type for p in other.parameters.values()] == [int, float, bool, str]
    assert strategy(other) is other


def test_choices_bounds_and_meanings_as_they_are_said():
    def told(
        bars,
        *,
        days: Annotated[int, Choices(5, 20, help="days a row")] = 5,
        share: Annotated[float, Choices(0, 1)] = 1,
        least: Annotated[float, Range(low=0.5)] = 1,
        most: Annotated[int, Range(high=2_000_000, help="bars")] = 1,
        open_: Annotated[float, Range(0, float("inf"))] = 1,
        word: Annotated[str, "what it is"] = "a",
    ): ...

    said = {n: p.expected for n, p in strategy(told).parameters.items()}
    assert said == {
        "days": "one of 5, 20 (days a row)",
        "share": "one of 0.0, 1.0",
        "least": "a number of at least 0.5",
        "most": "a whole number of at most 2000000 (bars)",
        "open_": "a number of at least 0",
        "word": "a text (what it is)",
    }
    assert strategy(told).check({"share": 0}) == {
        "days": 5, "share": 0.0, "least": 1.0, "most": 1, "open_": 1.0, "word": "a",
    }  # fmt: skip
    with pytest.raises(BadParameter, match="'days' is 6: expected one of 5, 20"):
        strategy(told).check({"days": 6})


def test_what_annotations_name_may_be_local_to_the_place():
    from tapebook.strategy import Range as Bounds  # annotations are text here: see the first line

    @strategy
    def local(bars: Nowhere, *, fast: Annotated[int, Bounds(1, 5)] = 2) -> Nothing:  # noqa: F821
        return bars.close

    assert local.parameters["fast"].high == 5


def test_it_shows_itself():
    page = idea._repr_html_()
    assert "<b>idea</b> (test): Do nothing much." in page
    assert "<td style='text-align:left'>a whole number from 2 to 50 (bars)</td>" in page
    escaped = strategy(lambda bars, *, s="<b>": bars.close)
    assert "&#x27;&lt;b&gt;&#x27;" in escaped._repr_html_()
    assert "<table" not in strategy(lambda bars: bars.close)._repr_html_()


def test_partials_methods_and_callable_objects_are_functions_too():
    def ratio(bars, *, n: Annotated[int, Range(1, 9)] = 3, m: int = 1):
        """Say."""
        return bars.close * n * m

    class Ratio:
        def __call__(self, bars, *, n: int = 3):
            return bars.close * n

        def method(self, bars, *, n: int = 3):
            return bars.close * n

    bars = panel()
    five = strategy(partial(ratio, n=5))
    assert (five.name, five.parameters["n"].default, five.parameters["n"].high) == ("ratio", 5, 9)
    for found, expected in ((five, 5), (strategy(Ratio()), 3), (strategy(Ratio().method), 3)):
        np.testing.assert_allclose(found(bars), bars.close * expected)
    assert strategy(Ratio()).name == "Ratio"
    assert strategy(Ratio().method).name == "method"
    assert strategy(lambda bars: bars.close).name == "lambda"
    assert five.source_hash != strategy(partial(ratio, n=6)).source_hash != strategy(ratio).source_hash


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
        (lambda b: b.close.iloc[1:], r"29 rows, 30 bars\): row 0 is 2020-01-02 .*, the bar 2020-01-01"),
        (lambda b: b.close.iloc[:-1], r"29 rows, 30 bars\); try .reindex"),
        (lambda b: b.close.astype(str) + "x", r"the weights hold \{'A': 'str'"),
        (lambda b: b, "answered the weights as a Bars"),
        (lambda b: (b.close > 0,), "answered the weights as a tuple"),
        (lambda b: b.close.rename(columns={"A": "Z"}), "has the columns"),
        (lambda b: b.close * np.inf, "infinite"),
        (
            lambda b: Signals((b.close > 0).astype(object).where(b.close > 100), b.close > 0),
            r"try .fillna\(False\)",
        ),
        (
            lambda b: Signals(b.close > 0, b.close),
            r"strategy wanted: exits is 100\.\d+ at 2020-01-01 .* for 'A': expected true or false",
        ),
        (
            lambda b: Signals((b.close > 0).astype(float).shift(), b.close > 0),
            "entries is missing at 2020-01-01",
        ),
        (lambda b: Signals(np.zeros((3, 3), bool), b.close > 0), "has shape"),
        (lambda b: Signals(None, b.close > 0), "entries as a NoneType"),
    ],
)
def test_answers_that_cannot_be_traded(answer, said):
    with pytest.raises(BadInput, match=said):
        answering(answer)(panel())


def test_answers_keep_the_bars_own_labels():
    bars = panel()
    plain = bars.close.rename_axis(index=None, columns=None)[["B", "A"]]
    found = answering(lambda b: plain)(bars)
    pd.testing.assert_frame_equal(found, bars.close)
    signals = answering(lambda b: ((b.close > 100).astype(int), b.close.to_numpy() < 100))(bars)
    assert all(kind == bool for kind in signals.entries.dtypes)  # noqa: E721
    assert signals.exits.columns.name == "symbol"
    shorts = answering(lambda b: (b.close > 1, b.close < 1, b.close > 2, b.close < 2))(bars)
    assert shorts.short_entries.shape == bars.shape


def test_only_bars_are_decided_on():
    with pytest.raises(BadInput, match="idea decides on Bars, got a DataFrame: read them with desk.bars"):
        idea(panel().close)
