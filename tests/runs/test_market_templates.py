"""The reports of the market scans, on part of the sample: what they record, and what is new the next time."""

import json
import re

import pytest

from tapebook.errors import RunFailed

pytestmark = pytest.mark.usefixtures("warm_runs")


def said(run):
    return re.sub(r"<script.*?</script>", "", run.html.read_text(), flags=re.S)


def test_the_report_of_trends_and_the_next_one(sample_desk):
    given = {"symbols": "AAPL,IBM", "start": "2005", "horizons": "20,60", "rows": 1}
    run = sample_desk.run("trends", end="2011", **given)
    assert run.manifest["title"] == "Trends of AAPL, IBM"
    assert {"board", "breaks", "coverage", "findings"} <= set(run.tables)
    assert next(iter(run.figures)) == "board"
    assert len(run.figures) == 2
    assert "is the first of its kind" in said(run)
    (row,) = sample_desk.scans("trends").to_dict("records")
    assert row["run_id"] == run.id
    assert run.metrics["questions"]["value"] == row["asked"]
    assert run.metrics["findings"]["value"] == run.tables["findings"]["holds"].sum() == row["held"]

    later = sample_desk.run("trends", end="2012", **given)
    assert f"Since {row['id']} (bars to 2011-12-30): " in said(later)
    assert "changed" in later.tables
    assert {"new", "broke"} <= set(later.metrics)
    again = sample_desk.rerun(later.id)
    assert again.metrics == later.metrics


def test_the_report_of_correlations(sample_desk):
    given = {"symbols": "AAPL,GOOG,IBM,MSFT", "start": "2009", "lags": 1, "window": 120, "pairs": 1}
    run = sample_desk.run("correlations", **given)
    assert {"findings", "clusters", "spanning_tree", "rolling", "breaks", "cointegration"} <= set(run.tables)
    assert {"heatmap", "network", "eigenvalues", "spread"} <= set(run.figures)
    assert sum(name.startswith("pair ") for name in run.figures) == 1
    assert set(sample_desk.scans()["kind"]) == {"correlations", "cointegration"}
    heatmap = json.loads((run.folder / "figures" / "heatmap.json").read_text())
    assert len(heatmap["frames"]) > 5
    assert '"frames"' in run.html.read_text()


def test_the_report_of_patterns(sample_desk):
    given = {"symbols": "AAPL", "kinds": "gaps,volume", "horizons": "1", "rows": 1}
    run = sample_desk.run("patterns", level=0.2, **given)
    assert {"findings", "recent", "ideas"} <= set(run.tables)
    assert run.tables["ideas"]["command"][0].startswith(
        "tapebook backtest on_pattern AAPL --pattern 'gap down"
    )
    assert len(run.figures) == 1
    with pytest.raises(RunFailed, match="no kind of pattern named 'gap'. Did you mean 'gaps'"):
        sample_desk.run("patterns", symbols="AAPL", kinds="gap")


def test_the_report_of_moves(sample_desk):
    run = sample_desk.run("moves", symbols="AAPL,IBM,MSFT", start="2000", end="2009", series="WTI", pages=1)
    assert {"moves", "explained", "coverage"} <= set(run.tables)
    assert {"moves of AAPL", "move 000 What moved", "move 000 With what"} <= set(run.figures)
    first = run.tables["moves"].iloc[0]
    assert (first["symbol"], f"{first['start']:%Y-%m-%d}", first["scope"]) == (
        "AAPL",
        "2000-09-29",
        "single name",
    )
    assert run.tables["explained"]["summary"][0].startswith("AAPL fell 51.9% on 2000-09-29")
    assert "AAPL on 2000-09-29" in said(run)
