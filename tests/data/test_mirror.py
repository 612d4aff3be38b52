"""A mirror in plain PostgreSQL tables: the same rows as the lake, whatever happened in between."""

import signal
import subprocess
import sys
import time

import pandas as pd
import psycopg
import pytest
from click.testing import CliRunner

from tapebook import Desk
from tapebook.cli import main
from tapebook.data import mirror as module
from tapebook.data.mirror_tables import LOCK
from tapebook.errors import BadParameter, ConfigError, TapebookError

DAYS = pd.date_range("2020-01-01", periods=30, tz="UTC")


def rows(symbol, days=DAYS, price=100.0, freq="1d"):
    close = [price + n for n in range(len(days))]
    prices = {"open": None, "high": close, "low": close, "close": close, "volume": 7.5}
    return pd.DataFrame({"symbol": symbol, "freq": freq, "ts": days, **prices}).astype({"open": float})


def action(symbol, day, split):
    return pd.DataFrame({"symbol": [symbol], "ts": [day], "split": [split], "dividend": [None]}).astype(
        {"split": float, "dividend": float}
    )


def ask(url, query):
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        return connection.execute(query).fetchall()


def in_step(desk, url, symbols=None):
    """Every table of the mirror is the lake's."""
    where = "true" if symbols is None else f"symbol IN ({', '.join(repr(name) for name in symbols)})"
    for table, columns in module.TABLES.items():
        names = ", ".join(part.split()[0] for part in columns.split(", "))
        theirs = ask(url, f"SELECT {names} FROM market.{table} ORDER BY 1, 2, 3")
        ours = desk.lake.sql(f"SELECT {names} FROM {table} WHERE {where} ORDER BY 1, 2, 3", out="arrow")
        assert [dict(zip(ours.column_names, row, strict=True)) for row in theirs] == ours.to_pylist(), table
    assert ask(url, "SELECT snapshot, copying FROM market.mirror_state") == [(desk.lake.snapshot(), None)]


def test_a_mirror_keeps_in_step(postgres_url, tmp_path):
    with Desk.open(tmp_path) as desk:
        desk.lake.write(
            pd.concat([rows("A"), rows("B"), rows('it\'s, "C"')]), actions=action("A", DAYS[9], 2)
        )
        done = desk.mirror(postgres_url)
        assert (done.written, done.removed, done.whole) == (94, 0, "it is the first copy")
        in_step(desk, postgres_url)
        assert str(desk.mirror(postgres_url)).startswith("nothing new")
        # news, corrections, deletions, several snapshots at once
        desk.lake.write(rows("D", freq="1h"))
        desk.lake.write(rows("A", DAYS[:3], price=1.0), actions=action("A", DAYS[9], 3))
        desk.delete("B", start="2020-01-20")
        desk.lake.write(rows("B", DAYS[25:26], price=9.0))
        assert desk.mirror_status(postgres_url).behind == 4
        done = desk.mirror(postgres_url)
        assert (done.whole, done.removed, done.written) == ("", 10, 30 + 1 + 3 + 1 + 1)
        in_step(desk, postgres_url)
        adjusted = ask(
            postgres_url, "SELECT close, volume FROM market.adjusted WHERE symbol = 'A' ORDER BY ts"
        )
        assert adjusted[0] == pytest.approx((1 / 3, 22.5))
        assert adjusted[-1] == (129.0, 7.5)
        # the feed has a gap
        desk.lake.write(rows("E"))
        desk.delete("D")
        desk.lake.write(rows("E", price=3.0))
        desk.compact()
        done = desk.mirror(postgres_url)
        assert "compacted away" in done.whole
        assert (done.written, done.removed) == (31, 31)
        in_step(desk, postgres_url)
        done = desk.mirror(postgres_url, symbols="A,E")
        assert "other symbols" in done.whole
        desk.lake.write(rows("B", price=8.0))
        assert desk.mirror(postgres_url, symbols="A,E").written == 0
        in_step(desk, postgres_url, ["A", "E"])
        comments = ask(postgres_url, "SELECT obj_description('market.bars'::regclass)")
        assert "as they were traded" in comments[0][0]


def test_a_copy_that_was_broken_off_goes_on(postgres_url, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 40)
    with Desk.open(tmp_path) as desk:
        desk.lake.write(pd.concat([rows(name) for name in "ABCD"]))
        told = []

        def broken(line):
            told.append(line)
            if line.startswith("C"):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            desk.mirror(postgres_url, say=broken)
        assert ask(postgres_url, "SELECT count(*), max(symbol) FROM market.bars") == [(60, "B")]
        assert desk.mirror_status(postgres_url).copying == desk.lake.snapshot()
        told.clear()
        done = desk.mirror(postgres_url, say=told.append)
        assert [line[0] for line in told] == ["C", "D"]
        assert done.whole == "a copy was broken off"
        in_step(desk, postgres_url)


