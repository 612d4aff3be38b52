"""Tables of the catalogue. A change here needs a migration in migrations/versions and a new HEAD."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from tapebook.data.plain import plain

HEAD = "0014"
"""The newest migration: a catalogue that says so needs no look at Alembic."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
Serial = BigInteger().with_variant(Integer, "sqlite")


class Json(TypeDecorator[Any]):
    """JSON as text that every database takes."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: object) -> Any:  # noqa: ARG002
        """Make the value plain."""
        return plain(value)


results = Table(
    "results",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("id", String(80), nullable=False, unique=True),
    Column("strategy", String(400), nullable=False, index=True),
    Column("code_hash", String(128)),
    Column("symbols", Json, nullable=False),
    Column("params", Json, nullable=False),
    Column("rules", Json, nullable=False),
    Column("metrics", Json, nullable=False),
    Column("snapshot", BigInteger),
    Column("fingerprint", String(128)),
    Column("start", String(40)),
    Column("end", String(40)),
    Column("freq", String(16)),
    Column("adjust", String(16)),
    Column("created", String(40), nullable=False),
    Column("run_id", String(80), index=True),
    Column("note", Text, nullable=False),
    Column("extra", Json, nullable=False),
)

result_symbols = Table(
    "result_symbols",
    metadata,
    Column("seq", Serial, ForeignKey("results.seq", ondelete="CASCADE"), primary_key=True),
    Column("symbol", String(80), primary_key=True, index=True),
)

runs = Table(
    "runs",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("id", String(200), nullable=False, unique=True),
    Column("template", String(400), nullable=False, index=True),
    Column("template_hash", String(128), nullable=False),
    Column("code_hash", String(128)),
    Column("parameters", Json, nullable=False),
    Column("strategy", String(400), index=True),
    Column("symbols", Json, nullable=False),
    Column("snapshot", BigInteger),
    Column("seed", BigInteger),
    Column("outcome", String(16), nullable=False, index=True),
    Column("title", Text),
    Column("started", String(40), nullable=False),
    Column("finished", String(40)),
    Column("seconds", Float),
    Column("heartbeat", Float),
    Column("host", String(255)),
    Column("pid", Integer),
    Column("rerun_of", String(200)),
    Column("metrics", Json, nullable=False),
    Column("error", Text),
    Column("cancel", Float),
    Column("note", Text),
)

run_symbols = Table(
    "run_symbols",
    metadata,
    Column("seq", Serial, ForeignKey("runs.seq", ondelete="CASCADE"), primary_key=True),
    Column("symbol", String(80), primary_key=True, index=True),
)

batches = Table(
    "batches",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("id", String(200), nullable=False, unique=True),
    Column("template", String(400), nullable=False),
    Column("template_hash", String(128), nullable=False),
    Column("settings", Json, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("started", String(40), nullable=False),
    Column("finished", String(40)),
    Column("heartbeat", Float, nullable=False),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("cancel", Float),
)

batch_items = Table(
    "batch_items",
    metadata,
    Column("batch", Serial, ForeignKey("batches.seq", ondelete="CASCADE"), primary_key=True),
    Column("item", Integer, primary_key=True),
    Column("parameters", Json, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("run_id", String(200)),
    Column("tries", Integer, nullable=False),
    Column("seconds", Float),
    Column("error", Text),
)

strategies = Table(
    "strategies",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("name", String(400), nullable=False),
    Column("version", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("code_hash", String(128), nullable=False),
    Column("parameters", Json, nullable=False),
    Column("notes", Text, nullable=False),
    Column("created", String(40), nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("parent", String(500)),
    Column("family", String(80)),
    Column("rules", Json),
    Column("extra", Json),
    UniqueConstraint("name", "version"),
)

trials = Table(
    "trials",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("family", String(80), nullable=False, index=True),
    Column("strategy", String(400), nullable=False, index=True),
    Column("code_hash", String(128), nullable=False),
    Column("symbols", Json, nullable=False),
    Column("settings", Json, nullable=False),
    Column("rules", Json, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("sharpe_mean", Float),
    Column("sharpe_deviation", Float),
    Column("sharpe_best", Float),
    Column("start", String(40), nullable=False),
    Column("end", String(40), nullable=False),
    Column("freq", String(16), nullable=False),
    Column("fingerprint", String(128), nullable=False),
    Column("snapshot", BigInteger),
    Column("created", String(40), nullable=False),
    Column("who", String(255), nullable=False),
    Column("run_id", String(200)),
    Column("sketch", LargeBinary),
)

trial_symbols = Table(
    "trial_symbols",
    metadata,
    Column("seq", Serial, ForeignKey("trials.seq"), primary_key=True),
    Column("symbol", String(80), primary_key=True, index=True),
)

scans = Table(
    "scans",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("id", String(80), nullable=False, unique=True),
    Column("kind", String(40), nullable=False, index=True),
    Column("question", String(64), nullable=False, index=True),
    Column("symbols", Json, nullable=False),
    Column("params", Json, nullable=False),
    Column("freq", String(16), nullable=False),
    Column("start", String(40), nullable=False),
    Column("end", String(40), nullable=False),
    Column("snapshot", BigInteger),
    Column("asked", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("coverage", Float, nullable=False),
    Column("summary", Text, nullable=False),
    Column("created", String(40), nullable=False),
    Column("run_id", String(200)),
    Column("note", Text),
)

publications = Table(
    "publications",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("source", Json, nullable=False),
    Column("title", Text),
    Column("description", Text),
    Column("audience", Json, nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("late_hours", Float),
    Column("created", String(40), nullable=False),
    Column("who", String(255), nullable=False),
)

shown_runs = Table(
    "shown_runs",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("name", String(80), nullable=False, index=True),
    Column("run_id", String(200), nullable=False),
    Column("since", String(40), nullable=False),
)

pins = Table(
    "pins",
    metadata,
    Column("run_id", String(200), primary_key=True),
    Column("note", Text, nullable=False),
    Column("created", String(40), nullable=False),
)

frozen = Table(
    "frozen",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("id", String(80), nullable=False, unique=True),
    Column("digest", String(64), nullable=False),
    Column("strategy", String(400), nullable=False, index=True),
    Column("frozen_at", String(40), nullable=False),
    Column("content", Json, nullable=False),
)

forward = Table(
    "forward",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("frozen_id", String(80), ForeignKey("frozen.id"), nullable=False),
    Column("entry", Integer, nullable=False),
    Column("ts", String(40), nullable=False),
    Column("written", String(40), nullable=False),
    Column("content", Json, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    UniqueConstraint("frozen_id", "entry"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("id", String(80), nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("created", String(40), nullable=False),
    Column("updated", String(40), nullable=False),
    Column("who", String(255), nullable=False),
    Column("note", Text),
)

screens = Table(
    "screens",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("expression", Text, nullable=False),
    Column("symbols", Json),
    Column("freq", String(16), nullable=False),
    Column("adjust", String(16), nullable=False),
    Column("note", Text, nullable=False),
    Column("created", String(40), nullable=False),
    Column("updated", String(40), nullable=False),
)

screen_runs = Table(
    "screen_runs",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("screen", String(80), ForeignKey("screens.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", String(40), nullable=False),
    Column("bar", String(40), nullable=False),
    Column("snapshot", BigInteger),
    Column("asked_of", Text, nullable=False),
    Column("asked", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("hits", Json, nullable=False),
    Column("inside", Json, nullable=False),
    Column("entered", Json, nullable=False),
    Column("left", Json, nullable=False),
    Column("first", Boolean, nullable=False),
)

LEDGERS = ("trials", "trial_symbols", "frozen", "forward")
"""Tables whose rows the database itself refuses to change or delete."""

universes = Table(
    "universes",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("id", String(80), nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("created", String(40), nullable=False),
    Column("updated", String(40), nullable=False),
    Column("who", String(255), nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("universe", Serial, ForeignKey("universes.seq", ondelete="CASCADE"), primary_key=True),
    Column("symbol", String(80), primary_key=True, index=True),
    Column("since", String(10), primary_key=True),
    Column("until", String(10), nullable=False),
)

universe_versions = Table(
    "universe_versions",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("name", String(80), nullable=False),
    Column("version", Integer, nullable=False),
    Column("members", Json, nullable=False),
    Column("at", String(40), nullable=False),
    Column("who", String(255), nullable=False),
    UniqueConstraint("name", "version"),
)

revisions = Table(
    "revisions",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("symbol", String(80), nullable=False, index=True),
    Column("freq", String(16), nullable=False),
    Column("snapshot", BigInteger, nullable=False, index=True),
    Column("known", String(40), nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("removed", BigInteger, nullable=False),
    Column("actions", BigInteger, nullable=False),
    Column("added", BigInteger, nullable=False, server_default="0"),
    Column("first", String(40), nullable=False),
    Column("last", String(40), nullable=False),
    Column("largest", Float),
    Column("note", Text, nullable=False),
)

programs = Table(
    "programs",
    metadata,
    Column("migration", String(32), primary_key=True),
    Column("version", String(40), nullable=False),
    Column("at", String(40), nullable=False),
)
"""Which tapebook brought the catalogue to which migration."""

symbols = Table(
    "symbols",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("id", String(80), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("there", Boolean, nullable=False),
    Column("created", String(40), nullable=False),
    Column("note", Text),
)
