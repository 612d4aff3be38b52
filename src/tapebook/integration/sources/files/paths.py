"""Which files a path means, and which symbol a file's name says."""

from __future__ import annotations

from collections.abc import Container
from glob import glob
from pathlib import Path

from tapebook.errors import BadInput

_PACKED = (".gz", ".zst", ".zstd", ".bz2", ".xz")
_KINDS = (".csv", ".txt", ".tsv", ".parquet", ".pq")


def found_files(path: str) -> list[Path]:
    """Return the files at a path, in a folder, or of a pattern, in the order of their names.

    Raises
    ------
    BadInput
        If there are none.
    """
    place = Path(path).expanduser()
    if place.is_dir():
        files = [file for file in place.iterdir() if file.is_file() and not file.name.startswith(".")]
        wanted = sorted(file for file in files if _suffix(file) in _KINDS)
        if not wanted:
            others = ", ".join(sorted(file.name for file in files)[:5]) or "no files at all"
            raise BadInput(
                f"{path}: this folder holds no CSV or Parquet file ({', '.join(_KINDS)}, plain or .gz), "
                f"but {others}."
            )
        return wanted
    if place.is_file():
        return [place]
    found = glob(str(place), recursive=True)  # noqa: PTH207 - a pattern may be absolute
    files = sorted(Path(name) for name in found if Path(name).is_file())
    if not files:
        raise BadInput(
            f"{path}: there is no such file or folder, and no file fits it as a pattern such as "
            "'prices/*.csv.gz'."
        )
    return files


def stem(file: Path) -> str:
    """Return the symbol that a file's name says.

    >>> stem(Path("prices/BRK.B.csv.gz"))
    'BRK.B'
    """
    name = _unpacked(file)
    return Path(name).stem if Path(name).suffix else name


def _suffix(file: Path) -> str:
    return Path(_unpacked(file)).suffix.lower()


def _unpacked(file: Path) -> str:
    return file.stem if file.suffix.lower() in _PACKED else file.name


def refuse_twins(symbol: str, owners: list[Path], long: Container[Path]) -> None:
    """A symbol may be spread over files of many symbols, but not lie in two files of its own."""
    stems = {stem(file) for file in owners}
    if len(owners) > 1 and (len(stems) < len(owners) or any(file not in long for file in owners)):
        raise BadInput(
            f"symbol {symbol!r} is in {len(owners)} files: {', '.join(str(file) for file in owners[:5])}. "
            "Remove one, or pass a path that names the one to read."
        )
