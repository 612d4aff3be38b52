"""Saved versions of strategies: nothing that looks ahead is saved, nothing that something names is lost."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import cases
from tapebook import Desk, Rules, Signals
from tapebook.cli import main
from tapebook.config import Config
from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.strategy.version import Version

TREND = '''
from tapebook.strategy import Signals, strategy

@strategy(family="trend")
def calm(bars, *, window: int = 5):
    """Long above the mean."""
    mean = bars.close.rolling(window).mean()
    return Signals(bars.close > mean, bars.close < mean)
'''
LEAKING = TREND.replace("bars.close > mean", "bars.close.shift(-1) > bars.close")


@pytest.fixture(scope="module")
def bars():
    return cases.market(np.random.default_rng(0), 300, 2, holes=False)


@pytest.fixture(params=["sqlite", "postgres"])
def desk(request, tmp_path):
    config = Config.load(tmp_path)
    if request.param == "postgres":
        config = replace(config, database=request.getfixturevalue("postgres_url"))
    with Desk(config) as desk:
        yield desk


@pytest.fixture
def local(tmp_path):
    with Desk.open(tmp_path) as desk:
        yield desk


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "ideas.py"
    path.write_text(TREND)
    return path


def test_a_version_is_saved_read_noted_and_destroyed(desk, file, bars):
    saved = desk.save_strategy(f"{file}:calm", name="trend", params={"window": 7}, notes="first", bars=bars)
    assert (saved.id, saved.parent, saved.family, saved.checked) == ("trend@1", None, "trend", "passed")
    assert (saved.parameters, saved.rules, saved.notes) == ({"window": 7}, None, "first")
    assert saved.check["record"]["ok"] is True
    assert saved.check["symbols"] == list(bars.symbols)
    assert desk.version("trend") == desk.version("trend@1") == saved
    assert desk.update_version("trend@1", notes="slower").notes == "slower"
    assert desk.versions().to_dict("records")[0]["notes"] == "slower"
    told = desk.delete_strategy("trend").to_dict("records")
    assert told == [{"name": "trend", "version": 1, "done": "deleted", "named_by": []}]
    assert desk.versions(archived=True).empty
    with pytest.raises(UnknownName, match="no saved strategy named 'trend'"):
        desk.version("trend")


def test_a_version_trades_as_it_did_when_its_file_is_another_one(desk, file, bars):
    before = desk.backtest(f"{file}:calm", bars, window=7, save=False)
    desk.save_strategy(f"{file}:calm", name="trend", params={"window": 7}, bars=bars)
    file.write_text(TREND.replace("> mean", "> 2 * mean"))
    desk.close()
    after = desk.backtest("trend@1", bars)
    pd.testing.assert_series_equal(after.equity, before.equity)
    assert (after.strategy, after.params, after.code_hash) == ("trend@1", {"window": 7}, before.code_hash)
    assert desk.version("trend@1").results()["id"].tolist() == [after.id]
    assert desk.versions()["results"].tolist() == [1]
    assert desk.backtest("trend@1", bars, window=9, save=False).params == {"window": 9}


def test_every_verb_takes_a_version(local, file, bars):
    version = local.save_strategy(f"{file}:calm", name="trend", params={"window": 7}, bars=bars)
    assert local.check("trend@1", bars).ok
    swept = local.sweep("trend@1", bars, window=[5, 9])
    direct = local.sweep(f"{file}:calm", bars, window=[5, 9])
    columns = ["window", "sharpe"]
    pd.testing.assert_frame_equal(swept.robustness()[columns], direct.robustness()[columns])
    assert local.strategy(version).parameters["window"].default == 7
    assert (
        local.walk_forward("trend@1", bars, window=[5, 9], train=100, test=50, save=False).folds is not None
    )


def test_versions_of_the_same_code_do_not_share_their_names_and_defaults(local, file, bars):
    for window in (7, 9):
        local.save_strategy(f"{file}:calm", name="trend", params={"window": window}, check=False)
    first, second = local.strategy("trend@1"), local.strategy("trend@2")
    assert (first.name, first.parameters["window"].default) == ("trend@1", 7)
    assert (second.name, second.parameters["window"].default) == ("trend@2", 9)
    assert first.source_hash == second.source_hash == local.strategy(f"{file}:calm").source_hash


def test_the_same_again_is_the_same_version_and_a_change_is_the_next(local, file):
    def save(what=f"{file}:calm", **said):
        return local.save_strategy(what, **({"name": "trend"} | said))

    assert save(notes="why").id == save(params={"window": 5}).id == "trend@1"
    assert save().notes == "why"
    assert save(notes="because").notes == "because"
    assert save(params={"window": 8}).parent == "trend@1"
    ruled = save(rules=Rules(fees=0.002), params={"window": 8})
    assert (ruled.id, ruled.parent, ruled.rules) == ("trend@3", "trend@2", Rules(fees=0.002))
    assert save("trend@3", params={"window": 9}).rules == Rules(fees=0.002), "made from one that has rules"
    file.write_text(TREND.replace("Long above", "Always long above"))
    changed = save(parent="trend@1")
    assert (changed.id, changed.parent) == ("trend@5", "trend@1")
    branched = save("trend@2", name="fork", params={"window": 6})
    assert (branched.id, branched.parent) == ("fork@1", "trend@2")
    sixth = local.save_strategy("trend@2", params={"window": 6})
    assert (sixth.id, sixth.parent) == ("trend@6", "trend@2")
    assert local.versions("trend")["version"].tolist() == [6, 5, 4, 3, 2, 1]
    assert save("trend@6", name="fork", params={"window": 3}).parent == "trend@6"
    local.delete_strategy("trend@6")
    assert save(params={"window": 77}).id == "trend@7", "no other one gets a number that a child names"
    assert local.version("trend@7").parent == "trend@5"
    assert set(local.versions()["name"]) == {"fork", "trend"}


def test_what_looks_ahead_is_not_saved(desk, file, bars):
    file.write_text(LEAKING)
    with pytest.raises(BadInput, match=r"calm looks ahead: entries of (?s:.*)Nothing was saved"):
        desk.save_strategy(f"{file}:calm", bars=bars)
    assert desk.versions(archived=True).empty
    with pytest.raises(BadInput, match="looks ahead"):
        desk.checked(f"{file}:calm", bars, {"window": 3})
    waived = desk.save_strategy(f"{file}:calm", check=False)
    assert waived.checked == "unchecked"
    assert "look-ahead: unchecked" in repr(waived)


def test_the_record_of_a_check_is_handed_out(local, file, bars):
    told = local.checked(f"{file}:calm", bars, {"window": 7})
    assert (told["ok"], told["leaks"]) == (True, [])
    json.dumps(told)


def test_without_bars_it_says_so_and_can_be_checked_later(local, file, bars):
    saved = local.save_strategy(f"{file}:calm")
    assert (saved.checked, saved.check["why"]) == ("not checked", "the lake holds no daily bars")
    assert local.save_strategy(f"{file}:calm", bars=bars).checked == "passed"
    assert local.save_strategy(f"{file}:calm", check=False).checked == "passed"


def test_what_never_decides_is_saved_as_not_checked(local, bars):
    def still(bars):
        return Signals(bars.close < 0, bars.close < 0)

    saved = local.save_strategy(still, bars=bars)
    assert saved.checked == "not checked"
    assert "never decided" in saved.check["why"]


def test_what_fails_on_the_bars_is_not_saved(local, bars):
    def needs_spy(bars):
        return bars.close["SPY"] > 0

    with pytest.raises(BadInput, match=r"could not be checked.*KeyError.*bars=…, --symbols.*check=False"):
        local.save_strategy(needs_spy, bars=bars)
    assert local.versions().empty


def test_the_lake_is_what_it_is_checked_on(sample_desk):
    saved = sample_desk.save_strategy("buy_and_hold", name="hold")
    held = sample_desk.symbols().query("freq == '1d'").set_index("symbol")["bars"]
    assert len(saved.check["symbols"]) == 3
    assert held[saved.check["symbols"]].min() >= held.drop(saved.check["symbols"]).max()
    assert saved.check["snapshot"] == sample_desk.lake.snapshot()


def test_what_something_names_is_archived_and_comes_back(desk, file, bars):
    for window in (7, 9):
        desk.save_strategy(f"{file}:calm", name="trend", params={"window": window}, check=False)
    bt = desk.backtest("trend@2", bars)
    told = desk.delete_strategy("trend@2").to_dict("records")[0]
    assert told["done"] == "archived"
    assert told["named_by"][0] == f"result {bt.id}"
    assert desk.versions("trend")["version"].tolist() == [1]
    assert desk.versions("trend", archived=True)["archived"].tolist() == [True, False]
    assert desk.version("trend").id == "trend@1", "the newest that is not archived"
    assert desk.backtest("trend@2", bars, save=False).params == {"window": 9}, "still readable"
    assert desk.restore_strategy("trend@2")["archived"].tolist() == [False]
    desk.delete_result(bt.id)
    named = desk.delete_strategy("trend").set_index("version")["named_by"]
    assert named[1] == [f"deleted result {bt.id}"], "it may come back"
    assert named[2][0].startswith("trial of ")
    assert desk.save_strategy(f"{file}:calm", name="trend", params={"window": 9}).id == "trend@2"
    assert not desk.version("trend@2").archived, "saved again, it is back"


def test_two_versions_are_compared(local, file, bars):
    local.save_strategy(f"{file}:calm", name="trend", params={"window": 7}, check=False)
    one = local.backtest("trend@1", bars)
    file.write_text(TREND.replace("> mean", ">= mean"))
    local.save_strategy(f"{file}:calm", name="trend", params={"window": 9}, rules={"fees": 0.0}, check=False)
    told = local.diff_versions("trend@1", "trend@2")
    assert "-    return Signals(bars.close > mean, bars.close < mean)" in told
    assert "+    return Signals(bars.close >= mean, bars.close < mean)" in told
    for line in ("--- trend@1 parameters", "-window: 7", "+window: 9", "+fees: 0.0", f"-result: {one.id}"):
        assert line in told.splitlines()
    assert f"-sharpe: {one.metrics['sharpe'].value:.6g}" in told
    assert repr(local.diff_versions("trend@1", "trend@1")) == "no difference"
    assert "<pre>" in told._repr_html_()


def test_a_compiled_strategy_is_saved_and_trades_the_same(local, bars, tmp_path):
    path = tmp_path / "fast.py"
    path.write_text(
        "from tapebook.strategy.compiled import ENTER, LEAVE, compiled\n\n"
        "@compiled(lag=(3, 1, 50, 'bars back'))\n"
        "def momentum_up(open, high, low, close, volume, p, flags):\n"
        "    lag = int(p[0])\n"
        "    for t in range(lag, len(close)):\n"
        "        flags[t] = ENTER if close[t] > close[t - lag] else LEAVE\n"
    )
    local.save_strategy(f"{path}:momentum_up", params={"lag": 4}, check=False)
    before = local.backtest(f"{path}:momentum_up", bars, lag=4, save=False)
    pd.testing.assert_series_equal(local.backtest("momentum_up@1", bars, save=False).equity, before.equity)
    assert local.strategy("momentum_up@1") is local.strategy("momentum_up@1"), "compiled once"


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda d: d.strategy("trend"), UnknownName, "Did you mean 'trend@1'.*Name a version"),
        (lambda d: d.strategy("trand@1"), UnknownName, "Did you mean 'trend'.*strategy versions"),
        (lambda d: d.backtest("trend@7", "A"), UnknownName, "no version of trend named '7'.*Known: 1"),
        (lambda d: d.version("trend@new"), BadParameter, "expected a name such as 'trend@2'"),
        (lambda d: d.update_version("trend", notes="x"), BadParameter, "such as 'trend@1'"),
        (lambda d: d.delete_strategy("trend@2"), UnknownName, "no version of trend named '2'"),
        (lambda d: d.restore_strategy("x"), UnknownName, "no saved strategy named 'x'"),
        (lambda d: d.versions("trent"), UnknownName, "Did you mean 'trend'"),
        (lambda d: d.save_strategy("sma_cross", name="a b"), BadParameter, "a word such as"),
        (lambda d: d.save_strategy("sma_cross", params={"fats": 1}), UnknownName, "'fast'"),
        (lambda d: d.save_strategy("sma_cross", parent="trend@9"), UnknownName, "no version of trend"),
        (lambda d: d.save_strategy(lambda bars: bars.close > 1, name="f"), BadInput, "write it as def"),
        (lambda d: d.save_strategy("sma_cross", rules={"fee": 1}), UnknownName, "'fees'"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(local, call, error, told):
    local.save_strategy("sma_cross", name="trend")
    with pytest.raises(error, match=f"(?s){told}"):
        call(local)
    assert len(local.versions(archived=True)) == 1


def test_a_version_without_its_desk_says_where_to_get_one(local):
    saved = local.save_strategy("sma_cross", name="trend")
    with pytest.raises(BadInput, match=r"desk.version\('trend@1'\)"):
        replace(saved, stored=None).results()
    assert isinstance(saved, Version)
    assert "<b>trend@1</b>" in saved._repr_html_()
    assert saved.record()["packages"]["numpy"] == np.__version__


SAVE = """
import sys
from tapebook import Desk
with Desk.open(sys.argv[1]) as desk:
    for i in range(8):
        print(desk.save_strategy("sma_cross", name="shared", params={"fast": int(sys.argv[2]) + i}).id)
