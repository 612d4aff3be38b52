"""A run and a result know the universe they were made with, and whether their bars were revised since."""

import json

import pytest
from click.testing import CliRunner

from tapebook import Desk
from tapebook.cli import main
from tapebook.dashboards.gallery import Summaries, page
from tapebook.dashboards.visible import Visible
from tapebook.errors import UnknownName
from tapebook.integration.documents.render import render
from test_revisions import Revising
from test_secrets import notebook


def command(desk, *words):
    done = CliRunner().invoke(main, ["--home", str(desk.config.home), *words])
    assert done.exit_code == 0, done.output
    return done.stdout


READS = [
    'symbols: str = ""  # names\nstart: str = ""  # first day\nend: str = ""  # last day',
    "from tapebook import Desk, Recorder\n"
    "desk, record = Desk.open(), Recorder.current()\n"
    "bars = desk.bars(symbols, start=start, end=end)\n"
    "record.metrics({'total': float(bars.close.sum().sum()), 'found': len(desk.quality(symbols))})",
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    home = tmp_path_factory.mktemp("universe")
    (home / "notebooks" / "templates").mkdir(parents=True)
    (home / "notebooks" / "templates" / "reads.ipynb").write_text(notebook(READS))
    with Desk.open(home) as desk:
        desk.ingest("sample", "AAPL,IBM")
        desk.save_universe("pair", [("AAPL", None, "2006-06-30"), ("IBM", "2006-01-01", None)])
        yield desk


def test_a_result_keeps_its_universe_and_is_made_again_with_the_same(desk):
    made = desk.backtest("momentum", desk.bars("@pair", start="2005", end="2007"))
    assert made.universe == ("@pair@1",)
    assert "@pair@1 (AAPL, IBM)" in repr(desk.load(made.id))
    assert desk.stale_results() == []
    desk.note("universe:pair", "the same members")
    assert desk.stale_results() == [], "a note changes nobody's membership"
    desk.save_universe(desk.universe("pair").added("AAPL", "2015-01-01", "2015-12-31"))
    assert desk.stale_results() == [], "nor does what lies after its bars"
    desk.save_universe(desk.universe("pair").ended("IBM", "2006-12-31"))
    assert desk.results()["stale"].tolist() == ["members of @pair changed since version 1: IBM"]
    assert desk.stale_results() == [made.id]
    fresh = desk.rerun_result(made.id, now=True)
    assert fresh.universe == ("@pair@4",)
    assert fresh.fingerprint != made.fingerprint
    assert desk.stale_results() == [], "it was made again"
    again = desk.rerun_result(made.id)
    assert (again.universe, again.fingerprint) == (("@pair@1",), made.fingerprint)
    new = desk.backtest("momentum", desk.bars("@pair, AAPL", start="2005", end="2007"), save=False)
    assert new.universe == ("@pair@4", "AAPL")
    assert new.fingerprint != made.fingerprint
    assert desk.universe("@pair@1").asof("2007-01-03").symbols == ["IBM"]
    with pytest.raises(UnknownName, match="no version of the universe pair named '7'"):
        desk.universe("pair@7")
    record = json.loads(command(desk, "results", "show", made.id, "--json"))
    assert record["universe"] == ["@pair@1"]


def test_a_deleted_universe_leaves_its_versions(desk):
    desk.save_universe("gone", ["AAPL"])
    desk.delete_universe("gone")
    assert desk.save_universe("gone", ["IBM"]).version == 2
    assert desk.universe("gone@1").symbols == ["AAPL"]


def test_runs_say_what_was_revised_under_them_and_are_made_again(desk):
    run = desk.run("reads", symbols="@pair", start="2005", end="2007")
    version = desk.universe("pair").version
    assert run.manifest["universes"]["pair"] == version
    assert f"@pair@{version}" in run.html.read_text()
    assert dict(render(run.folder, "x", browser=False).facts)["universes"] == f"@pair@{version}"
    desk.save_universe(desk.universe("pair").added("AAPL", "2007-02-01", "2007-12-31"))
    same = desk.rerun(run.id)
    assert same.metrics == run.metrics  # the universe as it was
    assert desk.same_run("reads", run.manifest["parameters"]) is None
    told = f"members of @pair changed since version {version}: AAPL"
    assert desk.runs()["stale"].tolist() == [told, told], "both read the universe as it was"
    desk.delete_run(same.id)
    assert desk.stale_runs() == [run.id]
    desk.ingest(Revising({"2006-03-01": 1.001, "2012-03-01": 1.001}), "IBM")
    assert desk.runs()["stale"][0].startswith("2 bars of IBM revised by snapshot")
    assert desk.runs()["stale"][0].endswith(f"; {told}")
    assert desk.stale_runs() == [run.id]
    card = page(Visible(desk.config, everything=True), Summaries(desk.config.reports))
    assert "2 bars of IBM revised by snapshot" in card
    assert command(desk, "runs", "rerun", "--stale").count("succeeded") == 1
    new, old = json.loads(command(desk, "runs", "list", "--json"))
    assert (new["stale"], new["rerun_of"], bool(old["stale"])) == ("", run.id, True)
    again = desk.load_run(new["id"])
    assert again.manifest["universes"]["pair"] == version + 1
    assert again.metrics["total"] != run.metrics["total"]
    assert desk.stale_runs() == []  # it was made again
