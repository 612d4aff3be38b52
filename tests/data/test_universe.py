"""Universes: dates of membership, files, versions, and bars that are missing while a symbol is no member."""

import itertools
import json
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tapebook import Desk
from tapebook.cli import main
from tapebook.data.universe import Universe, read_members
from tapebook.errors import BadInput, BadParameter, TapebookError, UnknownName

MEMBERS = [("AAPL", None, "2004-12-31"), ("AAPL", "2006-01-01", None), ("GOOG", "2005-06-01", None), "IBM"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with Desk.open(tmp_path_factory.mktemp("universe")) as desk:
        desk.ingest("sample", "AAPL,GOOG,IBM,MSFT")
        yield desk


def test_members_are_those_of_the_day():
    universe = Universe.of("three", MEMBERS)
    assert universe.symbols == ["AAPL", "GOOG", "IBM"]
    assert universe.asof("2004-12-31").symbols == ["AAPL", "IBM"]
    assert universe.asof("2005-01-01").symbols == ["IBM"]
    assert universe.asof(date(2006, 1, 1)).symbols == ["AAPL", "GOOG", "IBM"]


@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=5)
)
def test_the_mask_is_the_slow_way(spans):
    day = date(2020, 1, 1)
    members = [(s, day + timedelta(days=a), day + timedelta(days=b)) for s, a, b in spans]
    wrong = any(b < a for _, a, b in spans) or any(
        x[0] == y[0] and x[1] <= y[2] and y[1] <= x[2] for x, y in itertools.combinations(spans, 2)
    )
    if wrong:
        with pytest.raises(BadInput):
            Universe.of("u", members)
        return
    index = pd.date_range("2020-01-01", periods=45, tz="UTC")
    slow = [[any(s == n and a <= t.date() <= b for n, a, b in members) for s in "AB"] for t in index]
    assert np.array_equal(Universe.of("u", members).mask(index, ["A", "B"]), slow)


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ([], "no members"),
        ([("A", "2020-02-01", "2020-01-01")], "leaves on 2020-01-01, before it comes"),
        ([("A", None, "2020-02-01"), ("A", "2020-02-01", None)], "twice at once"),
        (["A", "A"], "twice at once"),
        ([("A", "soon", None)], "'soon' is no date"),
        ([""], "no symbol"),
        (["@other"], "no symbol"),
        ([3.5], "no member"),
    ],
)
def test_wrong_members_are_refused(members, told):
    with pytest.raises(BadInput) as caught:
        Universe.of("u", members)
    assert told in str(caught.value)
    with pytest.raises(BadParameter):
        Universe.of("a name", ["A"])


def test_a_file_names_its_wrong_line(tmp_path):
    file = tmp_path / "m.csv"
    file.write_text("Symbol,Since,Until\nAAPL,2001-01-01,\nIBM,never,\n")
    with pytest.raises(BadInput, match=r"m\.csv, line 3: 'never' is no date"):
        read_members(file)
    file.write_text("ticker\nAAPL\n")
    with pytest.raises(BadInput, match="expected symbol, since, until"):
        read_members(file)


def test_bars_outside_of_the_membership_are_missing(desk):
    desk.save_universe("three", MEMBERS, note="a test")
    bars, whole = desk.bars("@three,MSFT"), desk.bars("AAPL,GOOG,IBM,MSFT")
    assert list(bars.symbols) == ["AAPL", "GOOG", "IBM", "MSFT"]
    assert bars.close["AAPL"].loc["2005"].isna().all()
    assert bars.close["GOOG"].loc[:"2005-05-31"].isna().all()
    for name in ("IBM", "MSFT"):
        pd.testing.assert_series_equal(bars.close[name], whole.close[name])
    inside = bars.close["AAPL"].loc["2006":]
    pd.testing.assert_series_equal(inside, whole.close["AAPL"].loc["2006":])
    assert list(desk.bars("@three", start="2005-01-03", end="2005-05-01").symbols) == ["IBM"]


def test_a_member_without_bars_is_told_and_not_left_out(desk):
    desk.save_universe("wide", ["AAPL", "ZZZZ"])
    with pytest.raises(TapebookError, match="ZZZZ"):
        desk.bars("@wide")
    with pytest.raises(UnknownName, match="Did you mean 'wide'"):
        desk.bars("@wde")


def test_a_lost_update_is_refused(desk):
    desk.save_universe("shared", ["AAPL"])
    mine, theirs = desk.universe("shared"), desk.universe("shared")
    assert desk.save_universe(theirs.added("IBM", "2001-01-01")).version == 2
    with pytest.raises(BadInput, match="read it again"):
        desk.save_universe(mine.added("MSFT"))
    assert desk.universe("shared").symbols == ["AAPL", "IBM"]
    desk.delete_universe("shared")
    with pytest.raises(BadInput, match="saved as version none"):
        desk.save_universe(theirs)


def test_the_command_line(tmp_path):
    def call(*words):
        done = CliRunner().invoke(main, ["--home", str(tmp_path), "universe", *words])
        return done.exit_code, done.output

    (tmp_path / "m.csv").write_text("symbol,since\nAAPL,2001-01-01\nIBM,\n")
    assert call("save", "u", str(tmp_path / "m.csv")) == (0, "@u saved, version 1: 2 symbols\n")
    assert call("add", "u", "MSFT", "--since", "2003-01-01") == (0, "@u saved, version 2: 3 symbols\n")
    assert call("end", "u", "AAPL", "--until", "2002-01-01")[0] == 0
    rows = json.loads(call("show", "u", "--asof", "2004-01-01", "--json")[1])
    assert [row["symbol"] for row in rows] == ["IBM", "MSFT"]
    assert json.loads(call("list", "--json")[1])[0]["version"] == 3
    assert call("delete", "u", "--yes")[0] == 0
    code, told = call("show", "u")
    assert code == 1
    assert "universe 'u' was deleted by" in told
