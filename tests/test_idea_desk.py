"""An idea (the rule of an explained move, a finding of a scan) is a strategy wherever the desk takes one."""

import pytest

from tapebook import Desk
from tapebook.data import synthetic
from tapebook.errors import BadParameter, UnknownName
from tapebook.market.scan import Idea
from tapebook.strategy import registry

RULE = Idea("on_rule", {"rule": "volume_5 > 0.6", "hold": 5}, ("S0", "S1"))


def test_the_rule_is_traded_checked_saved_and_swept_as_any_strategy(tmp_path):
    bars = synthetic.precursors(symbols=2, bars=400, events=3, false=1, seed=2).bars
    with Desk.open(tmp_path) as desk:
        traded = desk.backtest(RULE, bars, save=False)
        assert traded.params["rule"] == "volume_5 > 0.6"
        assert len(traded.trades)
        assert desk.checked(RULE, bars["S1"].between(end=bars.index[150]))["ok"] is not False
        saved = desk.save_strategy(RULE, name="surge", bars=bars["S0"])  # once it was looked at
        assert saved.id == "surge@1"
        assert saved.parameters["rule"] == "volume_5 > 0.6"
        again = desk.backtest("surge@1", bars, save=False)
        assert again.metrics["total_return"] == traded.metrics["total_return"]
        swept = desk.sweep(RULE, bars, hold=[3, 5])
        assert len(swept.table) == 2


def test_a_strategy_with_other_defaults_leaves_the_first_as_it_was():
    found = registry.get("on_rule")
    preset = found.preset(RULE.params)
    assert preset.check({})["hold"] == 5
    assert found.check({})["hold"] == 10
    assert preset.check({"hold": 7})["rule"] == "volume_5 > 0.6"
    with pytest.raises(UnknownName, match="hold"):
        found.preset({"holds": 3})
    with pytest.raises(BadParameter, match="hold"):
        found.preset({"hold": 0})
