"""Pages of market scans: a figure that moves has a slider, moves have an explorer."""

import json
from datetime import UTC, datetime

import pandas as pd
import pytest

from dashboards.records_made import make_run, write_figure
from dashboards.test_pages import control, texts
from tapebook.config import Config
from tapebook.dashboards import figures
from tapebook.dashboards.chart import Chart
from tapebook.dashboards.correlation_page import correlation_page
from tapebook.dashboards.run_page import run_page


@pytest.fixture
def config(tmp_path):
    config = Config.load(tmp_path)
    config.reports.mkdir()
    return config


HEATMAP = {
    "data": [{"type": "heatmap", "z": [[1, 0], [0, 1]], "x": ["A", "B"], "y": ["A", "B"]}],
    "layout": {"sliders": [{"steps": []}], "xaxis": {"type": "category"}},
    "frames": [
        {"name": "all rows", "data": [{"type": "heatmap", "z": [[1, 0], [0, 1]]}]},
        {"name": "2008-10-01", "data": [{"type": "heatmap", "z": [[1, 0.9], [0.9, 1]]}]},
    ],
}


def test_a_figure_with_frames_has_a_slider_in_words(config):
    folder = make_run(config.reports, "one")
    (folder / "figures" / "heatmap.json").write_text(json.dumps(HEATMAP))
    shown = run_page(config, "one")
    control(shown, "figure").value = "equity"
    assert control(shown, "when").layout.display == "none"
    control(shown, "figure").value = "heatmap"
    when = control(shown, "when")
    assert when.layout.display is None
    assert control(shown, "from, to").layout.display == "none"
    assert list(when.options) == ["all rows", "2008-10-01"]
    chart = chart_of(shown)
    when.index = 1
    assert chart.figure["data"][0]["z"] == [[1, 0.9], [0.9, 1]]
    assert chart.figure["data"][0]["x"] == ["A", "B"]
    when.index = 0
    assert chart.figure["data"][0]["z"] == [[1, 0], [0, 1]]
    assert "sliders" not in chart.figure["layout"], "the page has a slider of its own"


def test_a_figure_without_frames_has_no_steps():
    assert figures.steps({"data": [], "layout": {}}) == []
    assert figures.steps(HEATMAP) == ["all rows", "2008-10-01"]


def chart_of(widget, number=0):
    return [one for one in every(widget) if isinstance(one, Chart)][number]


def every(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from every(child)


def move(number, symbol, day, percent, scope):
    at = datetime(2008, 10, day, tzinfo=UTC)
    return {
        "move": number, "symbol": symbol, "start": at, "end": at, "bars": 1, "percent": percent, "size": 9.0,
        "scope": scope, "market_part": 0.4,
    }  # fmt: skip


@pytest.fixture
def explored(config):
    folder = make_run(config.reports, "one", template="moves")
    rows = [move(0, "AAPL", 10, -0.2, "market"), move(1, "AAPL", 20, 0.1, "single name"),
            move(2, "IBM", 13, 0.15, "market")]  # fmt: skip
    pd.DataFrame(rows).to_parquet(folder / "tables" / "moves.parquet")
    said = {
        "move": [1],
        "summary": ["AAPL rose <b>and</b> nothing distinguishes it."],
        "distinguished": [False],
    }
    pd.DataFrame(said).to_parquet(folder / "tables" / "explained.parquet")
    for name in ("moves of AAPL", "moves of IBM", "move 001 What moved", "move 001 When before"):
        write_figure(folder, name, ["2008-10-10", "2008-10-20"], [1.0, 2.0])
    chart = folder / "figures" / "moves of AAPL.json"
    figure = json.loads(chart.read_text())
    figure["data"][0]["customdata"] = [0, 1]
    chart.write_text(json.dumps(figure))
    return config


def test_the_explorer_shows_the_moves_with_a_page_first(explored):
    shown = run_page(explored, "one")
    which = control(shown, "move")
    assert [label for label, _ in which.options] == [
        "2008-10-20  +10.0%  single name",
        "2008-10-10  -20.0%  market (no page)",
    ]
    assert "nothing distinguishes it" in texts(shown)
    assert "rose &lt;b&gt;and" in texts(shown)
    assert {"equity", "drawdown"} == {value for _, value in control(shown, "figure").options}
    which.value = 0
    assert "This move has no page in this report" in texts(shown)
    assert "-20.0%" in texts(shown)
    control(shown, "symbol").value = "IBM"
    assert [value for _, value in control(shown, "move").options] == [2]


def test_a_move_picked_on_the_chart_is_the_one_shown(explored):
    shown = run_page(explored, "one")
    chart_of(shown).picked = {"trace": 0, "point": 0, "at": 1}
    assert control(shown, "move").value == 0


def test_a_run_without_moves_has_no_explorer(config):
    make_run(config.reports, "one")
    assert "The moves" not in texts(run_page(config, "one"))


@pytest.fixture
def correlated(config):
    folder = make_run(config.reports, "one", template="correlations")
    found = [("B", "A/X", 0, 0.8), ("A/X", "B", 1, 0.1), ("B", "A/X", 1, 0.3), ("B", "C", 0, 0.5)]
    rows = [
        {
            "a": a,
            "b": b,
            "lag": lag,
            "window": 900,
            "effect": r,
            "low": r - 0.1,
            "high": r + 0.1,
            "holds": True,
        }
        for a, b, lag, r in found
    ]
    pd.DataFrame(rows).to_parquet(folder / "tables" / "findings.parquet")
    clusters = {"symbol": ["C", "A/X", "B"], "cluster": [1, 2, 2]}
    pd.DataFrame(clusters).to_parquet(folder / "tables" / "clusters.parquet")
    (folder / "figures" / "heatmap.json").write_text(json.dumps(HEATMAP))
    write_figure(folder, "pair B C", ["2008-10-10", "2008-10-20"], [1.0, 2.0])
    return config


def test_the_matrix_is_in_cluster_order_and_moves_through_time(correlated):
    shown = correlation_page(correlated)
    first = chart_of(shown).figure["data"][0]
    assert first["x"] == ["C", "A/X", "B"]
    assert first["z"][2] == [0.5, 0.8, 1.0]
    figure = control(shown, "figure")
    figure.value = "heatmap"
    assert "pair B C" not in {value for _, value in figure.options}
    control(shown, "when").index = 1
    assert chart_of(shown, 1).figure["data"][0]["z"] == [[1, 0.9], [0.9, 1]]


def test_a_pair_has_its_page_or_its_correlation_at_each_lag(correlated):
    shown = correlation_page(correlated)
    control(shown, "view").value = "pair"
    pair = control(shown, "pair")
    assert [label for label, _ in pair.options] == ["A/X and B", "B and C"]
    bars = chart_of(shown).figure["data"][0]
    assert (bars["x"], bars["y"]) == ([-1, 0, 1], [0.3, 0.8, 0.1])
    pair.index = 1
    assert chart_of(shown).figure["data"][0]["name"] == "pair B C"
