"""What a schedule is when it is added: each word is checked, and what cannot be is refused."""

import pytest

from runs.conftest import toy_desk
from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.runs import schedules as desk_schedules


@pytest.mark.parametrize(
    ("said", "error", "match"),
    [
        ({}, BadInput, "needs one of cron, after_close, on and when_complete: got none"),
        ({"cron": "0 0 * * *", "on": "bars.updated"}, BadInput, "got cron and on"),
        ({"after_close": "XNYS", "tz": "UTC"}, BadInput, "tz belongs to cron"),
        ({"cron": "0 0 * * *", "delay": "3h"}, BadInput, "delay belongs to after_close"),
        ({"after_close": "XNYX"}, UnknownName, "Did you mean 'XNYS'"),
        ({"after_close": "XNYS", "delay": "soon"}, BadParameter, "a length of time such as 30min"),
        ({"cron": "0 0 * * *", "tz": ""}, BadParameter, "a time zone such as"),
        ({"cron": "0 0 * * *", "timeout": -1}, BadParameter, "seconds above 0"),
        ({"cron": "0 0 * * *", "notify_on": "never"}, BadParameter, "failure or success or always"),
        ({"cron": "0 0 * * *", "notify": ["nothing://x"]}, BadParameter, "'nothing://…': expected an"),
        ({"cron": "0 0 * * *", "notify": ["slack"]}, UnknownName, "tapebook secrets set slack"),
        ({"cron": "0 0 * * *", "parameters": {"stesp": 3}}, UnknownName, "Did you mean 'steps'"),
        ({"cron": "0 0 * * *", "parameters": {"steps": "x"}}, BadParameter, "whole number"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_when_it_is_added(tmp_path, said, error, match):
    config = toy_desk(tmp_path)
    with pytest.raises(error, match=match):
        desk_schedules.add(config, "x", "toy", said.pop("parameters", {}), **said)
    assert desk_schedules.listing(config).empty


def test_names_are_checked_and_taken_once(tmp_path):
    config = toy_desk(tmp_path)
    desk_schedules.add(config, "x", "toy", {"steps": "7"}, cron="0 0 * * *")
    with pytest.raises(BadInput, match="already"):
        desk_schedules.add(config, "x", "toy", {}, cron="0 0 * * *")
    with pytest.raises(BadParameter, match="at most 60"):
        desk_schedules.add(config, "../x", "toy", {}, cron="0 0 * * *")
    with pytest.raises(UnknownName, match="Did you mean 'toy'"):
        desk_schedules.add(config, "y", "toyy", {}, cron="0 0 * * *")
    said = desk_schedules.show(config, "x", times=3)
    assert said["parameters"] == {"steps": 7}
    assert len(said["next"]) == 3
    with pytest.raises(BadParameter, match="'times' is -1"):
        desk_schedules.show(config, "x", times=-1)
    desk_schedules.remove(config, "x")
    with pytest.raises(UnknownName, match="schedule 'x' was deleted by"):
        desk_schedules.remove(config, "x")