def test_what_is_wrong_with_the_target_is_told(postgres_url, postgres_server, tmp_path):
    host, port, _ = postgres_server
    with Desk.open(tmp_path) as desk:
        desk.lake.write(rows("A"))
        with pytest.raises(ConfigError, match="cannot reach") as told:
            desk.mirror("postgresql://me:hush-hush@127.0.0.1:1/db")
        assert "hush-hush" not in str(told.value)
        with pytest.raises(BadParameter, match="expected postgresql://"):
            desk.mirror("mysql://me:hush-hush@127.0.0.1:1/db")
        with pytest.raises(BadParameter, match="a schema of the mirror's own"):
            desk.mirror(postgres_url, schema="tapebook")
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(
                "DO $$ BEGIN CREATE ROLE poor LOGIN; EXCEPTION WHEN duplicate_object THEN END $$"
            )
            connection.execute("CREATE SCHEMA other; CREATE TABLE other.bars (symbol text, ts date)")
            connection.execute("SELECT pg_advisory_lock(%s, hashtext('market'))", (LOCK,))
            with pytest.raises(TapebookError, match="another mirror is writing"):
                desk.mirror(postgres_url)
        with pytest.raises(ConfigError, match="column freq is missing, expected text. Choose another schema"):
            desk.mirror(postgres_url, schema="other")
        with pytest.raises(ConfigError, match="CREATE SCHEMA market AUTHORIZATION poor"):
            desk.mirror(f"postgresql://poor@{host}:{port}/{postgres_url.rpartition('/')[2]}")
        desk.mirror(postgres_url)
    said = CliRunner().invoke(main, ["--home", str(tmp_path), "data", "mirror", postgres_url, "--status"])
    assert "behind: 0" in said.output
    said = CliRunner().invoke(main, ["--home", str(tmp_path), "data", "mirror", postgres_url])
    assert said.output.startswith("nothing new: the mirror shows snapshot")


def wait_until(true, process, seconds=120):
    """Wait for a condition; fail with what the process said if it ends before."""
    until = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.05)


def test_following_goes_on_with_every_change_until_ctrl_c(postgres_url, tmp_path):
    (tmp_path / "tapebook.toml").touch()

    def shows():
        try:
            return ask(postgres_url, "SELECT snapshot FROM market.mirror_state")[0][0]
        except (psycopg.Error, IndexError):  # not yet
            return None

    asked = [sys.executable, "-m", "tapebook", "--home", str(tmp_path), "data", "mirror", postgres_url, "-f"]
    said = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with Desk.open(tmp_path) as desk:
        desk.lake.write(pd.concat([rows("A"), rows("B")]))
        with subprocess.Popen(asked, **said) as following:
            try:
                wait_until(lambda: shows() == desk.lake.snapshot(), following)
                (tmp_path / "C.csv").write_text("date,open,high,low,close,volume\n2020-01-02,1,2,1,2,3\n")
                assert not desk.ingest("files", "C", path=str(tmp_path)).failed
                wait_until(lambda: shows() == desk.lake.snapshot(), following)
                assert ask(postgres_url, "SELECT symbol, close FROM market.bars WHERE symbol = 'C'") == [
                    ("C", 2)
                ]
                desk.delete("B", start="2020-01-10")
                wait_until(lambda: shows() == desk.lake.snapshot(), following)
                in_step(desk, postgres_url)
                following.send_signal(signal.SIGINT)
                _, errors = following.communicate(timeout=120)
            finally:
                following.kill()
        assert "Traceback" not in errors
        assert following.returncode in (0, 1, 130)
        desk.lake.write(rows("A", price=7.0))
        assert desk.mirror(postgres_url).whole == "", "it is gone on with where it was"
        in_step(desk, postgres_url)


def test_a_lake_on_s3_is_mirrored_too(postgres_url, s3_bucket, tmp_path):
    (tmp_path / "tapebook.toml").write_text(f'lake = "{s3_bucket}/desk"\n')
    with Desk.open(tmp_path) as desk:
        desk.lake.write(pd.concat([rows("A"), rows("B")]), actions=action("A", DAYS[9], 2))
        desk.mirror(postgres_url)
        desk.lake.write(rows("A", price=7.0))
        desk.delete("B")
        done = desk.mirror(postgres_url)
        assert (done.written, done.removed, done.whole) == (30, 31, ""), "B's bars and what it was"
        in_step(desk, postgres_url)
