"""PostgreSQL stopped and started in the middle: work goes on, nothing is lost or doubled."""

import os
import pwd
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from tempfile import mkdtemp

import polars as pl
import pytest

from conftest import postgres_binaries
from tapebook import Desk
from tapebook.data import again
from tapebook.errors import ConfigError, TapebookError
from tapebook.integration.sources import Fetched, Instrument


class Server:
    """A PostgreSQL server that may be stopped as if the plug were pulled, with what it wrote kept."""

    def __init__(self):
        binaries = postgres_binaries() or pytest.skip("install PostgreSQL for the team storage tests")
        self.binaries, root = binaries, os.geteuid() == 0
        account = "postgres" if root else pwd.getpwuid(os.geteuid()).pw_name
        self.folder = Path(mkdtemp(prefix="tapebook-restart-"))
        if root:
            shutil.chown(self.folder, account)
        self.prefix = ["runuser", "-u", account, "--"] if root else []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.call("initdb", "-D", str(self.folder / "db"), "-A", "trust", "-U", "tapebook", "--no-sync")
        self.start()

    def database(self, name):
        """URL of a new database."""
        self.call("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tapebook", name)
        return f"postgresql://tapebook@127.0.0.1:{self.port}/{name}"

    def call(self, program, *args):
        run = [*self.prefix, str(self.binaries / program), *args]
        subprocess.run(run, check=True, cwd="/", stdout=subprocess.DEVNULL)

    def start(self):
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        self.call(
            "pg_ctl",
            "-D",
            str(self.folder / "db"),
            "-w",
            "-l",
            str(self.folder / "log"),
            "-o",
            options,
            "start",
        )

    def stop(self, how):
        self.call("pg_ctl", "-D", str(self.folder / "db"), "-m", how, "stop")


@pytest.fixture(scope="module")
def server():
    made = Server()
    yield made
    made.stop("immediate")
    shutil.rmtree(made.folder)


class Shelf:
    """Day after day of some symbols."""

    name = "shelf"

    def __init__(self, day):
        ts = pl.Series([day * 86_400_000_000]).cast(pl.Datetime("us", "UTC"))
        prices = dict.fromkeys(("open", "high", "low", "close", "volume"), [day + 1.0])
        self.bars = pl.DataFrame({"ts": ts, **prices})

    def symbols(self, freq):
        return [f"S{n}" for n in range(5)]

    def fetch(self, symbol, *, freq, start, end):
        return Fetched(self.bars, Instrument(symbol))


def test_ingestion_goes_on_after_the_server_was_away(server, tmp_path):
    (tmp_path / "tapebook.toml").write_text(f'database = "{server.database("bars")}"\n')
    done, faults, over = [], [], threading.Event()

    def work():
        try:
            with Desk.open(tmp_path) as desk:
                day = 0
                while not over.is_set() or day < 5:
                    ingested = desk.ingest(Shelf(day))
                    assert not ingested.failed, ingested
                    done.append(day)
                    day += 1
                    assert len(desk.bars(adjust=False)) == day
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for how in ("immediate", "fast", "immediate"):
            reached = len(done)
            while len(done) < reached + 2 and thread.is_alive():
                time.sleep(0.05)
            server.stop(how)
            time.sleep(0.5)
            server.start()
    finally:
        over.set()
        thread.join(120)
    assert not faults, faults
    with Desk.open(tmp_path) as desk:
        days = len(done)
        counts = desk.sql(
            "SELECT symbol, count(*) AS n, count(DISTINCT ts) AS keys FROM bars GROUP BY symbol"
        )
        assert counts["n"].tolist() == counts["keys"].tolist() == [days] * 5
        told = desk.events(None, topics=["bars.updated"])
        assert sum(event.added for event in told) == 5 * days, "one event a snapshot, none lost or doubled"
        assert len({event.snapshot for event in told}) == len(told)


def test_runs_go_on_after_the_server_was_away(server, tmp_path):
    (tmp_path / "tapebook.toml").write_text(f'database = "{server.database("runs")}"\n')
    with Desk.open(tmp_path) as desk:
        desk.ingest("sample", ["AAPL"])
        before = set(desk.runs()["id"])

        def restart():
            time.sleep(3)
            server.stop("immediate")
            time.sleep(0.5)
            server.start()

        thread = threading.Thread(target=restart)
        thread.start()
        grid = {"fees": [0.001, 0.002, 0.003, 0.004]}
        batch = desk.run_many("backtest", grid, symbols="AAPL", strategy="sma_cross", jobs=2)
        thread.join()
        frame = batch.frame()
        assert set(frame["outcome"]) == {"succeeded"}, frame.to_dict("records")
        runs = desk.runs()
        runs = runs[~runs["id"].isin(before)]
        assert "running" not in set(runs["outcome"])
        ended = [
            event.run for event in desk.events(None, topics=["run.finished"]) if event.run in set(runs["id"])
        ]
        assert sorted(ended) == sorted(runs["id"]), "each told once"


def test_what_does_not_come_back_is_told(monkeypatch):
    monkeypatch.setattr(again, "PATIENCE", 0.3)
    tries = []

    def act():
        tries.append(1)
        raise ConfigError("cannot reach the database: connection refused")

    with pytest.raises(TapebookError, match="has been away for 0 seconds: start it"):
        again.again(act)
    assert len(tries) > 1
    with pytest.raises(ConfigError):
        again.again(act, met=False)
    assert again.again(lambda: 7) == 7
