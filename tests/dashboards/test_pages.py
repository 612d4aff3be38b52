"""The dashboards as objects: what they show, what they survive, and what they do not import."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dashboards.records_made import make_run
from tapebook.config import Config
from tapebook.dashboards import figures, look
from tapebook.dashboards.gallery import Summaries, page
from tapebook.dashboards.records import find, records
from tapebook.dashboards.run_page import run_page
from tapebook.dashboards.visible import Visible

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path):
    config = Config.load(tmp_path)
    config.reports.mkdir()
    make_run(config.reports, "one", days=0)
    make_run(config.reports, "two", strategy="momentum", symbols="AAPL,MSFT", template="portfolio", days=1)
    error = {"cell": 4, "name": "ValueError", "message": "no <b>bars</b>", "traceback": "…"}
    make_run(config.reports, "three", symbols="IBM", outcome="failed", error=error, days=2)
    return config


def texts(widget):
    """Every text that a tree of widgets shows."""
    if hasattr(widget, "children"):
        return " ".join(texts(child) for child in widget.children)
    value = getattr(widget, "value", "")
    return value if isinstance(value, str) else ""


def gallery(config, asked=""):
    """The owner's gallery, as HTML."""
    return page(Visible(config, everything=True), Summaries(config.reports), asked)


def control(widget, name):
    if getattr(widget, "description", None) == name:
        return widget
    found = (control(child, name) for child in getattr(widget, "children", ()))
    return next((w for w in found if w is not None), None)


def test_the_gallery_lists_newest_first_and_finds(config):
    text = gallery(config)
    newest_first = [text.index(f"{name}</a>") for name in ("on IBM", "momentum on AAPL,MSFT", "on AAPL")]
    assert newest_first == sorted(newest_first)
    assert "<dt>total return</dt><dd>42.11%</dd>" in text
    assert text.count('class="tb-card"') == 3
    found = gallery(config, "msft portfolio")
    assert "momentum" in found
    cards = found.split('class="tb-card"')[1:]
    assert len(cards) == 3, "the others come back when the words are taken out"
    assert ["momentum" in card for card in cards] == ["hidden style" not in card for card in cards]
    assert "1 report<" in found
    assert "failed: ValueError: no &lt;b&gt;bars&lt;/b&gt;" in gallery(config, "failed")
    assert gallery(config, "nothing of it").count("hidden style") == 3


def test_an_empty_desk_says_what_to_do(tmp_path):
    assert "tapebook run backtest" in gallery(Config.load(tmp_path))
    assert "no reports yet" in texts(run_page(Config.load(tmp_path)))


def test_a_run_shows_everything_it_recorded(config):
    text = texts(run_page(config, "one"))
    for said in (
        "sma_cross on AAPL",
        "42.11%",
        "annualised, 252",
        "snapshot 3",
        "c0ffee",
        "not committed",
        "pandas 3.1.1",
    ):
        assert said in text, said
    assert "–" in look.number({"value": None, "unit": "ratio"})


def test_the_address_names_the_run(config, monkeypatch):
    monkeypatch.setenv("QUERY_STRING", "run=two")
    assert "momentum" in texts(run_page(config))
    monkeypatch.setenv("QUERY_STRING", "")
    assert "sma_cross on IBM" in texts(run_page(config)), "the newest"


@pytest.mark.parametrize("id", ["nothing", "../one", "", "one/..", "<script>"])
def test_an_unknown_run_is_a_sentence_and_never_leads_out(config, id):
    text = texts(run_page(config, id))
    assert "There is no report" in text or "There are no reports" in text
    assert "<script>" not in text


def test_a_failed_run_says_why_and_everything_is_escaped(config):
    text = texts(run_page(config, "three"))
    assert "ValueError" in text
    assert "no &lt;b&gt;bars&lt;/b&gt;" in text
    make_run(config.reports, "evil", title="<script>alert(1)</script>", symbols="<img src=x>")
    assert "<script>alert" not in texts(run_page(config, "evil")) + gallery(config)
    assert "<img src=x>" not in texts(run_page(config, "evil")) + gallery(config)


