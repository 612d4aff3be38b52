"""A lake on S3: what is wrong is told by the variable that mends it, and nothing is half-written."""

import sqlite3
from dataclasses import replace
from urllib.request import Request, urlopen

import pytest

from contracts.stores import finding, rows, stored
from tapebook.config import Config
from tapebook.data import s3
from tapebook.data.lake import Lake
from tapebook.errors import ConfigError

SECRET = "planted-s3-secret-of-the-tests"


@pytest.fixture
def config(tmp_path, s3_bucket):
    return replace(Config.load(tmp_path), lake=f"{s3_bucket}/desk")


def test_an_embedded_desk_keeps_its_files_on_s3(config, tmp_path):
    with Lake.open(config) as lake:
        first = lake.write(rows(), quality=finding())
        lake.write(rows("B"))
        lake.write(rows(price=200.0))
        assert lake.compact(keep=[first.snapshot]).dropped
        assert lake.delete("B").removed == 10
    with Lake.open(config, read_only=True) as again:
        assert again.bars("A", asof=first.snapshot).close["A"].iloc[0] == 100
        assert again.bars("A").close["A"].iloc[0] == 200
        assert again.sql("SELECT count(*) AS n FROM adjusted").n[0] == 10
    assert all("/desk/main/" in file.path for file in stored(config))
    assert not [file for file in tmp_path.rglob("*") if file.suffix == ".parquet" or file.name == "lake"]
    assert SECRET.encode() not in (tmp_path / "data" / "lake.sqlite").read_bytes()


def broken(what, monkeypatch, s3_server):
    """Break one thing; return what mends it again."""

    def ask_who_comes_after(requests):
        said = {"data": requests, "method": "POST", "headers": {"Content-Type": "text/plain"}}
        urlopen(Request(f"{s3_server}/moto-api/reset-auth", **said)).close()

    if what == "credentials":  # from now on moto asks, and knows nobody
        ask_who_comes_after(b"0")
        return lambda: ask_who_comes_after(b"inf")
    monkeypatch.setenv("AWS_ENDPOINT_URL", what)
    return lambda: monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("http://127.0.0.1:1", r"http://127.0.0.1:1 cannot be reached for s3://.*check AWS_ENDPOINT_URL"),
        ("credentials", r"refuses these credentials for s3://.*AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"),
        ("127.0.0.1:1", r"AWS_ENDPOINT_URL is '127.0.0.1:1': expected a URL"),
    ],
)
def test_s3_that_cannot_be_used_says_which_variable_to_mend(config, s3_server, monkeypatch, what, told):
    new = replace(
        config, lake=config.lake + "-new", database=config.database.replace("desk.sql", "new/desk.sql")
    )
    with Lake.open(config) as lake:
        lake.write(rows())
        before = lake.write(rows("B")).snapshot
    mend = broken(what, monkeypatch, s3_server)
    tries = [
        lambda lake: lake.write(rows("C")),
        lambda lake: lake.bars("A"),
        lambda lake: lake.sql("SELECT sum(close) FROM bars"),
        lambda lake: lake.compact(),
    ]
    try:
        for there, attempts in ((config, tries), (new, tries[:1])):
            for attempt in attempts:
                with Lake.open(there) as lake, pytest.raises(ConfigError, match=told) as caught:
                    attempt(lake)
                assert SECRET not in str(caught.value)
                assert "key-of-the-tests" not in str(caught.value)
    finally:
        mend()
    with Lake.open(config) as lake:
        assert lake.snapshot() == before
        assert lake.listing().symbol.tolist() == ["A", "B"]
    with Lake.open(new) as lake:
        assert lake.listing().empty
        assert stored(new) == []
        assert lake.write(rows()).added == 10


def test_a_bucket_that_is_none_is_named(config, tmp_path):
    missing = replace(config, lake="s3://no-such-bucket-here/desk")
    with Lake.open(missing) as lake:
        with pytest.raises(ConfigError, match=r"no bucket 'no-such-bucket-here' at http://.*TAPEBOOK_LAKE"):
            lake.write(rows())
        assert lake.listing().empty
    assert not list((tmp_path / "data").glob("*.sqlite"))


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_a_missing_credential_is_named(config, monkeypatch, name):
    monkeypatch.delenv(name)
    with Lake.open(config) as lake, pytest.raises(ConfigError, match=f"{name} is not set: S3 needs"):
        lake.write(rows())


def test_a_killed_write_leaves_the_lake_as_it_was(config, monkeypatch):
    """Files of a transaction that never ended lie in the bucket; the catalogue does not know them."""
    import tapebook.data.write as write

    with Lake.open(config) as lake:
        before = lake.write(rows("A")).snapshot
        monkeypatch.setattr(write, "_replace_quality", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            lake.write(rows("B"), quality=finding("B"))
        monkeypatch.undo()
    database = sqlite3.connect(
        config.database.removeprefix("sqlite:///").replace("desk.sqlite", "lake.sqlite")
    )
    assert database.execute("SELECT max(snapshot_id) FROM ducklake_snapshot").fetchone()[0] == before
    database.close()


def test_what_is_printed_of_the_entrance_is_no_credential(s3_bucket):
    enter = s3.Entrance.of_environment(s3_bucket)
    assert SECRET not in repr(enter)
    assert "key-of-the-tests" not in repr(enter)


@pytest.mark.parametrize("lake", ["gs://bucket/desk", "s3://", "https://example.com/lake"])
def test_a_lake_that_is_neither_folder_nor_bucket_is_refused(tmp_path, monkeypatch, lake):
    monkeypatch.setenv("TAPEBOOK_LAKE", lake)
    with pytest.raises(ConfigError, match=f"lake is '{lake}': expected a folder, or s3://bucket/prefix"):
        Config.load(tmp_path)
