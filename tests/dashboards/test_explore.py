"""The explorer: controls from the declaration, a chart that follows, and nothing that leaves it stuck."""

import json

import ipywidgets as w
import pytest

from tapebook import Range, strategy
from tapebook.dashboards import form_fields
from tapebook.dashboards.explore_figure import figure
from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.strategy.declare import Strategy


@pytest.fixture
def desk(sample_desk):
    return sample_desk


@pytest.fixture
def explorer(desk):
    return desk.explore("sma_cross", "AAPL", start="2005", end="2007")


def control(explorer, name):
    return explorer._fields[name].control


def said(explorer):
    return explorer._state.value


def test_it_shows_what_a_backtest_of_the_same_settings_makes(desk, explorer):
    bars = desk.bars("AAPL", start="2005", end="2007")
    expected = desk.backtest("sma_cross", bars, fast=10, slow=50, save=False)
    assert explorer.backtest.equity.equals(expected.equity)
    control(explorer, "fast").value = 25
    expected = desk.backtest("sma_cross", bars, fast=25, slow=50, save=False)
    assert explorer.backtest.equity.equals(expected.equity)
    assert explorer.settings == {
        "strategy": "sma_cross",
        "symbols": ["AAPL"],
        "start": "2005",
        "end": "2007",
        "fast": 25,
        "slow": 50,
    }
    assert desk.results().empty, "looking stores nothing"


def test_each_new_setting_is_a_trial_and_an_old_one_is_not(desk, explorer):
    counted = [len(desk.trials(batches=True))]
    for value in (20, 30, 20, 10, 30):
        control(explorer, "fast").value = value
        counted.append(len(desk.trials(batches=True)))
    assert counted == [1, 2, 3, 3, 3, 3]


def test_controls_have_the_types_bounds_and_help_of_the_declaration(explorer, desk):
    fast = control(explorer, "fast")
    assert (type(fast), fast.min, fast.max, fast.value) == (w.IntSlider, 1, 500, 10)
    assert fast.tooltip == "a whole number from 1 to 500 (bars in the fast mean)"
    for name in explorer._strategy.options:
        declared = desk.strategy(name).parameters
        fields = {p.name: form_fields.of_strategy(p) for p in declared.values()}
        assert {n: f.value() for n, f in fields.items()} == {n: p.default for n, p in declared.items()}, name


def test_every_kind_of_parameter_has_a_control():
    from typing import Annotated, Literal

    @strategy
    def kinds(
        bars,
        *,
        share: Annotated[float, Range(0.0, 1.0, "part")] = 0.25,
        far: Annotated[int, Range(1, 100_000)] = 7,
        free: float = 1.5,
        on: bool = True,
        side: Literal["up", "down"] = "up",
        word: str = "x",
    ): ...

    assert isinstance(kinds, Strategy)
    fields = {n: form_fields.of_strategy(p) for n, p in kinds.parameters.items()}
    shown = {n: type(f.control).__name__ for n, f in fields.items()}
    assert shown == {
        "share": "FloatSlider",
        "far": "IntText",
        "free": "FloatText",
        "on": "Checkbox",
        "side": "Dropdown",
        "word": "Text",
    }
    assert fields["share"].control.step == 0.005
    fields["far"].control.value = 0
    with pytest.raises(BadParameter):
        fields["far"].value()
    assert "expected a whole number from 1 to 100000" in fields["far"]._trouble.value


def test_another_strategy_brings_its_own_controls(explorer):
    explorer._strategy.value = "momentum"
    assert list(explorer._fields) == ["lookback"]
    assert explorer.backtest.strategy == "momentum"


def test_a_wrong_combination_is_said_beside_its_field_and_the_chart_stays(explorer):
    before = explorer.backtest
    control(explorer, "fast").value = 60
    assert "expected fewer bars than slow=50" in explorer._fields["fast"]._trouble.value
    assert explorer.backtest is before
    control(explorer, "fast").value = 20
    assert explorer._fields["fast"]._trouble.value == ""
    assert explorer.backtest.params["fast"] == 20


