"""Bars in a table of any database that SQLAlchemy speaks to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tapebook import redact
from tapebook.errors import BadInput, BadParameter, ConfigError, UnknownName
from tapebook.integration.outside import Unavailable
from tapebook.integration.sources.base import Fetched, Instrument
from tapebook.integration.sources.stored import Columns, around
from tapebook.integration.sources.vendor import Vendor, bars_of, between
from tapebook.schema import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine, Table

    from tapebook.schema import Frequency

LOST = ("OperationalError", "InterfaceError")
"""Errors of a database that is not there, for now."""


class Sql(Vendor):
    """A table of bars in any database: url=postgresql://… (or secret:NAME), table=prices; --column, --tz."""

    name = "sql"
    rate = 50.0
    listed = True

    def __init__(
        self,
        *,
        url: str,
        table: str,
        columns: Mapping[str, str] | None = None,
        tz: str | None = None,
        calendar: str = "24/7",
        currency: str = "",
    ) -> None:
        self._url, self.table, self.calendar, self.currency = url, table, calendar, currency
        self.columns = Columns.of(columns, tz)

    def symbols(self, freq: Frequency) -> Sequence[str]:
        """Return every symbol of the table."""
        import sqlalchemy as sa

        table, names = self._table
        symbol = table.c[names["symbol"]]
        query = (
            sa.select(symbol).distinct().where(symbol.is_not(None), *self._of_length(freq)).order_by(symbol)
        )
        return [str(name) for (name,) in self._all(query)]

    def fetch(self, symbol: str, *, freq: Frequency, start: datetime | None, end: datetime | None) -> Fetched:
        """Bars of one symbol stamped from `start` to `end`, both included."""
        import sqlalchemy as sa

        table, names = self._table
        fields = [name for name in ("ts", *FIELDS) if name in names]
        ts = table.c[names["ts"]]
        mine = [table.c[names["symbol"]] == symbol, *self._of_length(freq)]
        span = []
        if not isinstance(ts.type, sa.String):  # text may be written in any way: all of it is read
            first, last = (_like(ts, moment) for moment in around(start, end))
            span = ([ts >= first] if first is not None else []) + ([ts <= last] if last is not None else [])
        rows = self._all(sa.select(*(table.c[names[name]] for name in fields)).where(*mine, *span))
        if not rows and not self._all(sa.select(ts).where(*mine).limit(1)):
            raise UnknownName(f"symbol in {self.table}", symbol, self.symbols(freq))
        where = f"{self.table} {symbol}"
        bars, problems = bars_of(self.columns.rows(rows, fields, freq), where=where)
        instrument = Instrument(symbol, self.calendar, self.currency, source=self.name)
        return Fetched(between(bars, start, end), instrument, None, problems)

    def _of_length(self, freq: Frequency) -> list[Any]:
        table, names = self._table
        return [table.c[names["freq"]] == str(freq)] if "freq" in names else []

    def _all(self, query: Any) -> list[Any]:
        def once() -> list[Any]:
            with self._connected() as connection:
                return list(connection.execute(query).all())

        return self.ask(once)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError

        try:
            with self._engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            told = f"the database of {self.table} says: {error.orig}"
            lost = error.connection_invalidated or type(error).__name__ in LOST
            raise (Unavailable(told) if lost else BadInput(told)) from error
        except SQLAlchemyError as error:
            raise BadInput(f"the table {self.table} cannot be read: {error}") from error

    @cached_property
    def _engine(self) -> Engine:
        from sqlalchemy import create_engine, make_url
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError
        from sqlalchemy.pool import NullPool

        try:
            url = make_url(self.outside.credential(self._url))
            redact.hide(str(url.password or ""))
            return create_engine(url, poolclass=NullPool)
        except ArgumentError:
            raise BadParameter(
                "url", "…", "SQLAlchemy's kind, such as postgresql+psycopg://user@host/name"
            ) from None
        except (NoSuchModuleError, ImportError) as error:
            raise ConfigError(f"the driver of this database is not installed: {error}") from error

    @cached_property
    def _table(self) -> tuple[Table, dict[str, str]]:
        from sqlalchemy import MetaData, Table
        from sqlalchemy.exc import NoSuchTableError

        schema, _, name = self.table.rpartition(".")

        def once() -> Table:
            with self._connected() as connection:
                try:
                    return Table(name, MetaData(), schema=schema or None, autoload_with=connection)
                except NoSuchTableError:
                    raise UnknownName("table", self.table, _tables(connection)) from None

        table = self.ask(once)
        return table, self.columns.found([column.name for column in table.columns], f"the table {self.table}")


def _tables(connection: Connection) -> list[str]:
    from sqlalchemy import inspect

    there = inspect(connection)
    return [*there.get_table_names(), *there.get_view_names()]


def _like(column: Any, moment: datetime | None) -> Any:
    """A moment as the column's type compares it."""
    from sqlalchemy import Date, DateTime

    if moment is None:
        return None
    if isinstance(column.type, DateTime):
        return moment if column.type.timezone else moment.astimezone(UTC).replace(tzinfo=None)
    if isinstance(column.type, Date):
        return moment.date()
    raise BadInput(f"column {column.name} is {column.type}: expected a date, a time or a text")
