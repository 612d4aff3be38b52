"""A desk is copied to a team's database and bucket and back; runs, results, credentials mean the same."""

import shutil
import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from contracts.stores import stored
from tapebook import Desk
from tapebook.cli import main
from tapebook.data.catalog.rows import Rows
from tapebook.data.copying import rows as copied_rows
from tapebook.data.copying import target_of
from tapebook.errors import BadParameter, ConfigError, TapebookError


@pytest.fixture(scope="module")
def master(shared_home):
    """A desk with something of everything: revised bars, a result, a run, a credential, trash."""
    home = shared_home
    with Desk.open(home) as desk:
        desk.backtest("sma_cross", ["AAPL", "IBM"], fast=5, slow=40)
        frame = desk.lake.read("AAPL").to_pandas().tail(3).assign(freq="1d", close=1.0)
        desk.lake.write(frame, note="revised")
        desk.secrets.set("vendor", "planted-vendor-secret")
        desk.delete_result(desk.backtest("sma_cross", "IBM", fast=9, slow=40).id)
        desk.delete("MSFT")
    return home


@pytest.fixture
def home(master, tmp_path):
    """A desk of this test's own."""
    return shutil.copytree(master, tmp_path / "source", ignore=shutil.ignore_patterns("*.lock"))


def told(desk):
    """What must be the same at both places."""
    first, runs = desk.results()["id"].tolist()[-1], desk.runs()["id"].tolist()
    return {
        "now": desk.bars().fingerprint(),
        "then": desk.bars(asof=desk.lake.snapshots()["id"].iloc[0]).fingerprint(),
        "snapshots": desk.lake.snapshots().to_csv(),
        "result": desk.load(first).metrics.to_json(),
        "runs": [desk.load_run(run).metrics for run in runs],
        "results": desk.results().to_csv(),
        "trash": desk.trash().to_csv(),
        "secret": desk.secret("vendor").reveal(),
        "trials": desk.trials().to_csv(),
        "events": [event.model_dump_json() for event in desk.events()],
    }


def opened(config):
    return Desk(config)


@pytest.mark.slow
def test_to_a_team_on_s3_and_back_all_means_the_same(home, postgres_url, s3_bucket, tmp_path, monkeypatch):
    with Desk.open(home) as desk:
        desk.run("backtest", strategy="sma_cross", symbols="AAPL", params="fast=5 slow=40")
        before, files = told(desk), sorted(p for p in home.rglob("*") if "lock" not in p.name)
        done = desk.copy(postgres_url, lake=f"{s3_bucket}/team")
        target = target_of(desk.config, postgres_url, f"{s3_bucket}/team")
        run, bt = desk.runs()["id"].iloc[0], desk.results()["id"].tolist()[-1]
        numbers = desk.lake.snapshot()
        assert told(desk) == before, "the source is as it was"
        assert [p for p in sorted(home.rglob("*")) if "lock" not in p.name] == files
    assert done.tables["results"].rows == 2
    assert done.records == {"results": 3, "reports": 1}
    assert done.missing == []
    assert "bars of 8 series, " in str(done)

    elsewhere = shutil.copytree(
        home / "data", tmp_path / "bob" / "data", ignore=lambda *_: ["lake", "results"]
    )
    for file in elsewhere.glob("*.sqlite*"):
        file.unlink()
    monkeypatch.setenv("TAPEBOOK_DATABASE", postgres_url)
    monkeypatch.setenv("TAPEBOOK_LAKE", f"{s3_bucket}/team")
    with Desk.open(tmp_path / "bob") as bob:
        assert bob.config.lake == target.lake
        assert told(bob) == before
        assert bob.rerun(run).metrics == bob.load_run(run).metrics
        assert bob.rerun_result(bt).metrics.to_json() != "", "and numbering goes on"
        assert (
            bob.lake.write(bob.lake.read("IBM").to_pandas().tail(1).assign(freq="1d", close=2.0)).snapshot
            == numbers + 1
        )
        bob.compact()
        state = told(bob)
        back = bob.copy(str(tmp_path / "back"))
        assert back.tables["results"].rows == 4
        assert told(bob) == state
    monkeypatch.delenv("TAPEBOOK_DATABASE")
    monkeypatch.delenv("TAPEBOOK_LAKE")
    shutil.copy(home / "data" / "secrets.key", tmp_path / "back" / "data")
    with Desk.open(tmp_path / "back") as again:
        assert told(again) == state
        assert again.backtest("sma_cross", "IBM", fast=3, slow=30).id in again.results()["id"].tolist()


def test_to_a_team_in_a_folder_with_the_command(home, postgres_url, tmp_path):
    def typed(*words):
        done = CliRunner().invoke(main, ["--home", str(home), "copy", *words])
        return done.exit_code, done.output

    code, said = typed("--to", postgres_url)
    assert code == 1
    assert "'lake' is None: expected a folder that the whole team sees, or s3://bucket/prefix" in said
    where = ["--to", postgres_url, "--lake", str(tmp_path / "shared")]
    code, said = typed(*where, "--dry-run")
    assert (code, (tmp_path / "shared").exists()) == (0, False)
    assert "nothing was written" in said
    assert "of 2 results and scans, 0 runs" in said
    code, said = typed(*where)
    assert code == 0, said
    assert "every count and checksum is the same at both places" in said
    assert f"TAPEBOOK_LAKE={tmp_path / 'shared'}" in said
    code, said = typed(*where)
    assert code == 1
    assert f"{postgres_url} and {tmp_path / 'shared'} are not empty: they hold " in said
    assert "bars of 8 series" in said
    assert "A desk is copied into an empty place only" in said
    with (
        Desk.open(home) as desk,
        opened(target_of(desk.config, postgres_url, str(tmp_path / "shared"))) as team,
    ):
        assert told(team) == told(desk)


