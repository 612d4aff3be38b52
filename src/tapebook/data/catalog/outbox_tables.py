"""Tables of what happens: events and who hears of them, schedules and notices, pages in documentation tools.

A change here needs a migration and a new `tables.HEAD`, as one of `tables` does.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from tapebook.data.catalog.tables import Json, Serial, metadata

events = Table(
    "events",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("id", String(120), nullable=False, unique=True),
    Column("topic", String(40), nullable=False, index=True),
    Column("at", String(40), nullable=False),
    Column("content", Json, nullable=False),
    sqlite_autoincrement=True,  # a number is never given twice
)

event_marks = Table(
    "event_marks",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("number", BigInteger, nullable=False),
)

subscribers = Table(
    "subscribers",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("name", String(160), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("topics", Json, nullable=False),
    Column("target", Text),
    Column("secret", String(120)),
    Column("passing", Boolean, nullable=False),
    Column("created", String(40), nullable=False),
    Column("seen", Float, nullable=False),
    Column("note", Text),
)

event_cursors = Table(
    "event_cursors",
    metadata,
    Column("subscriber", String(160), ForeignKey("subscribers.name", ondelete="CASCADE"), primary_key=True),
    Column("topic", String(40), primary_key=True),
    Column("after", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try", Float, nullable=False),
    Column("error", Text),
    Column("holder", String(200)),
    Column("lease", Float, nullable=False),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("subscriber", String(160), ForeignKey("subscribers.name", ondelete="CASCADE"), nullable=False),
    Column("event", BigInteger, nullable=False),
    Column("topic", String(40), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("died", String(40), nullable=False),
    Column("again", Boolean, nullable=False),
    UniqueConstraint("subscriber", "event"),
)

schedules = Table(
    "schedules",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("template", String(400), nullable=False),
    Column("template_hash", String(128), nullable=False),
    Column("parameters", Json, nullable=False),
    Column("rule", Json, nullable=False),
    Column("notify", Json, nullable=False),
    Column("notify_on", String(16), nullable=False),
    Column("timeout", Float),
    Column("state", String(16), nullable=False),
    Column("anchor", String(40), nullable=False),
    Column("created", String(40), nullable=False),
    Column("note", Text),
)

occasions = Table(
    "occasions",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("schedule", String(80), ForeignKey("schedules.name", ondelete="CASCADE"), nullable=False),
    Column("key", String(160), nullable=False),
    Column("due", String(40), nullable=False),
    Column("deadline", String(40)),
    Column("state", String(16), nullable=False, index=True),
    Column("missed", Integer, nullable=False),
    Column("cause", BigInteger),
    Column("why", Text, nullable=False),
    Column("run_id", String(200), index=True),
    Column("holder", String(200)),
    Column("lease", Float, nullable=False),
    Column("token", Integer, nullable=False),
    Column("started", String(40)),
    Column("finished", String(40)),
    UniqueConstraint("schedule", "key"),
)

notices = Table(
    "notices",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("schedule", String(80), nullable=False),
    Column("channel", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("tries", Integer, nullable=False),
    Column("next_try", Float, nullable=False),
    Column("error", Text),
    Column("holder", String(200)),
    Column("lease", Float, nullable=False),
    Column("created", String(40), nullable=False),
)

document_targets = Table(
    "document_targets",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("kind", String(80), nullable=False),
    Column("options", Json, nullable=False),
    Column("created", String(40), nullable=False),
    Column("note", Text),
)

documents = Table(
    "documents",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("target", String(80), nullable=False),
    Column("key", String(200), nullable=False),
    Column("remote_id", Text),
    Column("url", Text),
    Column("digest", String(64)),
    Column("run_id", String(200)),
    Column("title", Text, nullable=False),
    Column("updated", String(40), nullable=False),
    Column("error", Text),
    Column("holder", String(200)),
    Column("lease", Float, nullable=False),
    UniqueConstraint("target", "key"),
)