"""


def test_two_processes_that_save_at_once_get_different_versions(tmp_path):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SAVE, str(tmp_path), first], stdout=subprocess.PIPE, text=True
        )
        for first in ("2", "22")
    ]
    told = [line for process in started for line in process.communicate()[0].split()]
    assert [process.returncode for process in started] == [0, 0]
    assert sorted(told, key=lambda id: int(id.split("@")[1])) == [f"shared@{n}" for n in range(1, 17)]


# ---- the command line


@pytest.fixture
def cli(tmp_path):
    def call(*args, code=0):
        done = CliRunner().invoke(main, ["--home", str(tmp_path), *args])
        assert done.exit_code == code, done.output
        return done

    return call


def test_the_command_line_keeps_versions(cli, file):
    said = cli("strategy", "save", f"{file}:calm", "--name", "trend", "--notes", "first", "--window", "7")
    assert "saved as trend@1" in said.stderr
    saved = json.loads(
        cli("strategy", "save", "trend@1", "--window=9", "--fees", "0.002", "--unchecked", "--json").stdout
    )
    assert (saved["id"], saved["parent"], saved["parameters"]) == ("trend@2", "trend@1", {"window": 9})
    assert (saved["rules"]["fees"], saved["check"]["state"]) == (0.002, "unchecked")
    listed = json.loads(cli("strategy", "versions", "trend", "--json").stdout)
    assert [(row["version"], row["check"]) for row in listed] == [(2, "unchecked"), (1, "not checked")]
    shown = cli("strategy", "show", "trend@1").stdout
    assert "notes: first" in shown
    assert "def calm(bars" in shown
    assert "notes: slower" in cli("strategy", "note", "trend@1", "slower").stdout
    assert "+window: 9" in cli("strategy", "diff", "trend@1", "trend@2").stdout
    cli("strategy", "delete", "trend@2", code=1)  # nobody answers
    assert "deleted" in cli("strategy", "delete", "trend@2", "--yes").stdout
    cli("strategy", "restore", "trend@1")
    assert "no saved strategy" in cli("strategy", "note", "other@1", "x", code=1).stderr
    assert "no version of trend" in cli("backtest", "trend@5", "AAPL", code=1).stderr


def test_the_command_line_trades_a_version(sample_home):
    def call(*args):
        done = CliRunner().invoke(main, ["--home", str(sample_home), *args])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    call("strategy", "save", "sma_cross", "--name", "trend", "--fast", "7", "--unchecked", "--json")
    traded = call("backtest", "trend@1", "AAPL", "--json")
    assert (traded["strategy"], traded["params"]["fast"]) == ("trend@1", 7)
    assert call("sweep", "trend@1", "AAPL", "--fast", "5,7", "--json")
    assert call("strategy", "versions", "--json")[0]["results"] == 1


@pytest.mark.slow
def test_a_report_takes_a_version_and_then_names_it(sample_desk):
    sample_desk.save_strategy("sma_cross", name="trend", params={"fast": 7}, check=False)
    run = sample_desk.run("backtest", strategy="trend@1", symbols="AAPL")
    assert sample_desk.version("trend@1").results()["strategy"].tolist() == ["trend@1"]
    told = sample_desk.delete_strategy("trend@1").to_dict("records")[0]
    assert f"run {run.id}" in told["named_by"]


def test_a_versions_own_rules_are_traded_unless_others_are_said(sample_desk, sample_home):
    bars = sample_desk.bars("AAPL")
    sample_desk.save_strategy("sma_cross", name="careful", rules={"stop_loss": 0.1, "fees": 0.002}, bars=bars)
    own = sample_desk.backtest("careful@1", bars, save=False)
    assert (own.rules.stop_loss, own.rules.fees) == (0.1, 0.002)
    part = sample_desk.backtest("careful@1", bars, save=False, fees=0.0)
    assert (part.rules.stop_loss, part.rules.fees) == (0.1, 0.0)
    other = sample_desk.backtest("careful@1", bars, save=False, rules=Rules())
    assert other.rules.stop_loss is None
    assert sample_desk.sweep("careful@1", bars, fast=[5, 10]).rules.stop_loss == 0.1
    assert sample_desk.freeze("careful@1", None, "AAPL").content["rules"]["stop_loss"] == 0.1
    asked = [
        "--home",
        str(sample_home),
        "backtest",
        "careful@1",
        "AAPL",
        "--fees",
        "0.003",
        "--no-save",
        "--json",
    ]
    said = json.loads(CliRunner().invoke(main, asked).stdout)["rules"]
    assert (said["stop_loss"], said["fees"]) == (0.1, 0.003)
