"""A desk's settings: what is wrong is said with what was expected; what is right reaches other processes."""

import json
import sys
from pathlib import Path

import pytest

import tapebook.lab
from tapebook.config import Config
from tapebook.errors import ConfigError


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("keep_runs = -1", "keep_runs is '-1': expected a number of runs"),
        ('keep_days = "soon"', "keep_days is 'soon': expected days"),
        ('address = "desk.example"', "expected one such as https://desk.example"),
        ('address = "https://desk.example/?x=1"', "expected one such as"),
        ('snapshot = "new"', "expected a number as in `tapebook data snapshots`"),
        ('adress = "https://desk.example"', "Did you mean 'address'"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(tmp_path, said, words):
    (tmp_path / "tapebook.toml").write_text(said)
    with pytest.raises(ConfigError, match=words):
        Config.load(tmp_path)


def test_another_process_has_the_same_settings(tmp_path, monkeypatch):
    said = 'keep_runs = 30\nkeep_days = 90\naddress = "https://desk.example/reports/"\n'
    (tmp_path / "tapebook.toml").write_text(said)
    config = Config.load(tmp_path)
    assert (config.keep_runs, config.keep_days) == (30, 90.0)
    assert config.address == "https://desk.example/reports"
    for name, value in config.environment().items():
        monkeypatch.setenv(name, value)
    (tmp_path / "tapebook.toml").write_text("")
    assert Config.load(tmp_path) == config


def test_the_settings_for_lab_are_ones_that_it_knows():
    ours = json.loads((Path(tapebook.lab.__file__).parent / "config" / "settings.json").read_text())
    schemas = Path(sys.prefix) / "share" / "jupyter" / "lab" / "schemas"
    told = json.loads((schemas / "@jupyterlab" / "apputils-extension" / "notification.json").read_text())
    asked = ours["@jupyterlab/apputils-extension:notification"]
    known = {one["const"] for one in told["properties"]["fetchNews"]["oneOf"]}
    assert asked == {"fetchNews": "false"}
    assert asked["fetchNews"] in known
