"""The lake's contract on a SQLite and on a PostgreSQL catalogue, in a folder and on S3."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from contracts import lake_processes as processes
from contracts.stores import LakeContract
from tapebook.config import Config
from tapebook.data import ask
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


@pytest.mark.slow  # as long as the two above together; test_s3.py has what S3 adds
class TestS3Lake(LakeContract):
    @pytest.fixture
    def config(self, tmp_path, postgres_url, s3_bucket):
        return replace(Config.load(tmp_path / "desk"), database=postgres_url, lake=f"{s3_bucket}/team/lake")


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


def test_a_lake_whose_folder_another_machine_has_says_so(tmp_path, postgres_url):
    from contracts.stores import rows

    ann, bob = (replace(Config.load(tmp_path / name), database=postgres_url) for name in ("ann", "bob"))
    with Lake.open(ann) as lake:
        lake.write(rows())
    for use in (lambda lake: lake.bars("A"), lambda lake: lake.write(rows("B"))):
        with (
            Lake.open(bob) as lake,
            pytest.raises(ConfigError, match="no folder .*bob/data/lake: set .lake"),
        ):
            use(lake)
    assert not (tmp_path / "bob").exists()


def test_a_moved_desk_opens(tmp_path):
    from contracts.stores import rows

    with Lake.open(Config.load(tmp_path / "here")) as lake:
        lake.write(rows())
    (tmp_path / "here").rename(tmp_path / "there")
    with Lake.open(Config.load(tmp_path / "there")) as lake:
        assert len(lake.bars("A")) == 10


def test_an_answer_that_a_second_deletion_overtook_is_asked_again(tmp_path, monkeypatch):
    """DuckLake writes the deletions of two writes into one file; SQLite's tables are read one by one."""
    config = Config.load(tmp_path)
    with Lake.open(config) as lake, Lake.open(config) as reader:

        def write(writer, number):
            frames = processes.batch(writer, number)
            lake.write(frames[0], actions=frames[1], quality=frames[2])

        write(0, 0)
        write(1, 0)
        lake.compact()
        write(1, 1)
        asked, run = [], ask._run

        def overtaken(cursor, query, parameters):
            asked.append(query)
            if len(asked) > 1:
                return run(cursor, query, parameters)
            cursor.execute(
                "SELECT count(*) FROM lake.bars"
            ).fetchone()  # its transaction holds this from here
            write(0, 1)
            return ask._plain(cursor.execute(query).to_arrow_table())

        monkeypatch.setattr(ask, "_run", overtaken)
        assert processes.whole_batches(reader) == {"w0": 2, "w1": 2}
        assert len(asked) == 2


def test_a_lake_opens_on_a_machine_that_never_loaded_an_extension(tmp_path):
    code = "from tapebook.data.duck import connect; connect(embedded=True)"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "HOME": str(tmp_path)})
