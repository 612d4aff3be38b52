"""Copies between teams, two at once, and one that Ctrl-C ends: by processes of their own where it matters."""

import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from uuid import uuid4

import pandas as pd
import psycopg
import pytest
from click.testing import CliRunner

from contracts.stores import rows
from tapebook import Desk
from tapebook.cli import main
from tapebook.data.copying import rows as copied_rows
from tapebook.data.copying import target_of
from tapebook.errors import ConfigError, TapebookError

SLOW = """
import sys, time
from tapebook.data.copying import rows

def last(*_):
    print("half of it is there", flush=True)
    time.sleep(600)

rows._last = last
from tapebook.cli import main

main(sys.argv[1:])
"""


@pytest.fixture
def home(tmp_path):
    """A desk with two snapshots of bars, a screen and a credential."""
    home = tmp_path / "source"
    home.mkdir()
    (home / "tapebook.toml").touch()
    with Desk.open(home) as desk:
        fill(desk)
    return home


def fill(desk):
    desk.lake.write(pd.concat([rows("A"), rows("B")]))
    desk.lake.write(rows("A", price=200.0))
    desk.save_screen("dips", "close > 1")
    desk.secrets.set("vendor", "planted-vendor-secret")


def told(desk):
    first = desk.lake.snapshots()["id"].iloc[-2]
    return {
        "now": desk.bars(["A", "B"]).fingerprint(),
        "then": desk.bars(["A", "B"], asof=int(first)).fingerprint(),
        "snapshots": desk.lake.snapshots().to_csv(),
        "screens": desk.screens().to_csv() + desk.log("dips").to_csv(),
        "secret": desk.secret("vendor").reveal(),
        "events": [event.model_dump_json() for event in desk.events()],
    }


def bring_key(home, config):
    if config.home != home:
        shutil.copy(home / "data" / "secrets.key", config.home / "data")


@contextmanager
def another(url):
    """A second database on the same server."""
    place, _, _ = url.rpartition("/")
    name = f"t{uuid4().hex[:12]}"

    def call(statement):
        with psycopg.connect(f"{place}/postgres", autocommit=True) as connection:
            connection.execute(statement)

    call(f"CREATE DATABASE {name}")
    try:
        yield f"{place}/{name}"
    finally:
        call(f"DROP DATABASE {name} WITH (FORCE)")


def test_from_one_team_to_another(tmp_path, postgres_url, monkeypatch):
    monkeypatch.setenv("TAPEBOOK_DATABASE", postgres_url)
    monkeypatch.setenv("TAPEBOOK_LAKE", str(tmp_path / "files"))
    with another(postgres_url) as url, Desk.open(tmp_path) as team:
        fill(team)
        before = told(team)
        team.copy(url, lake=str(tmp_path / "elsewhere"))
        with Desk(target_of(team.config, url, str(tmp_path / "elsewhere"))) as other:
            assert told(other) == before
            other.lake.write(rows("A", price=300.0))
            other.note("dips", "of the other team")
            assert other.lake.snapshot() == team.lake.snapshot() + 1, "numbering goes on"
        assert told(team) == before, "the first team's is another desk"
        with pytest.raises(TapebookError, match="are not empty: they hold "):
            team.copy(url, lake=str(tmp_path / "elsewhere"))


@pytest.mark.parametrize("kind", ["embedded", "team"])
def test_of_two_copies_into_one_place_one_is_refused(home, tmp_path, request, monkeypatch, kind):
    to = str(tmp_path / "other") if kind == "embedded" else request.getfixturevalue("postgres_url")
    where = {"lake": str(tmp_path / "files")}
    really, half, go, failed = copied_rows._last, threading.Event(), threading.Event(), []

    def slowly(*given):
        half.set()
        assert go.wait(120)
        return really(*given)

    def first():
        try:
            with Desk.open(home) as desk:
                desk.copy(to, **where)
        except BaseException as error:
            failed.append(error)
            half.set()

    thread = threading.Thread(target=first)
    with Desk.open(tmp_path / "source") as desk, monkeypatch.context() as patch:
        before = told(desk)
        patch.setattr(copied_rows, "_last", slowly)
        thread.start()
        try:
            assert half.wait(120)
            for again in (False, True):
                with pytest.raises(TapebookError, match="another copy into .* is under way: wait for its"):
                    desk.copy(to, **where, again=again)
        finally:
            go.set()
            thread.join(120)
        assert not failed
        with pytest.raises(TapebookError, match="are not empty: they hold"):
            desk.copy(to, **where, again=True)
        with Desk(target_of(desk.config, to, where["lake"])) as other:
            bring_key(home, other.config)
            assert told(other) == before


def test_ctrl_c_leaves_what_cannot_be_opened_and_the_next_one_goes_on(home, tmp_path):
    where = ["copy", "--to", str(tmp_path / "other"), "--lake", str(tmp_path / "files")]
    asked = [sys.executable, "-c", SLOW, "--home", str(home), *where]
    said = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with Desk.open(home) as desk:
        before = told(desk)
        with subprocess.Popen(asked, **said) as copying:
            try:
                assert copying.stdout.readline() == "half of it is there\n", copying.stderr.read()
                copying.send_signal(signal.SIGINT)
                _, errors = copying.communicate(timeout=120)
            finally:
                copying.kill()
        assert copying.returncode in (1, 130)
        assert "Traceback" not in errors
        assert "cannot be opened; --again goes on with it" in errors
        assert told(desk) == before, "the source is as it was, and its lock is free"
        target = target_of(desk.config, str(tmp_path / "other"), str(tmp_path / "files"))
        with Desk(target) as half, pytest.raises(ConfigError, match="unfinished copy.*--again"):
            half.bars("A")
        done = CliRunner().invoke(main, ["--home", str(home), *where, "--again"])
        assert done.exit_code == 0, done.output
        bring_key(home, target)
        with Desk(target) as other:
            assert told(other) == before
