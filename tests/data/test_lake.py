"""The lake's contract on a SQLite and on a PostgreSQL catalogue."""

from dataclasses import replace

import pytest

from contracts.stores import LakeContract
from tapebook.config import Config
from tapebook.data.lake import Lake
from tapebook.errors import ConfigError


class TestSqliteLake(LakeContract):
    @pytest.fixture
    def config(self, tmp_path):
        return Config.load(tmp_path / "desk")


class TestPostgresLake(LakeContract):
    @pytest.fixture
    def config(self, tmp_path, postgres_url):
        return replace(Config.load(tmp_path / "desk"), database=postgres_url)


def test_a_catalogue_that_is_none_says_so(tmp_path):
    config = Config.load(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "lake.sqlite").write_text(
        "this is no database, but some text of a certain length" * 30
    )
    with pytest.raises(ConfigError, match="cannot open the lake at .*lake.sqlite"):
        Lake.open(config).listing()


def test_an_unreachable_server_says_so(tmp_path):
    config = replace(Config.load(tmp_path), database="postgresql://nobody:secret@127.0.0.1:1/none")
    with pytest.raises(ConfigError, match="cannot reach the database of `database=`") as caught:
        Lake.open(config).listing()
    assert "secret" not in str(caught.value)


def test_a_moved_desk_opens(tmp_path):
    from contracts.stores import rows

    with Lake.open(Config.load(tmp_path / "here")) as lake:
        lake.write(rows())
    (tmp_path / "here").rename(tmp_path / "there")
    with Lake.open(Config.load(tmp_path / "there")) as lake:
        assert len(lake.bars("A")) == 10