def test_symbols_are_picked_typed_and_taken_away(explorer):
    explorer._add.value = "MSFT"
    assert (explorer.backtest.symbols, explorer._add.value) == (("AAPL", "MSFT"), "")
    assert explorer._seen.layout.display is None
    explorer._seen.value = "MSFT"
    explorer._symbols.value = ["MSFT"]
    assert explorer.backtest.symbols == ("MSFT",)
    assert explorer._seen.layout.display == "none"
    explorer._symbols.value = []
    assert "Pick a symbol." in said(explorer)
    explorer._symbols.value = ["IBM"]
    assert (explorer.backtest.symbols, said(explorer)) == (("IBM",), "")


def test_what_is_not_there_is_said(explorer, desk, tmp_path):
    from tapebook import Desk

    explorer._start.value = "2031"
    assert "AAPL" in said(explorer)
    with pytest.raises(UnknownName, match="no symbol named 'APL'. Did you mean 'AAPL'"):
        desk.explore(symbols="APL")
    with pytest.raises(UnknownName, match="Did you mean 'sma_cross'"):
        desk.explore("sma_cros")
    with (
        Desk.open(tmp_path) as empty,
        pytest.raises(BadInput, match=r"no bars of 1d .*desk.ingest\('sample'\)"),
    ):
        empty.explore()


@pytest.mark.parametrize(
    ("error", "words"),
    [(KeyboardInterrupt(), "Stopped."), (ZeroDivisionError("none"), "ZeroDivisionError: none")],
)
def test_an_interrupt_or_a_failure_leaves_it_usable(explorer, monkeypatch, error, words):
    def fail(*_args, **_settings):
        raise error

    before = explorer.backtest
    with monkeypatch.context() as patch:
        patch.setattr(explorer._desk, "backtest", fail)
        control(explorer, "fast").value = 33
    assert words in said(explorer)
    assert explorer.backtest is before
    control(explorer, "fast").value = 34
    assert (explorer.backtest.params["fast"], said(explorer)) == (34, "")


def test_the_chart_has_the_same_six_lines_whatever_is_shown(desk):
    for symbols in ("AAPL", "AAPL,MSFT", "FB"):
        bt = desk.backtest("sma_cross", symbols, save=False)
        shown = figure(bt, bt.symbols[0])
        assert [t.name for t in shown.data][1:3] == ["entry", "exit"]
        assert len(shown.data) == 6
        assert all(axis.title.text for axis in (shown.layout.yaxis, shown.layout.yaxis2, shown.layout.yaxis3))
        assert symbols.split(",")[0] in shown.layout.title.text


def test_in_a_notebook_the_figure_is_an_output_that_stays(explorer, monkeypatch):
    shown = []

    class Handle:
        def update(self, bundle, raw):
            shown.append(bundle)

    monkeypatch.setattr("IPython.display.display", lambda *a, **k: shown.append(a[0]) or Handle())
    explorer._ipython_display_()
    assert len(shown) == 3
    words, chart = shown[1:]
    assert "Could it be luck?" in words["text/html"]
    assert len(chart["application/vnd.plotly.v1+json"]["data"]) == 6
    assert "sma_cross(fast=10, slow=50) on AAPL" in chart["text/plain"]
    control(explorer, "fast").value = 15
    assert "fast=15" in json.dumps(shown[-1])


def test_in_voila_it_is_a_widget_that_follows(desk, monkeypatch):
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5")
    explorer = desk.explore("sma_cross", "AAPL", start="2005", end="2007")
    chart = explorer._stage._place.children[0]
    before = json.dumps(chart.figure, default=str)
    control(explorer, "fast").value = 15
    assert explorer._stage._place.children[0] is chart
    assert json.dumps(chart.figure, default=str) != before
