"""The tables of a mirror in PostgreSQL: made, described, and recognised when they are there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from tapebook import redact
from tapebook.errors import BadParameter, ConfigError, TapebookError

if TYPE_CHECKING:
    from psycopg import Connection

LOCK = 0x6D69_7272  # "mirr": one mirror at a time writes to a schema

TABLES = {
    "bars": "symbol text, freq text, ts timestamptz, open float8, high float8, low float8, close float8, "
    "volume float8",
    "actions": "symbol text, ts timestamptz, split float8, dividend float8",
    "instruments": "symbol text, calendar text, currency text, name text, source text, asset text",
}
KEYS = {"bars": ("symbol", "freq", "ts"), "actions": ("symbol", "ts"), "instruments": ("symbol",)}

STATE = "mirror_state"
_STATE = (
    "one boolean PRIMARY KEY DEFAULT true CHECK (one), lake text NOT NULL, symbols text[], snapshot bigint, "
    "copying bigint, copied text, updated timestamptz NOT NULL DEFAULT now()"
)
_TYPES = {"text": "text", "timestamptz": "timestamp with time zone", "float8": "double precision"}

_COMMENTS = """
COMMENT ON SCHEMA {s} IS 'Market data of a tapebook desk (tapebook data mirror): only to be read';
COMMENT ON TABLE {s}.bars IS 'Bars as they were traded; view adjusted allows for splits';
COMMENT ON COLUMN {s}.bars.freq IS 'Length of a bar: 1m, 1h, 1d, 1w, 1mo';
COMMENT ON COLUMN {s}.bars.ts IS 'When a bar shorter than a day opens; else its date, at 00:00 UTC';
COMMENT ON COLUMN {s}.bars.volume IS 'As traded on the day; null where the source has none';
COMMENT ON TABLE {s}.actions IS 'Splits and dividends by ex-date';
COMMENT ON COLUMN {s}.actions.split IS 'New shares for one old; null, 0 or 1 for none';
COMMENT ON COLUMN {s}.actions.dividend IS 'For each share held before, in the currency of the bars';
COMMENT ON TABLE {s}.instruments IS 'What each symbol is';
COMMENT ON COLUMN {s}.instruments.calendar IS 'The exchange whose sessions count, such as XNYS, or 24/7';
COMMENT ON TABLE {s}.mirror_state IS 'The snapshot of the lake that the tables show';
COMMENT ON COLUMN {s}.mirror_state.copying IS 'The snapshot that is being copied, up to the symbol in copied';
"""
_ADJUSTED = """
CREATE OR REPLACE VIEW {s}.adjusted AS
SELECT b.symbol, b.freq, b.ts, b.open / f.split AS open, b.high / f.split AS high, b.low / f.split AS low,
       b.close / f.split AS close, b.volume * f.split AS volume
FROM {s}.bars b CROSS JOIN LATERAL (
    SELECT coalesce(exp(sum(ln(a.split))), 1) AS split FROM {s}.actions a
    WHERE a.symbol = b.symbol AND a.ts > b.ts AND a.split > 0) f;
COMMENT ON VIEW {s}.adjusted IS 'Bars adjusted for all splits after them: prices divided, volume multiplied';
"""


@contextmanager
def connected(url: str) -> Iterator[Connection[Any]]:
    """Connect to a PostgreSQL URL; no error says its password.

    Raises
    ------
    BadParameter
        If it is no PostgreSQL URL.
    ConfigError
        If the server cannot be reached, or refuses.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise BadParameter("url", "…", "postgresql://user@host/name") from None
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise BadParameter("url", shown(url), "postgresql://user@host/name")
    try:
        import psycopg
    except ImportError as error:
        raise ConfigError('a mirror needs psycopg: pip install "tapebook[team]"') from error
    if parsed.password:
        redact.hide(str(parsed.password))
    plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        connection = psycopg.connect(
            plain, connect_timeout=10, application_name="tapebook mirror", options="-c timezone=UTC"
        )
    except psycopg.OperationalError as error:
        raise ConfigError(f"cannot reach {shown(url)}: {redact.scrub(str(error).strip())}") from None
    with connection:
        yield connection


def shown(url: str) -> str:
    """A URL without its password."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=True)


@contextmanager
def alone(connection: Connection[Any], schema: str) -> Iterator[None]:
    """Hold the lock of one mirror, or say that another one is at work."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (LOCK, schema)).fetchone()
    if not row or not row[0]:
        raise TapebookError(f"another mirror is writing to the schema {schema}: wait for it, or end it")
    connection.commit()
    yield  # the lock ends with the connection


def prepare(connection: Connection[Any], schema: str, url: str) -> None:
    """Make what is missing; refuse tables of another shape.

    Raises
    ------
    ConfigError
        If the user may not make tables there, or a table of the same name has other columns.
    """
    from psycopg import errors, sql

    name = sql.Identifier(schema)
    try:
        if not there(connection, schema, STATE):
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
            for table, columns in TABLES.items():
                _check_shape(connection, schema, table)
                keys = ", ".join(KEYS[table])
                _run(
                    connection,
                    f"CREATE TABLE IF NOT EXISTS {{s}}.{table} ({columns}, PRIMARY KEY ({keys}))",
                    schema,
                )
            _run(connection, f"CREATE TABLE {{s}}.{STATE} ({_STATE})", schema)
            _run(connection, _ADJUSTED, schema)
            _run(connection, _COMMENTS, schema)
        for table in TABLES:
            _check_shape(connection, schema, table)
    except errors.InsufficientPrivilege as error:
        connection.rollback()
        raise ConfigError(
            f"may not make the mirror's tables at {shown(url)}: {str(error).strip()}. "
            f"Let its owner run: CREATE SCHEMA {schema} AUTHORIZATION {make_url(url).username or 'you'};"
        ) from None
    connection.commit()


def there(connection: Connection[Any], schema: str, table: str) -> bool:
    """Whether a table exists."""
    query = "SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"
    return connection.execute(query, (schema, table)).fetchone() is not None


def _run(connection: Connection[Any], statements: str, schema: str) -> None:
    from psycopg import sql

    named = statements.replace("{s}", sql.Identifier(schema).as_string(connection))
    connection.execute(named.encode())


def _check_shape(connection: Connection[Any], schema: str, table: str) -> None:
    query = (
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position"
    )
    has = dict(connection.execute(query, (schema, table)).fetchall())
    wants = {name: _TYPES[kind] for name, kind in (part.split() for part in TABLES[table].split(", "))}
    if has and has != wants:
        connection.rollback()
        other = next(name for name in [*wants, *has] if has.get(name) != wants.get(name))
        raise ConfigError(
            f"{schema}.{table} is there and no mirror: its column {other} is {has.get(other, 'missing')}, "
            f"expected {wants.get(other, 'none')}. Choose another schema (--schema NAME), or drop that table"
        )
