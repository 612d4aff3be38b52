"""What the sources that ask a vendor share: turns, tries, credentials, and bars made of what came."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from tapebook.errors import BadInput, ConfigError
from tapebook.integration.outside import Outside
from tapebook.integration.sources.base import Problem
from tapebook.schema import FIELDS

if TYPE_CHECKING:
    import polars as pl

    from tapebook.integration.web import Page

Answer = TypeVar("Answer")


class Vendor:
    """A source that asks somebody else. `rate` is questions a second; `attach` gives it the desk's outside.

    `listed` False: the vendor has no list of symbols, any may be asked. `incremental`: ingestion asks only
    for what the lake has not. `restates`: prices are adjusted by the vendor, so that a new split changes
    its whole past; when the bar that both have differs, ingestion asks for everything again.
    """

    name: str = ""
    rate: float = 2.0
    listed = False
    incremental = True
    restates = False
    outside = Outside()

    def attach(self, outside: Outside) -> None:
        """Use this desk's vault and pace."""
        self.outside = outside

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Ask in turn and with patience; see `Outside.ask`."""
        return self.outside.ask(self.name, self.rate, question)

    def page(self, url: str, params: Mapping[str, Any] | None = None, **how: Any) -> Page:
        """Fetch a web page, in turn and with patience."""
        from tapebook.integration import web

        return self.ask(lambda: web.get(url, params, **how))

    def json(self, url: str, params: Mapping[str, Any] | None = None, **how: Any) -> Any:
        """Fetch JSON, in turn and with patience; an answer that breaks off is asked for again."""
        from tapebook.integration import web

        return self.ask(lambda: web.get(url, params, **how).json())


def library(module: str, package: str = "") -> Any:
    """Import a vendor's library; ConfigError says what to install when it is not there."""
    try:
        with warnings.catch_warnings():  # what is deprecated in their house is theirs to mend
            warnings.simplefilter("ignore")
            return import_module(module)
    except ImportError as error:
        named = package or module.partition(".")[0]
        raise ConfigError(
            f"the source needs {named}, which is not installed: pip install 'tapebook[sources]' ({error})"
        ) from error


def bars_of(rows: Iterable[Mapping[str, Any]], *, where: str) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Bars of a vendor's rows, each a mapping with ts (aware datetime) and the five fields.

    Rows may come in any order. The same row twice counts once; two rows of one stamp that differ are
    both problems, as nobody can tell which is right. A number that is missing, NaN or infinite is null;
    a row without a close but with another number is a problem, one without any number is no bar.
    """
    import polars as pl

    problems: list[Problem] = []
    found: dict[datetime, tuple[float | None, ...]] = {}
    twice: dict[datetime, int] = {}
    for at, row in enumerate(rows, start=1):
        try:
            values = tuple(number(row.get(name), name) for name in FIELDS)
        except BadInput as error:
            problems.append(Problem(where, at, "", str(row)[:80], str(error)))
            continue
        prices = values[:4]
        if all(value is None for value in prices):
            continue
        stamp = row["ts"]
        if prices[3] is None:
            problems.append(Problem(where, at, "close", "", f"no close at {stamp:%Y-%m-%d %H:%M}"))
        elif stamp in found and found[stamp] != values:
            twice[stamp] = at
        else:
            found[stamp] = values
    for stamp, at in twice.items():
        message = f"two different bars at {stamp:%Y-%m-%d %H:%M}: neither is taken"
        problems.append(Problem(where, at, "ts", str(stamp), message))
        found.pop(stamp)
    stamps = sorted(found)
    data = {name: [found[stamp][i] for stamp in stamps] for i, name in enumerate(FIELDS)}
    schema = {"ts": pl.Datetime("us", "UTC")} | dict.fromkeys(FIELDS, pl.Float64)
    return pl.DataFrame({"ts": stamps, **data}, schema=schema), tuple(problems)


def actions_of(splits: Mapping[datetime, float], dividends: Mapping[datetime, float]) -> pl.DataFrame:
    """Splits (new shares for one old) and dividends (money a share) by ex-date, as `Fetched.actions`."""
    import polars as pl

    stamps = sorted({*splits, *dividends})
    columns = {
        "ts": stamps,
        "split": [splits.get(stamp, 1.0) for stamp in stamps],
        "dividend": [dividends.get(stamp, 0.0) for stamp in stamps],
    }
    return pl.DataFrame(
        columns, schema={"ts": pl.Datetime("us", "UTC"), "split": pl.Float64, "dividend": pl.Float64}
    )


def number(value: Any, column: str) -> float | None:
    """A number as vendors write it; None where there is none (None, "", ".", NaN, infinite).

    >>> number("1.5", "open"), number(".", "open"), number(float("nan"), "open")
    (1.5, None, None)
    """
    if value is None or value in ("", ".", "N/A", "null"):
        return None
    if isinstance(value, bool):
        raise BadInput(f"{column} is {value!r}: expected a number")
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise BadInput(f"{column} is {value!r}: expected a number") from None
    return found if math.isfinite(found) else None


def day(value: str | date) -> datetime:
    """A session's date at 00:00 UTC, from "2020-01-31…" or a date."""
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    try:
        found = date.fromisoformat(value[:10])
    except (TypeError, ValueError):
        raise BadInput(f"{value!r} is no date: expected one such as 2020-01-31") from None
    return datetime(found.year, found.month, found.day, tzinfo=UTC)


def between(bars: pl.DataFrame, start: datetime | None, end: datetime | None) -> pl.DataFrame:
    """Rows stamped from `start` to `end`, both included: vendors send more than was asked for."""
    import polars as pl

    if start is not None:
        bars = bars.filter(pl.col("ts") >= start)
    return bars if end is None else bars.filter(pl.col("ts") <= end)


def columns(row: Mapping[str, Any] | Sequence[str], wanted: Sequence[str], where: str) -> None:
    """Refuse an answer that lacks a column: the vendor has changed what it sends.

    Raises
    ------
    BadInput
        Naming what is missing and what is there.
    """
    missing = [name for name in wanted if name not in row]
    if missing:
        raise BadInput(
            f"{where} has no {', '.join(missing)}: the vendor may have changed its format "
            f"(it has {', '.join(map(str, row)) or 'nothing'})"
        )