@pytest.mark.parametrize(
    "name", ["manifest.json", "metrics.json", "figures/equity.json", "tables/trades.parquet"]
)
@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "\0\1"])
def test_a_broken_record_shows_its_reason(config, name, content):
    (config.reports / "one" / name).write_text(content)
    text = texts(run_page(config, "one")) + gallery(config)
    assert "Traceback" not in text
    if content != "[1, 2]":
        assert "cannot be read" in text


JUNK = [None, 7, 1.5, float("inf"), True, "", "<b>", [], [None], [{}], [[1]], {"a": 1}]


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_values_of_any_type_are_survived(config, junk):
    """One odd record must not take the gallery with it."""
    folder = config.reports / "one"
    manifest, metrics = (json.loads((folder / f"{n}.json").read_text()) for n in ("manifest", "metrics"))
    asked = dict.fromkeys(("strategy", "symbols"), junk)
    told = {"parameters": asked, "error": asked, "verdict": {"verdict": junk, "reasons": [junk]}}
    for odd in (dict.fromkeys(manifest, junk), manifest | told):
        (folder / "manifest.json").write_text(json.dumps(odd))
        assert gallery(config)
        assert run_page(config, "one")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for odd in (dict.fromkeys(metrics, junk), {n: dict.fromkeys(m, junk) for n, m in metrics.items()}):
        (folder / "metrics.json").write_text(json.dumps(odd))
        assert gallery(config)
        assert run_page(config, "one")


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_figures_of_any_type_are_drawn_or_said(config, junk):
    file = config.reports / "one" / "figures" / "equity.json"
    (file.parent / "drawdown.json").unlink()
    trace = json.loads(file.read_text())["data"][0] | {"x": ["2020-01-01", "2020-01-02"], "y": [1, 2]}
    packed = {"dtype": "f8", "bdata": "AAAAAAAA8D8="}
    odd = [junk, {"data": junk}, {"data": [junk]}, {"data": [trace], "layout": junk}]
    odd += [{"data": [trace | {name: junk}]} for name in trace]
    odd += [{"data": [trace | {"y": packed | {name: junk}}]} for name in packed]
    odd += [{"data": [trace | {"x": ["2010-01-01", junk]}]}, {"data": [trace | {"x": ["2010-13-45"] * 2}]}]
    for figure in odd:
        file.write_text(json.dumps(figure))
        page = run_page(config, "one")
        drawn = [w for w in walk(page) if type(w).__name__ == "Chart"]
        assert drawn or "cannot be read" in texts(page)


def test_a_broken_figure_leaves_no_slider_for_the_one_before(config):
    (config.reports / "one" / "figures" / "drawdown.json").write_text("{")
    (config.reports / "one" / "figures" / "equity.json").rename(
        config.reports / "one" / "figures" / "tearsheet.json"
    )
    shown = run_page(config, "one")
    control(shown, "figure").value = "drawdown"
    assert "drawdown cannot be read" in texts(shown)
    assert control(shown, "from, to").layout.display == "none"


def test_a_span_keeps_each_mark_with_its_point_and_the_whole_last_day():
    x = ["2020-01-01 09:30", "2020-01-02 09:30", "2020-01-03 09:30", "2020-01-03 16:00"]
    marks = {"symbol": ["a", "b", "c", "d"], "size": 7}
    trace = {"type": "scatter", "x": x, "y": [1, 2, 3, 4], "marker": marks}
    layout = {"xaxis": {"type": "date"}}
    made = figures.cut({"data": [trace], "layout": layout}, "2020-01-02", "2020-01-03")
    assert made["data"][0]["y"] == [2, 3, 4]
    assert made["data"][0]["marker"] == {"symbol": ["b", "c", "d"], "size": 7}
    assert made["layout"]["xaxis"]["range"] == ["2020-01-02", "2020-01-04"]
    assert trace["marker"]["symbol"] == ["a", "b", "c", "d"], "the recorded figure is not touched"


