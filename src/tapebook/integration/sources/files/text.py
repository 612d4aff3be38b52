"""From a file to its text: decompressed and decoded, whatever its suffix claims."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zlib
from pathlib import Path

from tapebook.errors import BadInput

EXPECTED = (
    "expected CSV text (.csv, .txt, .tsv) or Parquet (.parquet, .pq), plain or compressed as .gz, .bz2, .xz "
    "or .zst"
)
PARQUET = b"PAR1"
_HEAD = 16 * 1024
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_FOREIGN = {
    b"PK\x03\x04": "an Excel workbook or a zip archive: save it as CSV, or unpack it first",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save it as CSV first",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"SQLite format 3": "a SQLite database",
    b"\x89HDF": "an HDF5 file: write it as Parquet first",
}
_MARKUP = {
    "<html": "a web page, perhaps what a download answered instead of prices",
    "<!doctype": "a web page, perhaps what a download answered instead of prices",
    "<?xml": "XML",
    "{": "JSON",
    "[": "JSON",
}
_JUNK = re.compile("[\x00-\x08\x0e-\x19\x1c-\x1f\ufffd]")


def read_bytes(file: Path, head: bool = False) -> bytes:
    """Return the file's content, decompressed; with `head` only its beginning.

    Raises
    ------
    BadInput
        If the file cannot be opened, is empty, or its compression is broken.
    """
    try:
        raw = _decompressed(file, _HEAD if head else -1)
    except PermissionError as error:
        raise BadInput(f"{file}: may not be read (permission denied). Ask for read access to it.") from error
    except FileNotFoundError as error:
        raise BadInput(f"{file}: there is no such file.") from error
    except IsADirectoryError as error:
        raise BadInput(f"{file}: is a folder; {EXPECTED}.") from error
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise BadInput(
            f"{file}: cannot be read or decompressed ({error}). Is the download complete? "
            f"{EXPECTED.capitalize()}."
        ) from error
    if not raw.strip():
        raise BadInput(f"{file}: is empty; {EXPECTED}.")
    return raw


def _decompressed(file: Path, size: int) -> bytes:
    with file.open("rb") as plain:
        magic = plain.read(6)
        plain.seek(0)
        if magic.startswith(b"\x1f\x8b"):
            return gzip.GzipFile(fileobj=plain).read(size)
        if magic.startswith(b"BZh"):
            return bz2.BZ2File(plain).read(size)
        if magic.startswith(b"\xfd7zXZ"):
            return lzma.LZMAFile(plain).read(size)
        if magic.startswith(b"\x28\xb5\x2f\xfd"):
            return _zstd(plain.read(), size)
        return plain.read(size)


def _zstd(packed: bytes, size: int) -> bytes:
    import pyarrow as pa

    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        return bytes(stream.read(None if size < 0 else size))


def decode(raw: bytes, file: Path) -> str:
    """Return the text of a CSV file: UTF-8, UTF-16 and -32 by their mark, otherwise Western (cp1252).

    Line ends become a single newline; lines keep their number.
    """
    for magic, what in _FOREIGN.items():
        if raw.startswith(magic):
            raise BadInput(f"{file}: is {what}; {EXPECTED}.")
    text = _decoded(raw)
    beginning = text[:4096]
    for sign, what in _MARKUP.items():
        if beginning.lstrip().lower().startswith(sign):
            raise BadInput(f"{file}: is {what}; {EXPECTED}.")
    junk = len(_JUNK.findall(beginning))
    if junk > len(beginning) * 0.02:
        raise BadInput(f"{file}: is binary data, not text; {EXPECTED}.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(raw: bytes) -> str:
    for mark, encoding in _BOMS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(encoding, errors="replace")
    unmarked = _unmarked_utf16(raw)
    if unmarked:
        return raw.decode(unmarked, errors="replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start >= len(raw) - 4 and len(raw) >= _HEAD:  # the head was cut within a letter
            return raw[: error.start].decode("utf-8")
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _unmarked_utf16(raw: bytes) -> str:
    """Western text in UTF-16 has a zero in every other byte."""
    sample = raw[:2000]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > len(sample) * 0.4 and even == 0:
        return "utf-16-le"
    return "utf-16-be" if even > len(sample) * 0.4 and odd == 0 else ""
