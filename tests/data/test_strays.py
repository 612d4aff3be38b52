"""Files that no snapshot names: told by a compaction, and removed when that is asked for."""

from contextlib import closing
from dataclasses import replace

import pytest
from click.testing import CliRunner

from contracts.stores import rows, stored
from tapebook.cli import main
from tapebook.config import Config
from tapebook.data import lake_files, s3
from tapebook.data.lake import Lake


@pytest.fixture(params=["folder", "s3"])
def config(request, tmp_path):
    (tmp_path / "tapebook.toml").touch()
    if request.param == "folder":
        return Config.load(tmp_path)
    lake = f"{request.getfixturevalue('s3_bucket')}/desk"
    (tmp_path / "tapebook.toml").write_text(f'lake = "{lake}"\n')
    return replace(Config.load(tmp_path), lake=lake)


def broken_off(lake):
    """A write that dies between its files and its end."""

    class Died(BaseException):
        pass

    def write():
        with lake._store.writing() as work:
            work.cursor.execute("INSERT INTO lake.bars FROM lake.bars")
            raise Died

    with pytest.raises(Died):
        write()


def test_what_a_failed_write_left_is_told_then_removed(config, monkeypatch):
    with closing(Lake.open(config)) as lake:
        lake.write(rows())
        broken_off(lake)
        filesystem, path = s3.files(config.lake)
        filesystem.create_dir(f"{path}/results")
        for name in ("main/bars/left.parquet", "results/zip.parquet", "main/bars/remark.txt"):
            with filesystem.open_output_stream(f"{path}/{name}") as other:
                other.write(b"four")
        assert lake.compact().strays == 0, "it may be a write that goes on"
        monkeypatch.setattr(lake_files, "AGE", -60.0)
        told = lake.compact()
        assert (told.strays, told.stray_bytes, told.removed) == (1, 4, False)
        assert str(told).endswith("`tapebook data compact --strays` removes them")
        state = lake.bars().fingerprint()
    done = CliRunner().invoke(main, ["--home", str(config.home), "data", "compact", "--strays"])
    assert "; 1 files (4 bytes) that no snapshot names removed" in done.output
    names = [file.path.rpartition("/")[2] for file in stored(config)]
    assert "left.parquet" not in names
    assert {"zip.parquet", "remark.txt"} <= set(names), "nothing else goes"
    with closing(Lake.open(config)) as lake:
        assert lake.bars().fingerprint() == state
        assert lake.compact().strays == 0
