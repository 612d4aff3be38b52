"""Each bundled source keeps the contract of sources."""

from contracts.sources import SourceContract
from tapebook.integration.sources import get

ROWS = "".join(
    f"2020-01-{day:02},{10 + day},{12 + day},{9 + day},{11 + day},{100 * day}\n" for day in (6, 7, 8, 9, 10)
)


class TestSample(SourceContract):
    symbol = "IBM"

    def make(self, tmp_path):
        return get("sample")


class TestSampleIndex(SourceContract):
    symbol = "VIX"

    def make(self, tmp_path):
        return get("sample")


class TestFiles(SourceContract):
    symbol = "ACME"

    def make(self, tmp_path):
        (tmp_path / "ACME.csv").write_text("date,open,high,low,close,volume\n" + ROWS)
        return get("files", path=str(tmp_path), calendar="XNYS")


class TestLongFile(SourceContract):
    symbol = "ACME"

    def make(self, tmp_path):
        lines = [f"{name},{row}\n" for name in ("ACME", "BOLT") for row in ROWS.splitlines()]
        (tmp_path / "all.csv").write_text("symbol,date,open,high,low,close,volume\n" + "".join(lines))
        return get("files", path=str(tmp_path / "all.csv"), calendar="XNYS")
