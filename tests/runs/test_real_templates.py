"""The templates that we ship, on the sample: they record what the desk computes, and stay reproducible."""

import json
from pathlib import Path

import pytest

from tapebook.errors import BadParameter, RunFailed, UnknownName

pytestmark = pytest.mark.usefixtures("warm_runs")
TEMPLATES = Path(__file__).parents[2] / "notebooks" / "templates"


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.ipynb")), ids=lambda path: path.stem)
def test_templates_are_clean(path):
    notebook = json.loads(path.read_text())
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert all(not cell.get("outputs") and not cell.get("execution_count") for cell in notebook["cells"])
    assert notebook["cells"][0]["source"][0].startswith("# ")


def test_the_backtest_report_and_its_rerun_on_changed_data(sample_desk):
    params = "fast=20 slow=100"
    run = sample_desk.run("backtest", symbols=["AAPL"], params=params, start="2005", benchmark="SP500")
    assert run.manifest["title"] == "sma_cross on AAPL"
    assert {"coverage", "metrics", "trades", "expectancy"} <= set(run.tables)
    assert list(run.figures) == ["tearsheet"]
    (id,) = run.manifest["results"]
    stored = sample_desk.load(id)
    assert run.metrics == stored.metrics.to_json() | stored.luck().to_json()
    assert sample_desk.catalog.results.get(id).run_id == run.id
    assert run.manifest["snapshot"] == stored.snapshot == sample_desk.lake.snapshot()
    again = sample_desk.backtest(
        "sma_cross", sample_desk.bars("AAPL", start="2005"), fast=20, slow=100, save=False
    )
    assert again.equity.equals(stored.equity)
    page = run.html.read_text()
    assert "What it says" in page
    assert "Verdict: " in page
    assert "were behind by" in page or "were ahead by" in page

    assert sample_desk.same_run(
        "backtest", {"symbols": "AAPL", "params": params, "start": "2005", "benchmark": "SP500"}
    )
    sample_desk.delete("AAPL", start="2008")
    assert not sample_desk.same_run(
        "backtest", {"symbols": "AAPL", "params": params, "start": "2005", "benchmark": "SP500"}
    )
    repeated = sample_desk.rerun(run.id)
    assert repeated.metrics == run.metrics
    assert repeated.manifest["snapshot"] == run.manifest["snapshot"]
    assert repeated.manifest["fingerprints"] == run.manifest["fingerprints"]
    assert sample_desk.catalog.named_snapshots() == {run.manifest["snapshot"]}


def test_the_portfolio_report(sample_desk):
    run = sample_desk.run("portfolio", start="2006", end="2010")
    assert {"contribution", "correlation", "coverage", "metrics"} <= set(run.tables)
    assert list(run.figures) == ["tearsheet", "weights", "contribution", "correlation"]
    parts = sum(m["value"] for name, m in run.metrics.items() if name.startswith("contribution "))
    assert parts == pytest.approx(run.metrics["total_return"]["value"], rel=1e-12)
    assert "GOOG" in run.tables["correlation"].columns


def test_the_sweep_report(sample_desk):
    given = {"settings": "fast=4:12:4 slow=30:60:10 stop_loss=none,0.1", "start": "2005"}
    run = sample_desk.run("sweep", **given)
    assert run.manifest["title"] == "sma_cross under many settings on AAPL"
    assert {"coverage", "best", "luck", "metrics"} <= set(run.tables)
    assert list(run.figures) == ["heatmap", "parallel", "tearsheet"]
    assert run.metrics["combinations"]["value"] == 24
    sw = sample_desk.sweep(
        "sma_cross",
        sample_desk.bars("AAPL", start="2005"),
        fast=[4, 8, 12],
        slow=[30, 40, 50, 60],
        stop_loss=[None, 0.1],
    )
    (id,) = run.manifest["results"]
    assert sample_desk.load(id).metrics["sharpe"].value == pytest.approx(sw.table["sharpe"].max())
    page = run.html.read_text()
    assert "The best of 24: " in page
    assert sw.plateau().partition(":")[0] in page


def test_a_sweep_report_of_nothing_and_of_what_cannot_be_traded_so(sample_desk):
    run = sample_desk.run("sweep", settings="fast=60,70 slow=20,30", where="")
    assert list(run.figures) == []
    assert "Nothing could be ranked" in run.html.read_text()
    given = {"settings": "enter=10:40:10 execution=same_close", "strategy": "donchian_breakout", "where": ""}
    run = sample_desk.run("sweep", search="optuna", trials=3, metric="calmar", **given)
    assert list(run.figures) == ["parallel", "tearsheet"]
    assert run.metrics["combinations"]["value"] == 3
    assert "FILLED AT THE SAME CLOSE" in run.figures["parallel"].layout.title.text
    with pytest.raises(RunFailed, match="'settings' is 'fast': expected NAME=VALUES parted by blanks"):
        sample_desk.run("sweep", settings="fast")


def test_what_goes_wrong_is_said(sample_desk):
    with pytest.raises(UnknownName, match="no parameter named 'symbol'. Did you mean 'symbols'"):
        sample_desk.run("backtest", symbol="AAPL")
    with pytest.raises(BadParameter, match="parameter 'fees' is 'cheap': expected a number"):
        sample_desk.run("backtest", fees="cheap")
    with pytest.raises(BadParameter, match="'timeout' is 0: expected seconds above 0"):
        sample_desk.run("backtest", timeout=0)
    with pytest.raises(RunFailed, match="UnknownName: .*'APPL'.* Did you mean 'AAPL'"):
        sample_desk.run("backtest", symbols="APPL")
