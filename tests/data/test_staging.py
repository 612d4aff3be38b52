"""What cannot be written is said, and leaves nothing half there."""

import errno
import os

import pytest
from click.testing import CliRunner

from tapebook import Desk
from tapebook.cli import main
from tapebook.data.staging import staged
from tapebook.errors import TapebookError


def test_a_folder_is_there_whole_or_not_at_all(tmp_path):
    with staged(tmp_path / "bt-1") as part:
        part.mkdir()
        (part / "a").write_text("1")
        assert not (tmp_path / "bt-1").exists()
    assert (tmp_path / "bt-1" / "a").read_text() == "1"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_refuses_is_told_and_nothing_is_left(tmp_path, number):
    def write(error):
        with staged(tmp_path / "bt-2") as part:
            part.mkdir()
            raise error

    with pytest.raises(TapebookError, match=rf"bt-2 cannot be kept in .*: {os.strerror(number)}. Make room"):
        write(OSError(number, os.strerror(number)))
    with pytest.raises(KeyboardInterrupt):
        write(KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_says_it_without_a_traceback(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "/full/there")

    monkeypatch.setattr(Desk, "schedules", full)
    done = CliRunner().invoke(main, ["--home", str(tmp_path), "schedule", "list"])
    assert done.exit_code == 1
    assert "Error: No space left on device (/full/there): make room there" in done.stderr