def test_the_controls_change_the_chart(config):
    shown = run_page(config, "one")
    chart = lambda: [w for w in walk(shown) if type(w).__name__ == "Chart"][0]  # noqa: E731
    assert len(chart().figure["data"][0]["x"]) == 900
    control(shown, "figure").value = "equity"
    between = control(shown, "from, to")
    between.value = ("2010-06-01", "2011-01-01")
    x = chart().figure["data"][0]["x"]
    assert (x[0], x[-1]) == ("2010-06-01", "2011-01-01")
    between.value = ("2010-01-01", "2012-06-18")
    assert len(chart().figure["data"][0]["x"]) == 900, "back to the whole"


def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def test_a_cell_of_few_words_keeps_its_line_and_one_of_many_has_room():
    shown = look.table(("kind", "why"), [("single name", "moved +46.4%, like a split of 1 for 1.5")])
    assert '<td class="day">single name</td><td class="words">moved' in shown
    assert "<thead>" not in look.table(("", ""), [("run", "<b>x</b>")]), "no row without words"


def test_a_page_of_another_kind_of_run_says_so(config, monkeypatch):
    from tapebook.dashboards.sweep_page import sweep_page

    monkeypatch.setenv("TAPEBOOK_PAGE", "sweep")
    monkeypatch.setenv("TAPEBOOK_SHOWN", "two")
    assert "This is no sweep, but a run of portfolio." in texts(sweep_page(config))


def test_tables_have_pages(config):
    shown = run_page(config, "one")
    before = texts(shown)
    control(shown, "page").value = 3
    assert texts(shown) != before


def test_a_table_begins_with_what_a_row_is_about(config):
    import pandas as pd

    table = config.reports / "one" / "tables" / "coverage.parquet"
    pd.DataFrame({"bars": [7]}, index=pd.Index(["AAPL"], name="symbol")).to_parquet(table)
    text = texts(run_page(config, "one"))
    assert text.index("<th>symbol</th>") < text.index("bars</th>")
    table.rename(table.with_name("metrics.parquet"))
    assert "bars</th>" not in texts(run_page(config, "one")), "the metrics are shown once"


def test_typed_arrays_are_read(tmp_path):
    import numpy as np
    import plotly.graph_objects as go

    figure = go.Figure(go.Scatter(x=["2020-01-01", "2020-01-02"], y=np.array([1.5, np.nan])))
    (tmp_path / "f.json").write_text(figure.to_json())
    read = figures.load(tmp_path / "f.json")
    assert read["data"][0]["y"] == [1.5, None]
    assert figures.span(read) == ("2020-01-01", "2020-01-02")
    json.dumps(figures.cut(read, "2020-01-02", "2020-01-02"))


def test_records_are_found(config):
    assert [r.id for r in records(config.reports)] == ["three", "two", "one"]
    assert find(config.reports, "two").symbols == ("AAPL", "MSFT")


def test_a_span_is_cut_in_the_chart_that_is_there(config):
    """A new widget for each move of the slider would send plotly's five megabytes each time."""
    shown = run_page(config, "one")
    chart = lambda: next(w for w in walk(shown) if type(w).__name__ == "Chart")  # noqa: E731
    before = chart()
    control(shown, "from, to").value = ("2010-06-01", "2011-01-01")
    assert chart() is before
    assert before.figure["layout"]["xaxis"]["range"] == ["2010-06-01", "2011-01-01"]


def test_dashboards_import_no_engine_and_no_pandas(config):
    code = (
        "import sys\nfrom tapebook.config import Config\n"
        "from tapebook.dashboards.run_page import run_page\nrun_page(Config.load())\n"
        "slow = {'vectorbt', 'numba', 'scipy', 'pandas', 'duckdb', 'sqlalchemy', 'plotly'}\n"
        "print(*sorted(slow & set(sys.modules)))"
    )
    environment = {"TAPEBOOK_HOME": str(config.home), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_the_verdict_is_in_the_gallery_and_on_the_page_with_its_reasons(config):
    said = {"verdict": "no evidence", "reasons": ["Its Sharpe ratio could be 0 or less.", "1 < 2 trials."]}
    make_run(config.reports, "judged", days=9, verdict=said)
    assert "✗ no evidence" in gallery(config)
    page = texts(run_page(config, "judged"))
    assert "✗ no evidence</span> Its Sharpe ratio could be 0 or less. 1 &lt; 2 trials." in page
