"""What somebody wants changed, read from a call, a frame or a CSV file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.data.when import first_moment
from tapebook.errors import BadInput, BadParameter, NoData, UnknownName
from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    import polars as pl

WAS = tuple(f"was_{name}" for name in FIELDS)
_STAMPS = ("ts", "date", "time", "datetime")


def asked(bars: Any, ts: str | datetime | None, freq: str, fields: Mapping[str, float]) -> pl.DataFrame:
    """Return symbol, freq, ts and the five fields (null stays as it is), and what was seen (`was_…`).

    Raises
    ------
    BadInput
        With file, line and column of what cannot be read.
    BadParameter, UnknownName
        Of a call.
    """
    import polars as pl

    length = str(Frequency.parse(freq))
    if isinstance(bars, str) and ts is not None:
        return _one(bars, ts, length, fields)
    if ts is not None or fields:
        raise BadInput("a time and fields go with one symbol; a table has them in its columns")
    if isinstance(bars, (str, Path)):
        return _read(_file(Path(bars)), length, str(bars), first=2)
    if not isinstance(bars, pl.DataFrame):
        import pandas as pd

        if not isinstance(bars, pd.DataFrame):
            raise BadParameter("bars", bars, "a symbol with a time, a table, or a CSV file")
        bars = pl.DataFrame({str(name): bars[name].tolist() for name in bars.columns}, strict=False)
    return _read(bars, length, "the table", first=0)


def scaled(held: Any, freq: str, times: float) -> pl.DataFrame:
    """Return what the lake holds (symbol, ts, fields) with its four prices multiplied, and what was there."""
    import polars as pl

    if not times > 0 or times == float("inf"):
        raise BadParameter("times", times, "a number above 0")
    rows = pl.DataFrame(held)
    if not len(rows):
        raise NoData("there is no bar in this span")
    was = [pl.col(name).alias(f"was_{name}") for name in FIELDS]
    prices = [pl.col(name) * times for name in FIELDS[:4]]
    length = pl.lit(str(Frequency.parse(freq))).alias("freq")
    return _whole(rows.select("symbol", length, "ts", *prices, "volume", *was))


def _one(symbol: str, ts: str | datetime, freq: str, fields: Mapping[str, float]) -> pl.DataFrame:
    import polars as pl

    for name in fields:
        if name not in (*FIELDS, *WAS):
            raise UnknownName("field", name, (*FIELDS, *WAS))
    if not set(fields) & set(FIELDS):
        raise BadParameter("fields", dict(fields), f"at least one of {', '.join(FIELDS)}")
    row = {"symbol": symbol.strip(), "freq": freq, "ts": _moment(ts)} | dict(fields)
    return _whole(pl.DataFrame([row]))


def _moment(value: Any) -> datetime:
    found = first_moment(value, "ts")
    assert found is not None
    return found.to_pydatetime()


def _file(path: Path) -> pl.DataFrame:
    import polars as pl

    if not path.is_file():
        raise BadInput(f"there is no file {path}: expected a CSV file with symbol, ts and fields")
    try:
        return pl.read_csv(path, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise BadInput(f"{path} cannot be read as CSV: {error}") from error


def _read(rows: pl.DataFrame, freq: str, where: str, first: int) -> pl.DataFrame:
    """Read columns by name, each cell by itself, so that a fault is told by its line."""
    import polars as pl

    names = {name.strip().lower(): name for name in rows.columns}
    stamp = next((name for name in _STAMPS if name in names), None)
    if "symbol" not in names or stamp is None:
        raise BadInput(f"{where} has the columns {', '.join(rows.columns)}: expected symbol, ts and fields")
    for name in names:
        if name not in ("symbol", stamp, "freq", *FIELDS, *WAS):
            raise UnknownName(f"column of {where}", name, ("symbol", "ts", "freq", *FIELDS, *WAS))
    if not set(names) & set(FIELDS):
        raise BadInput(f"{where} changes nothing: expected a column of {', '.join(FIELDS)}")
    made: list[dict[str, Any]] = []
    for number, row in enumerate(rows.iter_rows(named=True), first):
        said = {name: row[own] for name, own in names.items()}
        try:
            one = {"symbol": str(said["symbol"] or "").strip(), "ts": _moment(said[stamp])}
            if not one["symbol"]:
                raise BadParameter("symbol", said["symbol"], "a name")
            one["freq"] = str(Frequency.parse(str(said["freq"]))) if said.get("freq") else freq
            one |= {name: _number(name, said[name]) for name in (*FIELDS, *WAS) if name in said}
        except (BadParameter, BadInput) as error:
            raise BadInput(f"{where}, {'line' if first else 'row'} {number}: {error}") from error
        made.append(one)
    if not made:
        raise BadInput(f"{where} has no row")
    return _whole(pl.DataFrame(made, infer_schema_length=None))


def _number(name: str, value: Any) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()) or value != value:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise BadParameter(name, value, "a number, or nothing to leave what is there") from None


def _whole(rows: pl.DataFrame) -> pl.DataFrame:
    """All columns, of the lake's types; a daily bar has a date alone."""
    import polars as pl

    none = [pl.lit(None, pl.Float64).alias(name) for name in FIELDS if name not in rows.columns]
    numbers = [
        pl.col(name).cast(pl.Float64).fill_nan(None) for name in rows.columns if name in (*FIELDS, *WAS)
    ]
    made = rows.select("symbol", "freq", pl.col("ts").cast(pl.Datetime("us", "UTC")), *numbers, *none)
    infinite = made.filter(pl.any_horizontal(*[pl.col(name).is_infinite() for name in FIELDS]))
    if len(infinite):
        raise BadInput(f"the bar {infinite['symbol'][0]} {infinite['ts'][0]:%Y-%m-%d %H:%M} is infinite")
    for symbol, freq, ts in made.select("symbol", "freq", "ts").iter_rows():
        if not Frequency.parse(freq).intraday and f"{ts:%H:%M:%S}" != "00:00:00":
            raise BadInput(f"{symbol} {ts:%Y-%m-%d %H:%M} has a time of day, and a bar of {freq} has none")
    return made
