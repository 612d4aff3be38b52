"""States, precursors, analogues, rules and the page of a move: twins, planted causes, none, poison."""

import html

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapebook import Desk
from tapebook.data import synthetic
from tapebook.data.panel import Bars
from tapebook.errors import BadInput, BadParameter, NoData, UnknownName
from tapebook.market.explanation.analogue_distance import Likeness, Shapes, nearest, scores
from tapebook.market.explanation.analogues import analogues
from tapebook.market.explanation.explain import NOTHING, explain
from tapebook.market.explanation.precursor_match import free_rows, matched, placed
from tapebook.market.explanation.precursors import precursors, soon
from tapebook.market.explanation.rules import rules
from tapebook.market.move.moves import Move, marks, moves
from tapebook.market.rule_text import parsed, rings
from tapebook.market.states import states, without_self
from tapebook.strategy import registry


def market(seed=1, symbols=4, bars=900, **kind):
    return synthetic.random_walk(symbols=symbols, bars=bars, seed=seed, **kind).bars


def poisoned(bars, t):
    """The same up to row t, nonsense after."""
    frames = {}
    for field in ("open", "high", "low", "close", "volume"):
        frame = getattr(bars, field).copy()
        frame.iloc[t + 1 :] *= np.linspace(2.0, 30.0, len(frame) - t - 1)[:, None]
        frames[field] = frame
    return Bars.from_frames(**frames, calendars="XNYS")


# ---- states


def test_states_are_what_they_say():
    bars = market()
    made = states(bars)
    t, close, volume = 700, bars.close["S1"], bars.volume["S1"]
    moved = np.log(close).diff()
    year = moved.iloc[t - 249 : t + 1].std()
    assert made["return_20"][t, 1] == pytest.approx(
        moved.iloc[t - 19 : t + 1].sum() / (year * 20**0.5), rel=1e-6
    )
    short, long = moved.iloc[t - 4 : t + 1].std(), moved.iloc[t - 59 : t + 1].std()
    assert made["volatility_5"][t, 1] == pytest.approx(np.log(short / long), rel=1e-6)
    usual = volume.iloc[t - 64 : t - 4].median()
    assert made["volume_5"][t, 1] == pytest.approx(
        np.log(volume.iloc[t - 4 : t + 1].mean() / usual), rel=1e-9
    )
    others = np.log(bars.close[["S0", "S2", "S3"]]).diff().mean(axis=1)
    expected = others.iloc[t - 19 : t + 1].sum() / (others.iloc[t - 249 : t + 1].std() * 20**0.5)
    assert made["market_20"][t, 1] == pytest.approx(expected, rel=1e-6)
    peak = np.log(close.iloc[t - 249 : t + 1].max())
    assert made["drawdown"][t, 1] == pytest.approx(
        (np.log(close.iloc[t]) - peak) / (year * 20**0.5), rel=1e-6
    )


def test_states_know_nothing_of_later_bars():
    bars = market(seed=3)
    series = pd.DataFrame({"VIX": np.random.default_rng(0).random(len(bars)) + 10.0}, bars.index)
    whole = states(bars, series)
    for other in (bars._rows(slice(0, 600)), poisoned(bars, 599)):
        part = states(other, series)
        for name in whole.names:
            np.testing.assert_array_equal(part[name][:600], whole[name][:600])
    assert {"vix_level", "vix_change"} <= set(whole.names)