class Stopped(BaseException):
    """Somebody pressed Ctrl-C."""


@pytest.mark.parametrize("kind", ["embedded", pytest.param("team", marks=pytest.mark.slow)])
def test_what_did_not_end_cannot_be_opened_and_goes_on_with_again(home, request, tmp_path, monkeypatch, kind):
    to = str(tmp_path / "other") if kind == "embedded" else request.getfixturevalue("postgres_url")
    lake = str(tmp_path / "files")
    with Desk.open(home) as desk:
        before, target = told(desk), target_of(desk.config, to, lake)
        with monkeypatch.context() as broken:
            broken.setattr(copied_rows, "_last", lambda *_: (_ for _ in ()).throw(Stopped()))
            with pytest.raises(Stopped):
                desk.copy(to, lake=lake)
        for use in (lambda d: d.runs(), lambda d: d.bars(), lambda d: d.ingest("sample")):
            with opened(target) as half, pytest.raises(ConfigError, match="unfinished copy.*--again"):
                use(half)
        with pytest.raises(TapebookError, match="begun before and did not end: go on with it with --again"):
            desk.copy(to, lake=lake)
        there = {file.path: file.mtime for file in stored(target)}
        assert there
        damaged = next(path for path in there if path.endswith(".parquet"))
        with open(damaged, "r+b") as file:  # noqa: PTH123
            file.truncate(100)
        desk.copy(to, lake=lake, again=True)
        kept = [path for path, at in there.items() if path != damaged and stored_at(target, path) == at]
        assert len(kept) == len(there) - 1, "files that were there already stay"
        assert told(desk) == before
        if kind == "embedded":
            shutil.copy(home / "data" / "secrets.key", target.home / "data")
        with opened(target) as team:
            assert told(team) == before


def stored_at(config, path):
    return next(file.mtime for file in stored(config) if file.path == path)


@pytest.mark.slow
def test_a_difference_is_told_and_the_copy_stays_unfinished(home, postgres_url, tmp_path, monkeypatch):
    with Desk.open(home) as desk:
        target = target_of(desk.config, postgres_url, str(tmp_path / "files"))
        really = copied_rows._copy

        def forgetful(given, taken, table):
            tally = really(given, taken, table)
            if table.name == "results":
                taken.execute(sa.update(table).values(note="another"))
            return tally

        monkeypatch.setattr(copied_rows, "_copy", forgetful)
        with pytest.raises(
            TapebookError, match=r"table results differs after the copy: 1 rows \(\w{16}\) at the so"
        ):
            desk.copy(postgres_url, lake=target.lake)
        with opened(target) as half, pytest.raises(ConfigError, match="unfinished copy"):
            half.runs()


@pytest.mark.slow
def test_numbers_are_never_given_twice_after_a_copy(home, postgres_url, tmp_path):
    with Desk.open(home) as desk:
        with closing(sqlite3.connect(home / "data" / "desk.sqlite")) as source:
            source.execute("UPDATE sqlite_sequence SET seq = 4711 WHERE name = 'events'")
            source.commit()
        desk.copy(postgres_url, lake=str(tmp_path / "files"))
        target = target_of(desk.config, postgres_url, str(tmp_path / "files"))
    rows = Rows(target.database)
    with rows.writing() as connection:
        assert (
            connection.scalar(sa.text("SELECT nextval(pg_get_serial_sequence('tapebook.events', 'seq'))"))
            == 4712
        )
    rows.close()
    with opened(target) as team:
        team.copy(str(tmp_path / "back"))
    with closing(sqlite3.connect(tmp_path / "back" / "data" / "desk.sqlite")) as back:
        assert back.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone() == (4712,)


def test_a_place_that_holds_files_or_is_the_source_is_refused(home, tmp_path):
    with Desk.open(home) as desk:
        (tmp_path / "files").mkdir()
        (tmp_path / "files" / "mine.txt").touch()
        with pytest.raises(TapebookError, match="are not empty: they hold 1 files"):
            desk.copy(str(tmp_path / "new"), lake=str(tmp_path / "files"))
        assert not (tmp_path / "new").exists()
        with pytest.raises(ConfigError, match="cannot reach the database") as caught:
            desk.copy("postgresql://ann:planted-password@127.0.0.1:1/desk", lake=str(tmp_path / "other"))
        assert "planted-password" not in str(caught.value)
        with pytest.raises(BadParameter, match="another database than the source's own"):
            desk.copy(desk.config.database, lake=str(tmp_path / "files"))
        with pytest.raises(BadParameter, match="another lake than the source's own"):
            desk.copy(str(tmp_path / "new"), lake=desk.config.lake)


def test_an_empty_desk_can_be_copied(tmp_path):
    (tmp_path / "a").mkdir()
    with Desk.open(tmp_path / "a") as desk:
        desk.copy(str(tmp_path / "b"))
        assert list((tmp_path / "a").iterdir()) == []
    with Desk.open(tmp_path / "b") as desk:
        assert desk.runs().empty
        assert desk.symbols().empty
        assert not desk.ingest("sample", ["IBM"]).failed
