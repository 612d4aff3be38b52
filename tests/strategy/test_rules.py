"""Rules refuse what makes no sense, and say what would."""

import math

import pytest

from tapebook.errors import BadParameter, UnknownName
from tapebook.strategy.rules import Rules


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"fees": -0.1}, "parameter 'fees' is -0.1: expected a number of at least 0 and below 1"),
        ({"fees": 1.5}, "0.01 is 1 %"),
        ({"cash": 0}, "a number above 0"),
        ({"cash": math.nan}, "a number above 0"),
        ({"slippage": math.inf}, "slippage"),
        ({"stop_loss": 0}, "stop_loss"),
        ({"stop_loss": 1.0}, "stop_loss"),
        ({"trailing_stop": True}, "trailing_stop"),
        ({"sizing": "kelly"}, "one of percent, value, units, volatility"),
        ({"sizing": "value"}, "money an entry, since sizing is 'value'"),
        ({"size": 1.5}, "at most 1"),
        ({"size": "1"}, "size"),
        ({"direction": "up"}, "one of long, short, both"),
        ({"execution": "now"}, "one of next_open, same_close"),
        ({"fractional": 1}, "True or False"),
        ({"volatility_bars": 1}, "a whole number of at least 2"),
        ({"lot": 0}, "lot"),
    ],
    ids=str,
)
def test_wrong_rules(wrong, said):
    with pytest.raises(BadParameter) as caught:
        Rules(**wrong)
    assert said in str(caught.value)


def test_rules_are_read_from_text():
    text = {
        "fees": "0.002",
        "stop_loss": "none",
        "fractional": "no",
        "volatility_bars": "30",
        "direction": "both",
    }
    assert Rules.parse(text) == Rules(fees=0.002, fractional=False, volatility_bars=30, direction="both")


@pytest.mark.parametrize(
    ("text", "said"), [({"fees": "cheap"}, "a number"), ({"fractional": "perhaps"}, "true or false")]
)
def test_text_that_cannot_be_read(text, said):
    with pytest.raises(BadParameter, match=said):
        Rules.parse(text)
    with pytest.raises(UnknownName, match="Did you mean 'slippage'"):
        Rules.parse({"slipage": "0"})


def test_a_record_makes_the_same_rules_again():
    rules = Rules(size=0.25, stop_loss=0.1, execution="same_close")
    assert Rules(**rules.record()) == rules
    assert rules.same_close