def test_a_symbol_with_holes_has_the_states_of_its_own_bars():
    bars = market(symbols=3, bars=500)
    frames = {f: getattr(bars, f).copy() for f in ("open", "high", "low", "close", "volume")}
    lost = np.r_[3, 200:210, 333]
    for frame in frames.values():
        frame.iloc[lost, 1] = np.nan
    made = states(Bars.from_frames(**frames, calendars="XNYS"))
    kept = np.delete(np.arange(500), lost)
    alone = states(Bars.from_frames(**{f: frame.iloc[kept, [1]] for f, frame in frames.items()}))
    assert len(alone.names) == 11
    for name in alone.names:
        np.testing.assert_allclose(made[name][kept, 1], alone[name][:, 0], rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(made["return_20"][200:205, 1], made["return_20"][199, 1])  # of its last bar
    assert np.isnan(made["return_20"][205:210, 1]).all()  # for 5 rows


def test_what_is_asked_for_alone_is_the_same():
    bars = market(symbols=3, bars=400)
    series = pd.DataFrame({"VIX": np.random.default_rng(0).random(400)}, bars.index)
    whole = states(bars, series)
    for name in whole.names:
        alone = states(bars, series, only={name})
        assert alone.meaning == {name: whole.meaning[name]}
        assert alone.names == (name,)
        np.testing.assert_array_equal(alone[name], whole[name])
        np.testing.assert_array_equal(alone.deviation, whole.deviation)
    with pytest.raises(UnknownName, match="volume_5"):
        states(bars, only={"volume_6"})


def test_series_need_the_same_stamps():
    bars = market(bars=300)
    with pytest.raises(BadInput, match="same stamps"):
        states(bars, pd.DataFrame({"x": [1.0]}, pd.DatetimeIndex(["1990-01-01"], tz="UTC")))
    with pytest.raises(BadInput, match="one row a stamp"):
        states(bars, pd.DataFrame({"x": [1.0, 2.0]}))
    with pytest.raises(UnknownName, match="volume_5"):
        states(bars)["volume_6"]
    flat = pd.DataFrame({"10Y-2Y": np.arange(300.0), "VIX": 1.0}, bars.index)
    assert {"_10y_2y_level", "vix_change"} <= set(states(bars, flat).names)
    assert parsed("_10y_2y_level > 0.5")
    with pytest.raises(BadInput, match="two columns have the same name"):
        states(bars, flat.rename(columns={"VIX": "10Y_2Y"}))
    with pytest.raises(BadInput, match="expected numbers"):
        states(bars, flat.assign(VIX="high"))


def test_the_mean_of_the_others_leaves_each_itself_out():
    frame = pd.DataFrame([[1.0, 2.0, 6.0], [1.0, np.nan, 5.0]])
    assert without_self(frame).iloc[0].tolist() == [4.0, 3.5, 1.5]
    assert without_self(frame).iloc[1].isna().tolist() == [True, False, True]


# ---- cases and controls


def test_controls_are_free_of_moves_and_alike():
    bars = market(symbols=2, tails=3)
    made = states(bars)
    found = moves(bars)
    starts, inside = marks(found.table, bars)
    pairs = matched(made, starts, inside, 10)
    free = free_rows(starts, inside, 10)
    assert len(pairs.row) > 5
    for row, column, controls in zip(pairs.row, pairs.column, pairs.controls, strict=True):
        assert starts[row + 1, column]
        kept = controls[controls >= 0]
        assert free[kept, column].all()
        assert (np.abs(kept - row) <= 500).all()
        for spot in kept:
            assert not starts[spot + 1 : spot + 11, column].any()
            assert not inside[max(0, spot - 60) : spot + 1, column].any()
        own = np.sign(np.nan_to_num(made["return_120"][row, column]))
        assert (np.sign(np.nan_to_num(made["return_120"][kept, column])) == own).all()


def test_a_place_is_the_share_of_controls_below():
    bars = market(symbols=1, tails=3)
    made, found = states(bars), moves(bars)
    starts, inside = marks(found.table, bars)
    pairs = matched(made, starts, inside, 10)
    place = placed(made["volume_5"], pairs, 5)
    row, controls = pairs.row[0], pairs.controls[0]
    values = [made["volume_5"][c - 4, 0] for c in controls if c >= 0]
    values = [v for v in values if not np.isnan(v)]
    below = sum(v < made["volume_5"][row - 4, 0] for v in values)
    assert place[0] == pytest.approx((below + 0.5) / (len(values) + 1))


def test_a_planted_precursor_is_first_and_an_alarm_of_it_precise():
    first = 0
    for seed in range(5):
        bars = synthetic.precursors(seed=seed, symbols=2).bars
        found = moves(bars)
        up = found.table[found.table["direction"] == "up"]
        told = precursors(found.states, *marks(up, bars))
        first += str(told.table["feature"].iloc[0]).startswith("volume") and bool(told.table["holds"].iloc[0])
    assert first == 5
    top = told.table.iloc[0]
    assert top["recall"] > 0.7
    assert top["precision"] > 2 * top["base_rate"]
    assert "volume" in told.summary


NO_CAUSE = {
    "jumps": lambda seed: synthetic.precursors(seed=seed, symbols=3, surge=1.0).bars,
    "tails": lambda seed: market(seed, symbols=5, bars=2520, tails=3),
    "storms": lambda seed: market(seed, symbols=5, bars=2520, tails=5, garch=(0.08, 0.85)),
}


@pytest.mark.parametrize(
    ("kind", "seeds"), [("jumps", 3), *(pytest.param(kind, 10, marks=pytest.mark.slow) for kind in NO_CAUSE)]
)
def test_nothing_distinguishes_moves_without_a_cause(kind, seeds):
    false = 0
    for seed in range(seeds):
        bars = NO_CAUSE[kind](seed)
        found = moves(bars)
        starts, inside = marks(found.table, bars)
        told, rule = precursors(found.states, starts, inside), rules(found.states, starts, inside)
        false += bool(len(told.found)) or rule.holds
    assert false <= (1 if seeds < 10 else 2)


def test_too_few_moves_are_said_to_be():
    bars = market(bars=400)
    found = moves(bars, threshold=6.0)
    told = precursors(found.states, *marks(found.table.head(3), bars))
    assert told.table.empty
    assert "10 are needed" in str(told.reason)
    with pytest.raises(BadParameter, match="within"):
        precursors(found.states, *marks(found.table, bars), within=0)


def test_soon_says_whether_a_move_begins_in_the_next_bars():
    starts = np.zeros((6, 1), dtype=bool)
    starts[4] = True
    assert soon(starts, 2)[:, 0].tolist() == [False, False, True, True, False, False]


# ---- analogues


@given(st.integers(0, 500), st.integers(5, 40))
@settings(max_examples=15)
def test_distances_of_shapes_are_those_of_normalised_windows(seed, m):
    logs = np.random.default_rng(seed).standard_normal((150, 2)).cumsum(axis=0)
    logs[60:64, 1] = np.nan
    found = Shapes(logs, m)(120, 0)
    query = logs[120 - m + 1 : 121, 0]
    for row in (m - 1, 63, 70, 100, 149):
        for column in (0, 1):
            other = logs[row - m + 1 : row + 1, column]
            if np.isnan(other).any():
                assert np.isnan(found[row, column])
                continue
            a, b = ((v - v.mean()) / v.std() for v in (query, other))
            assert found[row, column] == pytest.approx(np.sqrt(((a - b) ** 2).sum()), abs=1e-5)


@pytest.mark.slow  # its import alone takes seconds; the naive twin above is always run
def test_distances_of_shapes_are_stumpys():
    import stumpy

    logs = np.random.default_rng(2).standard_normal(300).cumsum()
    theirs = stumpy.mass(logs[200:230], logs)
    np.testing.assert_allclose(Shapes(logs[:, None], 30)(229, 0)[29:, 0], theirs, atol=1e-5)


def test_the_nearest_do_not_overlap():
    distance = np.random.default_rng(0).random((300, 3))
    rows, columns, told = nearest(distance, 8, 20)
    assert np.diff(np.sort(rows)).min() >= 20
    assert (np.diff(told) >= 0).all()
    np.testing.assert_array_equal(distance[rows, columns], told)


def test_likeness_is_of_normal_scores():
    made = states(market(bars=500))
    found = Likeness(made, 450)(400, 2)
    each = [scores(made[name], 450) for name in made.names]
    known = [s for s in each if np.isfinite(s[400, 2])]
    expected = np.sqrt(np.mean([(s[300, 1] - s[400, 2]) ** 2 for s in known]))
    assert found[300, 1] == pytest.approx(expected)


def test_analogues_are_earlier_and_know_nothing_later():
    bars = market(bars=900, tails=4)
    made = states(bars)
    told = analogues(bars, made, "S0", 700)
    assert (told.table["end"] <= bars.index[700 - 20]).all()
    cut = bars._rows(slice(0, 701))
    again = analogues(cut, states(cut), "S0", 700)
    pd.testing.assert_frame_equal(told.table, again.table)
    pd.testing.assert_frame_equal(told.judged, again.judged)
    assert len(again.actual) == 0
    assert len(told.actual) == 20
    assert set(told.judged["by"]) == {"shape of 20 bars", "shape of 60 bars", "shape of 120 bars", "state"}


def test_what_follows_analogues_of_noise_does_not_differ():
    p = []
    for seed in range(10):
        bars = market(seed, symbols=3, bars=900, tails=5)
        p += analogues(bars, states(bars), "S0", 850, lengths=(20,), seed=seed).judged["p"].tolist()
    assert len(p) == 20
    assert np.mean(np.array(p) <= 0.1) <= 0.35  # P(more than 7 of 20 | 10 %) is below 0.001
    assert 0.3 < np.mean(p) < 0.7


def test_a_shape_that_repeats_is_found_with_what_follows_it():
    rng = np.random.default_rng(4)
    steps = 0.004 * rng.standard_normal((1500, 3))
    shape = 0.02 * np.sin(np.arange(20) * 0.9)
    for row in range(100, 1450, 90):
        steps[row : row + 20, 0] = shape + 0.001 * rng.standard_normal(20)
        steps[row + 20 : row + 25, 0] = 0.01
    close = pd.DataFrame(
        100 * np.exp(steps.cumsum(axis=0)), pd.bdate_range("2012-01-02", periods=1500), list("ABC")
    )
    bars = Bars.from_frames(close=close)
    at = 100 + 90 * 14 + 19
    told = analogues(bars, states(bars), "A", at, lengths=(20,), ahead=5, count=8)
    row = told.judged.set_index("by").loc["shape of 20 bars"]
    assert row["unusual"] < 0.05
    assert row["difference"] > 1.0
    assert row["p"] < 0.02
    assert "above what follows any bar" in told.summary


def test_too_short_a_past_has_no_analogues():
    bars = market(bars=300)
    with pytest.raises(NoData, match="earlier bars"):
        analogues(bars, states(bars), "S0", 40)
    with pytest.raises(UnknownName):
        analogues(bars, states(bars), "S9", 250)


# ---- rules


def test_a_rule_is_a_text_that_can_be_read_back():
    assert parsed("volume_5 > 0.5 and return_20 <= -1e-1")[1].level == -0.1
    for bad in ("volume_5", "volume_5 = 3", "", "a > 1 or b > 2"):
        with pytest.raises(BadParameter, match="conditions such as"):
            parsed(bad)


def test_a_planted_cause_becomes_a_rule_that_trades(quick):
    bars = synthetic.precursors(seed=3, symbols=3).bars
    found = moves(bars)
    told = explain(found, int(found.table.index[found.table["direction"] == "up"][0]), within=5)
    assert told.distinguished
    assert told.rules.holds
    assert "volume_5 >" in str(told.rules.rule)
    assert told.rules.tried > 20
    idea = told.idea()
    assert idea.strategy == "on_rule"
    params = registry.get("on_rule").check(dict(idea.params))
    signals = registry.get("on_rule")(bars[list(idea.symbols)], **params)
    rung = rings(states(bars), told.rules.conditions)
    entered = signals.entries.to_numpy()
    assert entered.any()
    assert (rung[entered]).all()
    jumps = np.log(bars.close).diff().to_numpy() > 0.05
    caught = [entered[max(0, t - 6) : t, n].any() for t, n in np.argwhere(jumps)]
    assert np.mean(caught) > 0.5


def test_on_rule_holds_for_some_bars_after_the_rule():
    bars = market(bars=400)
    made = registry.get("on_rule")(bars, rule="return_5 <= -1.5", hold=3)
    rung = rings(states(bars), parsed("return_5 <= -1.5"))
    for n, name in enumerate(bars.symbols):
        last = None
        for t in range(1, 400):
            last = t if rung[t, n] else last
            assert made.entries[name].iloc[t] == (rung[t, n] and not rung[t - 1, n])
            assert made.exits[name].iloc[t] == (last is not None and t - last == 3)
    with pytest.raises(BadParameter, match="conditions such as"):
        registry.get("on_rule")(bars, rule="buy low")
    with pytest.raises(BadInput, match="none is left"):
        registry.get("on_rule")(bars, beside=4)


def test_rules_are_judged_on_moves_they_have_not_seen():
    bars = synthetic.precursors(seed=5, symbols=2).bars
    found = moves(bars)
    starts, inside = marks(found.table, bars)
    whole = rules(found.states, starts, inside, within=5)
    spoilt = starts.copy()
    border = int(len(bars) * 0.7) + 5
    spoilt[border:] = np.roll(spoilt[border:], 211, axis=0)  # other moves in the part that confirms
    other = rules(found.states, spoilt, inside, within=5)
    assert other.rule == whole.rule
    assert other.unseen["lift"] < whole.unseen["lift"]
    with pytest.raises(BadParameter, match="1, 2 or 3"):
        rules(found.states, starts, inside, depth=4)


# ---- the page


@pytest.fixture
def quick(monkeypatch):
    """Fewer random queries where what follows analogues is not the question."""
    monkeypatch.setattr("tapebook.market.explanation.analogues.QUERIES", 39)


@pytest.fixture(scope="module")
def desk(shared_home):
    with Desk.open(shared_home) as desk:
        yield desk


@pytest.fixture(scope="module")
def stocks(desk):
    return desk.bars("AAPL,IBM,MSFT,GOOG")


@pytest.fixture(scope="module")
def found(stocks):
    return moves(stocks)


@pytest.fixture(scope="module")
def autumn(found):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tapebook.market.explanation.analogues.QUERIES", 39)
        return explain(found, Move("AAPL", "2008-09-15", "2008-11-20"))


def test_apples_fall_of_2000_is_its_own(found, quick):
    told = explain(found, 0)
    assert str(told.move) == "AAPL on 2000-09-29"
    assert told.row["scope"] == "single name"
    assert abs(told.attribution.unexplained) > 0.6
    assert told.attribution.p < 0.001
    assert "fell 51.9% on 2000-09-29" in told.summary
    assert "the market does not explain it" in told.summary
    assert told.row["volume"] > 10


def test_the_autumn_of_2008_is_the_markets(autumn):
    assert autumn.row["scope"] == "market"
    assert autumn.attribution.expected / autumn.attribution.change > 0.7
    assert autumn.attribution.p > 0.05
    assert "The market went along" in autumn.summary
    assert autumn.attribution.parts["part"].sum() == pytest.approx(autumn.row["change"], abs=1e-10)
    assert len(autumn.together.events) == 4
    assert "It and those that went along, 4 events: mean abnormal return" in autumn.summary
    assert "Kolari–Pynnönen t" in autumn.said()["With what"]


def test_every_question_has_a_figure_with_something_on_it(autumn):
    figures = autumn.figures()
    assert list(figures)[:4] == ["What moved", "How large", "With what", "What came before"]
    assert {"When before", "Could a rule have caught it", "After such moves"} <= set(figures)
    for figure in figures.values():
        assert figure.data
        assert figure.layout.title.text


def test_the_whole_answer_is_one_page_that_needs_nothing_else(autumn, tmp_path):
    page = autumn.page(tmp_path / "why.html")
    assert (tmp_path / "why.html").read_text(encoding="utf-8") == page
    for name, text in autumn.said().items():
        assert name in page
        assert html.escape(text) in page
    assert page.count('class="plotly-graph-div"') == len(autumn.figures())
    assert 'src="http' not in page
    assert "Of -61.5% (log)" in autumn._repr_html_()
    assert "<td>unexplained</td>" in page


def test_a_span_that_is_no_move_of_the_bars_is_refused(found, stocks):
    late = pd.Timestamp("2030-01-01", tz="UTC")
    with pytest.raises(BadInput, match="within the bars of AAPL, 2000-03-01 to 2013-03-01"):
        explain(found, Move("AAPL", late, late))
    with pytest.raises(UnknownName, match="TSLA"):
        explain(found, Move("TSLA", stocks.index[5], stocks.index[6]))
    with pytest.raises(UnknownName):
        explain(found, 10_000)


def test_nothing_that_is_said_of_a_move_changes_with_later_bars(quick):
    bars = market(7, symbols=4, bars=1400, tails=3)
    cut = bars.index[1100]
    found = moves(poisoned(bars, 1100), threshold=3.5)
    then = moves(bars.between(end=cut), threshold=3.5)
    number = int(then.table.index[then.table["known_at"] < bars.index[1000]][0])
    move = then.move(number)
    told, now = explain(then, move), explain(found, move)  # what is of bars before it
    pd.testing.assert_series_equal(told.row, now.row)
    pd.testing.assert_frame_equal(told.attribution.parts, now.attribution.parts)
    pd.testing.assert_frame_equal(told.together.tests, now.together.tests)
    pd.testing.assert_frame_equal(told.analogues.table, now.analogues.table)
    pd.testing.assert_frame_equal(told.analogues.judged, now.analogues.judged)
    again = explain(found, move, end=cut.date())  # what is of all moves known by then
    assert again.summary == told.summary
    pd.testing.assert_frame_equal(again.precursors.table, told.precursors.table)
    assert again.rules.rule == told.rules.rule
    assert again.rules.unseen == told.rules.unseen
    with pytest.raises(BadInput, match="within the bars"):
        explain(found, move, end=bars.index[300])


def test_a_listing_after_the_move_changes_nothing_of_it(desk, quick):
    """FB has fewer than 120 bars in October 2012, too few to count, and 197 at the end of the sample."""
    bars = desk.bars("AAPL,FB,IBM,MSFT,GOOG", start="2009-01-01", end="2013-03-01")
    cut = pd.Timestamp("2012-10-31", tz="UTC")
    found, then = moves(bars, threshold=3.0), moves(bars, threshold=3.0, end=cut)
    assert then.coverage.excluded["symbol"].tolist() == ["FB"]
    assert "FB" in found.bars.symbols
    move = Move("GOOG", "2012-10-18")
    told, now = explain(then, move), explain(found, move)
    pd.testing.assert_series_equal(told.row, now.row)
    pd.testing.assert_frame_equal(told.attribution.parts, now.attribution.parts)
    pd.testing.assert_frame_equal(told.analogues.judged, now.analogues.judged)
    assert explain(found, move, end=cut).summary == told.summary


def test_a_move_of_the_market_is_told_without_parts(quick):
    bars = market(3, symbols=5, bars=1500, tails=4, correlation=0.6)
    found = moves(bars, threshold=3.0, market=True)
    number = int(found.table.index[found.table["symbol"] == "market"][0])
    told = explain(found, number)
    assert told.attribution is None
    assert "It is the market" in told.summary
    assert told.row["scope"] == "market"
    assert told.analogues is not None
    assert set(told.figures()) >= {"What moved", "When before"}
    shared = found.table[(found.table["scope"] == "market") & (found.table["symbol"] != "market")]
    assert found.like(found.move(number))[0].sum() <= len(shared)


def test_one_symbol_without_volume_is_told_by_itself(quick):
    rng = np.random.default_rng(0)
    close = 100 * np.exp((0.01 * rng.standard_t(3, 1500)).cumsum())
    bars = Bars.from_frames(close=pd.Series(close, pd.bdate_range("2010-01-04", periods=1500), name="ONE"))
    told = explain(moves(bars, threshold=3.0), 0)
    assert told.row["scope"] == "alone"
    assert np.isnan(told.row["volume"])
    assert not any("volume" in name and "vola" not in name for name in told.moves.states.names)
    assert "There is no other symbol to compare with" in told.summary
    assert told.attribution.parts["part"].sum() == pytest.approx(told.row["change"], abs=1e-10)
    assert told.after is not None
    assert len(told.figures()["What moved"].data) == 2


def test_a_named_market_says_whose_move_it_was(desk, quick):
    bars = desk.bars("AAPL,IBM,MSFT,GOOG,SP500", end="2013-03-01")
    told = explain(moves(bars), Move("IBM", "2008-10-01", "2008-10-10"), market="SP500")
    assert told.row["scope"] == "market"
    assert told.row["market_part"] == told.attribution.parts.loc["market", "share"]
    assert "Kolari–Pynnönen" in told.said()["With what"]
    assert told.attribution.parts["part"].sum() == pytest.approx(told.row["change"], abs=1e-10)


def test_a_move_too_early_is_refused_with_the_reason(found, stocks):
    with pytest.raises(BadInput, match="20 bars of its symbol before it"):
        explain(found, Move("AAPL", stocks.index[20], stocks.index[22]))
    with pytest.raises(BadInput, match="needs a close before its first bar"):
        explain(found, Move("AAPL", stocks.index[0], stocks.index[2]))
    with pytest.raises(BadParameter, match="within"):
        explain(found, 0, within=0)


def test_nothing_distinguishes_it_is_said(quick):
    bars = market(5, symbols=3, bars=2000, tails=3)
    told = explain(moves(bars), 0)
    assert not told.distinguished
    assert NOTHING in told.summary
