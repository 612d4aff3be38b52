"""A connection to PostgreSQL that breaks in the middle of a write: all is done once, whatever was heard."""

import contextlib
import socket
import threading
import time
from pathlib import Path

import psycopg
import pytest

from data.test_restart import Shelf
from tapebook import Desk


class Wire:
    """Stands between us and PostgreSQL, and cuts a connection at its COMMIT when told to.

    `cut` is "before" (the server never hears of it) or "after" (it is kept, and we never hear of it); `seen`
    says whether the server sees that the connection is gone.
    """

    def __init__(self, host, port):
        self.far, self.cut, self.cuts, self.seen = (host, port), "", 0, True
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):  # closed: the test is over
            while True:
                near, _ = self.server.accept()
                far = socket.create_connection(self.far)
                deaf = threading.Event()
                threading.Thread(target=self.asked, args=(near, far, deaf), daemon=True).start()
                threading.Thread(target=self.told, args=(near, far, deaf), daemon=True).start()

    def asked(self, near, far, deaf):
        with contextlib.suppress(OSError), near, far:
            while data := near.recv(65_536):
                if self.cut and b"COMMIT" in data:
                    cut, self.cut = self.cut, ""
                    self.cuts += 1
                    deaf.set()
                    if cut == "after":
                        far.sendall(data)
                        time.sleep(0.2)
                    near.shutdown(socket.SHUT_RDWR)
                    if self.seen:
                        far.shutdown(socket.SHUT_RDWR)
                    return
                far.sendall(data)

    def told(self, near, far, deaf):
        with contextlib.suppress(OSError):
            while (data := far.recv(65_536)) and not deaf.is_set():
                near.sendall(data)


@pytest.fixture
def wired(postgres_url, tmp_path):
    """A desk whose every connection goes over a wire, and the wire."""
    wire = Wire(
        *postgres_url.partition("@")[2].partition("/")[0].replace("localhost", "127.0.0.1").split(":")
    )
    through = postgres_url.replace(f":{wire.far[1]}/", f":{wire.port}/")
    (tmp_path / "tapebook.toml").write_text(f'database = "{through}"\n')
    with Desk.open(tmp_path) as desk:
        yield desk, wire
    wire.server.close()


@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_commit_whose_answer_is_lost_is_kept_once(wired, cut, seen):
    desk, wire = wired
    wire.seen = seen
    desk.save_screen("first", "close > 1")
    wire.cut = cut
    assert desk.save_screen("second", "close > 2") == 1
    wire.cut = cut
    assert desk.save_screen("second", "close > 3", version=1) == 2, "its own lost update was refused"
    assert wire.cuts == 2
    told = desk.screens()
    assert sorted(told["name"]) == ["first", "second"]
    assert list(told[told["name"] == "second"]["version"]) == [2]
    assert len(desk.catalog.items.history("screen", "second")) == 2


def test_connections_ended_at_any_moment_lose_and_double_nothing(postgres_url, tmp_path):
    (tmp_path / "tapebook.toml").write_text(f'database = "{postgres_url}"\n')
    over, ended = threading.Event(), []
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tapebook'"

    def end():
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            while not over.wait(0.03):
                ended.extend(connection.execute(others).fetchall())

    with Desk.open(tmp_path) as desk:
        desk.save_screen("s0", "close > 0")
        thread = threading.Thread(target=end)
        thread.start()
        try:
            for number in range(1, 25):
                desk.save_screen(f"s{number}", f"close > {number}")
                assert len(desk.screens()) == number + 1
        finally:
            over.set()
            thread.join()
        assert ended
        assert sorted(desk.screens()["name"]) == sorted(f"s{number}" for number in range(25))
        assert set(desk.screens()["version"]) == {1}


def test_an_edit_whose_answer_is_lost_is_one_edit(wired):
    desk, wire = wired
    desk.ingest("sample", ["AAPL"])
    closes = [80.0, 81.0]
    for cut, close in zip(("before", "after"), closes, strict=True):
        wire.cut = cut
        edited = desk.edit_bars("AAPL", "2013-03-01", close=close, reason=f"told {cut}", force=True)
        assert not wire.cut
        assert edited.bars["close"].to_list() == [close]
    assert desk.bars("AAPL", adjust=False).close["AAPL"].iloc[-1] == closes[-1]
    assert list(desk.audit("AAPL")["reason"]) == ["told after", "told before"]


def test_what_the_lake_wrote_is_there_though_nobody_heard_of_it(wired):
    desk, wire = wired
    desk.ingest(Shelf(0))
    for day, cut in enumerate(("before", "after", "after"), start=1):
        wire.cut = cut
        assert not desk.ingest(Shelf(day)).failed
        assert not wire.cut
    before = desk.bars(adjust=False).close
    assert len(before) == 4
    wire.cut = "after"
    desk.compact()
    assert not wire.cut
    assert desk.bars(adjust=False).close.equals(before)
    desk.delete("S0", reason="no longer traded")
    assert not list(Path(desk.config.lake).rglob(".unheard/**/*.parquet"))
    told = desk.events(None, topics=["bars.updated"])
    assert sum(event.added for event in told) == 4 * 5


def test_a_reader_gives_back_what_a_killed_writer_left(wired, tmp_path):
    desk, wire = wired
    desk.ingest(Shelf(0))
    folder = Path(desk.config.lake)
    lost = max(folder.rglob("*.parquet"), key=lambda file: "bars" in str(file))
    kept = folder / ".unheard" / lost.relative_to(folder)
    kept.parent.mkdir(parents=True, exist_ok=True)
    lost.rename(kept)
    with Desk.open(tmp_path) as other:
        assert len(other.bars(adjust=False).close) == 1
