"""The lake's symbols as rows of the catalogue, so that they too have notes, tags and words to find them by.

The lake is the truth: a row follows it when somebody asks, and what is said of a symbol outlives its bars.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from tapebook.data.again import lasting
from tapebook.data.catalog.changes import now
from tapebook.data.catalog.rows import Rows
from tapebook.data.catalog.tables import symbols


@lasting
class Symbols:
    """One row a symbol that the lake holds or held."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def follow(self, held: Mapping[str, str]) -> None:
        """Let the rows be as the lake is: `held` has the name of each symbol in it."""
        with self._rows.reading() as connection:
            known = {row.id: (row.title, row.there) for row in connection.execute(select(symbols))}
        wanted = {id: (name, True) for id, name in held.items()}
        wanted |= {id: (title, False) for id, (title, _) in known.items() if id not in held}
        fresh = {id: said for id, said in wanted.items() if id not in known}
        other = {id: said for id, said in wanted.items() if id in known and known[id] != said}
        if not fresh and not other:
            return
        try:
            with self._rows.writing() as connection:
                for id, (title, there) in other.items():
                    query = update(symbols).where(symbols.c.id == id)
                    connection.execute(query.values(title=title, there=there))
                rows = [
                    {"id": id, "title": title, "there": there, "created": now()}
                    for id, (title, there) in fresh.items()
                ]
                if rows:
                    connection.execute(insert(symbols), rows)
        except IntegrityError:  # another process follows as well
            return
