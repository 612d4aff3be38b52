"""The doors of the market scans: the desk's verbs, the command line, and what is kept of them."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from tapebook import Desk
from tapebook.cli import main
from tapebook.cli.settings import read, settings_of
from tapebook.data import synthetic
from tapebook.desk.scans import KINDS
from tapebook.errors import BadInput, BadParameter, NoData, UnknownName
from tapebook.market.correlation.correlations import correlations
from tapebook.market.move.moves import Move

THREE = "AAPL,IBM,MSFT"
QUICK = {
    "trends": {"horizons": (20,)},
    "correlations": {"lags": 1},
    "cointegration": {},
    "patterns": {"kinds": ("gaps",), "horizons": (1,)},
    "moves": {},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_scan_is_kept_and_comes_back(sample_desk, kind):
    bars = sample_desk.bars(THREE, start="2009")
    found = getattr(sample_desk, kind)(bars, **QUICK[kind])
    row = sample_desk.catalog.scans.get(found.id)
    assert (row.kind, row.symbols, row.snapshot) == (kind, THREE.split(","), bars.snapshot)
    assert (row.summary, row.coverage) == (found.summary, found.coverage.share)
    stored = sample_desk.findings(found.id)
    table = found.table if kind == "moves" else found.findings
    pd.testing.assert_frame_equal(stored[table.columns], table, check_names=False, check_freq=False)
    assert row.held == stored["holds"].sum()
    assert row.asked >= len(stored["p"].dropna())
    assert list(sample_desk.scans(kind)["id"]) == [found.id]
    sample_desk.delete_scan(found.id)
    assert sample_desk.scans().empty
    sample_desk.restore(found.id)
    pd.testing.assert_frame_equal(sample_desk.findings(found.id), stored)
    sample_desk.delete_scan(found.id)
    sample_desk.empty_trash(older_than=0)
    assert not (sample_desk.config.results / found.id).exists()


def test_what_is_not_to_be_kept_leaves_nothing(sample_desk):
    found = sample_desk.trends("AAPL", horizons=(20,), save=False)
    assert sample_desk.scans().empty
    assert "id" not in found.__dict__


def test_what_is_new_since_the_market_was_younger(sample_desk):
    with pytest.raises(
        NoData, match="there is no stored scan yet: run one, for example `tapebook scan moves`"
    ):
        sample_desk.changed(kind="moves")
    first = sample_desk.moves(sample_desk.bars("AAPL,IBM", end="2008-08"))
    with pytest.raises(NoData, match=f"{first.id} is the first of its kind"):
        sample_desk.changed()
    now = sample_desk.moves(sample_desk.bars("AAPL,IBM", end="2009-06"))
    again = sample_desk.moves(sample_desk.bars("AAPL,IBM", end="2009-06"), min_coverage=0.2)
    other = sample_desk.moves(sample_desk.bars("AAPL,IBM", end="2009-06"), threshold=6.0)
    for id in (now.id, again.id):
        told = sample_desk.changed(id)
        assert (told.attrs["now"], told.attrs["before"]) == (id, first.id)
    assert told.attrs["summary"].startswith(f"Since {first.id} (bars to 2008-08-29): ")
    new = told[told["status"] == "new"]
    assert len(new)
    assert (new["start"] > pd.Timestamp("2008-07", tz="UTC")).all()
    settled = first.table[~first.table["open"].astype(bool)]
    assert len(told[told["status"] == "holds"]) >= len(settled)
    with pytest.raises(NoData):
        sample_desk.changed(other.id)
    assert set(sample_desk.changed(other.id, first.id)["status"]) >= {"gone"}


def test_a_correlation_that_still_holds_over_more_bars_is_the_same_finding(sample_desk):
    sample_desk.correlations(sample_desk.bars("AAPL,IBM,MSFT", start="2005", end="2010"))
    now = sample_desk.correlations(sample_desk.bars("MSFT,IBM,AAPL", start="2005", end="2012"))
    told = sample_desk.changed(now.id)
    assert list(told["status"]) == ["holds"] * 3
    assert told["before"].notna().all()


def test_a_revised_bar_is_a_younger_market_too(sample_home):
    with Desk.open(sample_home) as desk:
        first = desk.trends("AAPL,IBM", horizons=(20,))
        desk.delete("IBM", start="2012", end="2012-03")
        second = desk.trends("AAPL,IBM", horizons=(20,))
        assert desk.changed().attrs["before"] == first.id
        assert desk.catalog.named_snapshots() == {first.snapshot, second.snapshot}


def test_scans_of_two_kinds_do_not_compare(sample_desk):
    a = sample_desk.trends("AAPL", horizons=(20,))
    b = sample_desk.moves("AAPL")
    with pytest.raises(BadInput, match=f"{b.id} is a scan of moves, {a.id} of trends"):
        sample_desk.changed(b.id, a.id)
    with pytest.raises(UnknownName, match="Did you mean 'trends'"):
        sample_desk.scans("trend")


def test_a_setting_that_no_scan_has_is_named(sample_desk):
    with pytest.raises(UnknownName, match="no setting named 'horizon'. Did you mean 'horizons'"):
        sample_desk.trends("AAPL", horizon=20)
    with pytest.raises(UnknownName, match="Did you mean 'within'"):
        sample_desk.explain(("AAPL", "2000-09-29"), "AAPL", withn=5)


def test_a_finding_is_a_backtest_in_one_call(sample_desk):
    found = sample_desk.patterns("AAPL", kinds=("gaps",), horizons=(1,))
    ideas = found.ideas()
    assert list(ideas["strategy"]) == ["on_pattern"] * len(found.found)
    idea = found.idea(0)
    bt = sample_desk.backtest(idea, save=False)
    assert (bt.strategy, bt.params) == ("on_pattern", idea.params)
    assert bt.symbols == ("AAPL",)
    assert sample_desk.backtest(idea, sample_desk.bars("AAPL,IBM"), save=False).fingerprint == bt.fingerprint
    assert sample_desk.backtest(idea, "IBM", hold=3, save=False).symbols == ("IBM",)
    words = ideas["command"][0].removeprefix("tapebook ")
    assert words == f"backtest on_pattern AAPL --pattern '{idea.params['pattern']}' --hold 1 --side short"
    with pytest.raises(BadInput, match="backtest sma_cross: on what"):
        sample_desk.backtest("sma_cross")


def test_a_move_is_explained_by_its_day(sample_desk):
    told = sample_desk.explain(("AAPL", "2000-09-29"), "AAPL,IBM,MSFT")
    assert told.move == Move("AAPL", *[pd.Timestamp("2000-09-29", tz="UTC")] * 2)
    assert told.row["scope"] == "single name"
    assert sample_desk.scans().empty
    autumn = sample_desk.explain(("AAPL", "2008-09-15", "2008-11-20"), told.moves)
    assert autumn.row["scope"] == "market"
    with pytest.raises(NoData, match="AAPL has no bar from 2014-01-01 to 2014-01-01: its bars go from"):
        sample_desk.explain(("AAPL", "2014-01-01"), told.moves)
    with pytest.raises(UnknownName, match="AAPL"):
        sample_desk.explain(("APPL", "2000-09-29"), told.moves)


def test_rules_that_were_tried_are_counted_and_the_chosen_one_is_traded(tmp_path):
    made = synthetic.precursors(symbols=3, seed=2).bars
    with Desk.open(tmp_path) as desk:
        found = desk.moves(made, save=False)
        up = found.table.index[found.table["direction"] == "up"][0]
        told = desk.explain(up, found, within=5)
        tried = desk.trials(batches=True)
        assert list(tried["kind"]) == ["rules"]
        assert tried["count"][0] == told.rules.tried > 1
        assert desk.backtest(told.idea(), made, save=False).params["rule"] == told.rules.rule


def test_series_are_those_of_the_snapshot_of_the_bars(sample_home):
    with Desk.open(sample_home) as desk:
        bars = desk.bars("AAPL,IBM", start="2005")
        before = desk.moves(bars, series="WTI", save=False)
        desk.delete("WTI", start="2006", end="2009")
        after = desk.moves(bars, series="WTI", save=False)
    names = [name for name in before.states.names if name.startswith("wti")]
    assert names
    for name in names:
        np.testing.assert_array_equal(before.states[name], after.states[name])


# ---- the command line


@pytest.fixture
def cli(sample_home):
    def call(*args, code=0):
        done = CliRunner().invoke(main, ["--home", str(sample_home), *args])
        assert done.exit_code == code, done.output
        return done

    return call


def test_scans_on_the_command_line(cli):
    span = (THREE, "--start", "2009")
    early = json.loads(cli("scan", "moves", *span, "--end", "2011", "--json").stdout)
    told = cli("scan", "moves", *span)
    assert "moves of 4 deviations or more" in told.stdout
    assert "kept as sc-" in told.stderr
    listed = json.loads(cli("scans", "list", "--json").stdout)
    assert [row["kind"] for row in listed] == ["moves", "moves"]
    assert f"Since {early['id']} (bars to 2011-12-30)" in cli("scans", "changed").stdout
    assert {"new", "holds"} <= {row["status"] for row in json.loads(cli("scans", "changed", "--json").stdout)}
    shown = json.loads(cli("scans", "show", early["id"], "--json").stdout)
    assert shown["findings"] == early["findings"]
    assert "AAPL" in cli("scans", "show", early["id"]).stdout
    cli("scans", "delete", *[row["id"] for row in listed], "--yes")
    assert "no scan yet" in cli("scans", "list").stderr


@pytest.mark.parametrize("kind", ["trends", "correlations", "cointegration", "patterns"])
def test_each_kind_of_scan_is_a_command_whose_settings_are_options(cli, kind):
    words = [
        word
        for name, value in QUICK[kind].items()
        for word in (f"--{name}", ",".join(map(str, value)) if isinstance(value, tuple) else str(value))
    ]
    made = json.loads(
        cli("scan", kind, "AAPL", "IBM", *words, "--no-save", "--level", "0.2", "--json").stdout
    )
    assert made["findings"]
    assert made["id"] is None
    assert "0.2" in made["summary"] or "20%" in made["summary"]
    assert "--min-coverage" in cli("scan", kind, "--help").stdout


def test_a_move_is_explained_on_the_command_line(cli, sample_home):
    asked = ("explain", "AAPL", "2000-09-29", "--among", THREE)
    said = json.loads(cli(*asked, "--json").stdout)
    assert said["move"]["scope"] == "single name"
    assert sum(row["part"] for row in said["parts"]) == pytest.approx(said["move"]["change"], abs=1e-10)
    page = sample_home / "why.html"
    told = cli(*asked, "--page", str(page)).stdout
    assert "AAPL fell 51.9% on 2000-09-29" in page.read_text()
    assert "AAPL fell 51.9% on 2000-09-29" in told
    assert "what came before, the likeliest first" in told


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("scan", "trend"), "no kind of scan named 'trend'. Did you mean 'trends'?"),
        (("scan", "trends", "APPL"), "Did you mean 'AAPL'?"),
        (("scan", "correlations", "AAPL", "--lag", "2"), "Did you mean 'lags'?"),
        (("scan", "correlations", "AAPL", "--lags", "two"), "'lags' is 'two': expected a whole number"),
        (("scan", "correlations", "AAPL,IBM", "--method", "pearso"), "'method' is 'pearso': expected one of"),
        (("scans", "show", "nothing"), "nothing"),
        (("scans", "delete", "nothing", "-y"), "nothing"),
        (("explain", "AAPL", "1999-01-04", "--among", "AAPL"), "AAPL has no bar from 1999-01-04"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else "",
)
def test_errors_say_what_was_meant(cli, args, said):
    done = cli(*args, code=1)
    assert said in done.stderr
    assert "Traceback" not in done.output


def test_words_are_read_as_the_settings_are_declared():
    words = {"lags": "3", "windows": "250,none", "halflife": "none", "level": "0.1", "method": "spearman"}
    assert read(correlations, words) == {
        "lags": 3,
        "windows": (250, None),
        "halflife": None,
        "level": 0.1,
        "method": "spearman",
    }
    assert not {"factors", "end", "bars"} & set(settings_of(correlations))
    with pytest.raises(BadParameter, match="'windows' is 'wide': expected a whole number"):
        read(correlations, {"windows": "wide"})
