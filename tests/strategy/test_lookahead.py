"""The look-ahead check: every leak of the collection is caught and named, nothing honest is accused."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from strategy import leaks
from tapebook import Desk
from tapebook.cli import main
from tapebook.data.panel import Bars
from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.strategy.lookahead.altered import POISONS, poisoned, truncated
from tapebook.strategy.lookahead.lookahead import ENOUGH, SIGNALS, check
from tapebook.strategy.signals import Signals

LIBRARY = {
    "bollinger_reversion": {}, "buy_and_hold": {}, "donchian_breakout": {}, "macd_trend": {},
    "rsi_reversion": {}, "sma_cross": {}, "volatility_target": {}, "momentum": {"lookback": 40},
    "cross_momentum": {"lookback": 60, "skip": 5}, "pairs_spread": {"window": 40, "enter": 1.0},
    "follow_leader": {"lag": 2}, "on_rule": {"rule": "return_5 <= -1.0", "hold": 5},
    "on_pattern": {"pattern": "engulfing pattern bullish"},
}  # fmt: skip


@pytest.fixture(scope="module")
def bars():
    return leaks.market()


def column(bars, symbol="A"):
    return bars.select(symbol)


# ---- the collection


@pytest.mark.parametrize("leaking", leaks.LEAKING, ids=lambda f: f.__name__)
def test_every_leak_is_caught_and_its_field_named(leaking, bars):
    found = check(leaking, bars)
    assert found.ok is False
    assert not found
    assert str(found).startswith(f"{leaking.__name__} looks ahead: ")
    wanted = leaks.LEAKING[leaking]
    assert (
        {leak.field for leak in found.leaks} == {wanted}
        if wanted
        else found.leaks[0].field in ("low", "high")
    )
    assert all(leak.ts <= leak.cut for leak in found.leaks)
    assert list(found.frame().ts) == sorted(leak.ts for leak in found.leaks)


@pytest.mark.parametrize("clean", leaks.CLEAN, ids=lambda f: f.__name__)
def test_nothing_honest_is_accused(clean, bars):
    found = check(clean, bars if clean is not leaks.merged_backward else bars["A", "C"])
    assert found.ok is True, str(found)
    assert found
    assert found.checked > 0
    assert found.cuts == 20
    assert not found.leaks


@pytest.mark.parametrize("name", LIBRARY)
def test_the_library_passes(name, bars):
    two = name in ("pairs_spread", "follow_leader")
    found = check(name, bars["A", "B"] if two else bars, params=LIBRARY[name])
    assert found.ok is True, str(found)
    assert found.checked > 0
    assert f"Checked {found.checked} of {found.signals} signals and 20 random cuts" in str(found)


def test_a_leak_names_the_bar_the_symbol_and_what_was_read(bars):
    def peeks_once(bars):
        out = bars.close.notna() & False
        if len(bars) > 201:
            out.iloc[200, 1] = bars.volume.iloc[201, 1] > 0
        return Signals(out, out)

    [leak] = check(peeks_once, bars).leaks
    assert (leak.ts, leak.symbol, leak.part) == (bars.index[200], "B", "entries")
    assert (leak.kind, leak.before, leak.after, leak.field) == ("truncated", True, False, "volume")


def test_a_leak_that_no_cut_shows_is_seen_when_the_future_is_another(bars):
    def avoids_falls(bars):
        falls = bars.close.shift(-1) < bars.close * 0.5  # never so: the decision is a plain one here
        calm = (np.arange(len(bars)) % 40 == 0)[:, None] & ~falls
        return Signals(calm, calm & False)

    found = check(avoids_falls, bars)
    assert {leak.kind for leak in found.leaks} == {"poisoned"}
    assert found.leaks[0].field == "close"


def test_weights_that_differ_by_rounding_are_the_same(bars):
    def rounded(bars):
        return bars.close * 0 + 0.5 + len(bars) * 1e-15

    assert check(rounded, bars).ok is True


def test_shorts_are_checked_too(bars):
    def shorts(bars):
        never = bars.close.notna() & False
        return Signals(never, never, bars.close.shift(-1) < bars.close, never)

    assert check(shorts, bars).leaks[0].part == "short_entries"


def test_intraday_bars_at_midnight_are_cut_there():
    index = pd.date_range("2020-01-01", periods=120, freq="4h", tz="UTC")
    close = pd.DataFrame({"X": 50 + np.random.default_rng(1).normal(size=120).cumsum()}, index)
    bars = Bars.from_frames(close=close, freq="4h")
    assert len(truncated(bars, 6)) == 7
    assert check(leaks.shifted_back, bars).ok is False
    assert check(leaks.strictly_shifted, bars).ok is True


def test_a_poisoned_future_leaves_the_past_and_the_other_fields_alone(bars):
    for poison in POISONS:
        other = poisoned(bars, 99, poison, 0, ("high",))
        pd.testing.assert_frame_equal(other.high[:100], bars.high[:100])
        pd.testing.assert_frame_equal(other.low, bars.low)
        assert not other.high[100:].equals(bars.high[100:])
    assert bars.fingerprint() == leaks.market().fingerprint()


# ---- what is no pass


def test_a_strategy_that_never_decides_is_no_pass(bars):
    found = check(lambda bars: Signals(bars.close < 0, bars.close < 0), bars)
    assert found.ok is None
    assert not found
    assert "there is nothing to check: it never decided anything" in str(found)
    assert check(lambda bars: bars.close * np.nan, bars).ok is None


def test_no_bars_are_nothing_to_check(bars):
    assert check("sma_cross", bars.between(end="1999")).ok is None


def test_chance_is_told_from_a_leak(bars):
    def dice(bars):
        draw = pd.DataFrame(np.random.random(bars.shape), bars.index, bars.close.columns)  # noqa: NPY002
        return Signals(draw < 0.1, draw > 0.9)

    found = check(dice, bars)
    assert found.ok is None
    assert "not deterministic" in str(found)
    assert not found.leaks


def test_failing_on_short_history_is_no_leak_and_is_counted(bars):
    def needs_a_hundred(bars):
        if len(bars) < 100:
            raise ValueError(f"{len(bars)} bars are too few")
        return leaks.exponential_mean(bars)

    found = check(needs_a_hundred, bars)
    assert found.ok is True
    assert 0 < found.checked < SIGNALS
    assert "cuts were not checked because it fails on the bars up to there" in str(found)
    assert "ValueError: 1 bars are too few" in str(found)


def test_failing_on_every_cut_is_no_pass(bars):
    def needs_all(bars):
        if len(bars) < 400:
            raise BadInput("too few bars")
        return leaks.exponential_mean(bars)

    found = check(needs_all, bars)
    assert found.ok is None
    assert "none of its signals could be tried" in str(found)
    assert "The warm-up was not measured: BadInput: too few bars" in str(found)


def test_failing_on_other_values_is_told(bars):
    def wants_prices(bars):
        if bars.close["A"].isna().any():
            raise ValueError("no price")
        return leaks.exponential_mean(bars)

    found = check(wants_prices, bars)
    assert found.ok is True
    assert "With the future 'missing' (ValueError: no price) it failed 80 times" in str(found)


def test_an_error_on_the_whole_is_the_strategys_own(bars):
    with pytest.raises(BadInput, match="exactly two symbols"):
        check("pairs_spread", bars)


def test_what_was_not_tried_is_told(bars):
    found = check(leaks.strictly_shifted, bars, cuts=3)
    assert (found.checked, found.cuts) == (SIGNALS, 3)
    assert f"{found.signals - SIGNALS - 1} signals were never checked because at most 60 are" in str(found)
    assert "1 signal was never checked because it is on the last bar" in str(found)
    assert f"stopped after {ENOUGH} leaking cuts" in str(check(leaks.shifted_back, bars))
    closes = Bars.from_frames(close=bars.close)
    assert "Nothing can be said of open, high, low, volume" in str(check(leaks.strictly_shifted, closes))


# ---- warm-up


def test_a_mean_of_fifty_warms_up_for_about_fifty_bars(bars):
    assert 40 <= check("sma_cross", column(bars)).warmup <= 51


def test_the_warm_up_of_weights_is_exact(bars):
    def mean_of_30(bars):
        return (bars.close / bars.close.rolling(30).mean()).clip(upper=2) / 6

    assert check(mean_of_30, column(bars)).warmup == 29
    assert check(lambda bars: bars.close * 0 + 1, column(bars)).warmup == 0


@pytest.mark.parametrize("whole", [leaks.expanding_mean, leaks.expanding_quantile, leaks.fixed_seed])
def test_what_remembers_everything_is_said_to(whole, bars):
    found = check(whole, bars)
    assert found.recursive
    assert found.warmup is None
    assert found.recursion.kind == "started"
    assert "Warm-up: all of history counts (" in str(found)


def test_counting_bars_from_the_first_is_recursive_and_forgetting_is_not(bars):
    assert check("volatility_target", column(bars)).recursive
    assert check(leaks.exponential_mean, bars).warmup < 60


def test_a_tie_that_rounding_decides_does_not_lengthen_the_warm_up():
    steps = np.round(np.random.default_rng(1).normal(0, 0.1, 400), 1)  # whole ticks: means are often equal
    index = pd.bdate_range("2010-01-04", periods=400, tz="UTC")
    bars = Bars.from_frames(close=pd.DataFrame({"A": 10 + steps.cumsum()}, index))

    def crossed(bars):
        return Signals(bars.close.rolling(4).mean() > bars.close.rolling(8).mean(), bars.close < 0)

    found = check(crossed, bars)
    assert found.ok
    assert not found.recursive
    assert found.warmup <= 7


# ---- how it is asked


def test_it_is_the_same_every_time_and_fits_in_json(bars):
    one, two = check(leaks.centred_window, bars), check(leaks.centred_window, bars)
    assert one == two
    kept = json.loads(json.dumps(one.record(), allow_nan=False))
    assert kept["ok"] is False
    assert kept["leaks"][0]["field"] == "close"
    assert (
        json.loads(json.dumps(check(leaks.expanding_mean, bars).record()))["recursion"]["kind"] == "started"
    )


def test_progress_reaches_its_end(bars):
    told = []
    check("sma_cross", column(bars), progress=lambda *said: told.append(said))
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1][0] == told[-1][1]


@pytest.mark.parametrize("cuts", [-1, 1.5, True, "20"])
def test_a_wrong_number_of_cuts_is_refused(cuts, bars):
    with pytest.raises(BadParameter, match="'cuts' is .*: expected a whole number of at least 0"):
        check("sma_cross", bars, cuts=cuts)


def test_wrong_names_and_bars_are_refused(bars):
    with pytest.raises(UnknownName, match="slow"):
        check("sma_cross", bars, params={"slaw": 3})
    with pytest.raises(UnknownName, match="sma_cross"):
        check("sma_crss", bars)
    with pytest.raises(BadInput, match="decides on Bars"):
        check("sma_cross", bars.close)


def test_the_desk_checks(sample_home):
    with Desk.open(sample_home) as desk:
        found = desk.check("sma_cross", desk.bars("AAPL", start="2010"), fast=5, slow=20, cuts=5)
        assert found.ok
        assert found.cuts == 5
        with pytest.raises(UnknownName, match="fast"):
            desk.check("sma_cross", "AAPL", fist=5)


def test_the_command_says_it_and_fails_on_a_leak(sample_home, tmp_path):
    file = tmp_path / "peek.py"
    file.write_text(
        "from tapebook import strategy\nfrom tapebook.strategy import Signals\n"
        "@strategy\ndef peek(bars, *, ahead: int = 1):\n"
        "    up = bars.close.shift(-ahead) > bars.close\n    return Signals(up, ~up)\n"
    )

    def call(*args):
        return CliRunner().invoke(main, ["--home", str(sample_home), "check", *args, "--start", "2012"])

    clean = call("sma_cross", "AAPL", "--fast", "5", "--slow", "20", "--cuts", "5")
    assert clean.exit_code == 0, clean.output
    assert clean.stdout.startswith("sma_cross: no look-ahead found.\n")
    leaking = call(f"{file}:peek", "AAPL", "--ahead", "2", "--json")
    assert leaking.exit_code == 1
    assert json.loads(leaking.stdout)["leaks"][0]["field"] == "close"
    never = call("sma_cross", "AAPL", "--slow", "900")
    assert never.exit_code == 1, never.output
    assert "it never decided anything" in never.stdout
    assert call("sma_cross", "AAPL", "--fees", "0").exit_code == 1
