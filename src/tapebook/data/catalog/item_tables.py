"""Tables that are the same for every kind of item: its changes, its tags, the trash, the words to find it by.

An item is named by its kind and its name; `kinds` says where each kind's own row lies.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from tapebook.data.catalog.tables import Json, Serial, metadata

NAME = 500
"""Longest name of an item."""

changes = Table(
    "changes",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(NAME), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("at", String(40), nullable=False),
    Column("who", String(255), nullable=False),
    Column("what", String(16), nullable=False),
    Column("before", Json),
    Column("after", Json),
    UniqueConstraint("kind", "name", "revision"),
)

tags = Table(
    "tags",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", String(NAME), primary_key=True),
    Column("tag", String(80), primary_key=True, index=True),
)

trash = Table(
    "trash",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(NAME), nullable=False, index=True),
    Column("deleted", String(40), nullable=False),
    Column("who", String(255), nullable=False),
    Column("snapshot", BigInteger),
    Column("content", Json, nullable=False),
    Column("going", Boolean, nullable=False),
)

indexed = Table(
    "indexed",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(NAME), nullable=False),
    Column("mark", Text, nullable=False),
    Column("at", String(40), nullable=False),
    UniqueConstraint("kind", "name"),
)

words = Table(
    "words",
    metadata,
    Column("item", Serial, ForeignKey("indexed.seq", ondelete="CASCADE"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("word", String(80), nullable=False),
    Column("weight", Integer, nullable=False),
    Index("ix_words_word", "word", postgresql_ops={"word": "text_pattern_ops"}),
)
