"""Full-text search over names, notes and tags: one index in ordinary tables, the same on every database.

SQLite's FTS5 and PostgreSQL's text search part words, rank and read queries each in their own way. Here the
words are parted by `words_of` and lie in a table with their places, so that both answer alike, whatever is
typed is a query, and a copy of the catalogue has its index. What was written since the last search is indexed
first: an item is read again when its text (`Kind.mark`) is another, or its tags are.

- A word is a run of letters and digits without accents or case: "Café-Bar" is cafe, bar. Scripts that part
  no words (Chinese, Japanese) have one word between two signs.
- A word of a query finds all words that begin with it. Several must all be found, in any order. Words in
  double quotes must follow each other, and are found as they are. What is joined by signs ("sma_cross",
  "AAPL.US") must follow each other too, and the last may go on.
- Best first: a word found in the name counts 8, in a tag 6, in a title or symbol 4, in the note 2; half where
  it only begins so. Of equals the newest is first, then by kind and name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, and_, case, delete, func, insert, or_, select
from sqlalchemy.exc import IntegrityError

from tapebook.data.again import lasting
from tapebook.data.catalog.item_tables import indexed, tags, words
from tapebook.data.catalog.items import tag_name, tags_of
from tapebook.data.catalog.kinds import KINDS, Kind, kind_of
from tapebook.data.catalog.rows import Rows
from tapebook.errors import BadParameter

NAME, TAG, ABOUT, NOTE = 4, 3, 2, 1
"""What a word counts by where it stands, if it only begins as asked; twice that if it is the same."""
LONGEST = 80
MOST = 4_000
"""Words of an item that are indexed."""
BATCH = 500
_WORD = re.compile(r"[^\W_]+")
_QUERY = re.compile(r'"([^"]*)"?|([^\s"]+)')


@dataclass(frozen=True)
class Term:
    """Words that follow each other; the last may go on unless they were quoted."""

    words: tuple[str, ...]
    open: bool


def words_of(text: str) -> list[str]:
    """Part a text into words: letters and digits, without accents and case.

    >>> words_of("Crème brûlée, SMA_cross(10) – Straße")
    ['creme', 'brulee', 'sma', 'cross', '10', 'strasse']
    """
    bare = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    bare = "".join(letter for letter in bare if not unicodedata.combining(letter))
    return [word[:LONGEST] for word in _WORD.findall(bare)]


def terms_of(query: str) -> list[Term]:
    """Read a query; whatever is typed is one, as long as it has a letter or a digit.

    >>> [(term.words, term.open) for term in terms_of('trend "slow exit" sma_cr')]
    [(('trend',), True), (('slow', 'exit'), False), (('sma', 'cr'), True)]
    """
    found = []
    for quoted, bare in _QUERY.findall(query):
        term = Term(tuple(words_of(quoted or bare)), open=not quoted)
        if term.words and term not in found:
            found.append(term)
    return found


@lasting
class Search:
    """Finds items by words."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def find(
        self,
        query: str,
        *,
        kinds: Iterable[str] = (),
        tagged: Iterable[str] = (),
        limit: int | None = 20,
    ) -> list[dict[str, Any]]:
        """Return what is found, best first: kind, name, about, note, tags, at, score.

        Parameters
        ----------
        query : str
            Words, "phrases in quotes"; may be empty where `tagged` says something.
        kinds, tagged
            Only of these kinds; only what has all of these tags.

        Raises
        ------
        BadParameter
            If there is no letter or digit in the query, and no tag.
        UnknownName
            If there is no such kind.
        """
        terms, wanted = terms_of(query), [tag_name(tag) for tag in tagged]
        if not terms and not wanted:
            raise BadParameter("words", query, "at least one letter or digit, such as 'trend'")
        chosen = [kind_of(kind) for kind in kinds] or list(KINDS.values())
        self.refresh(chosen)
        with self._rows.reading() as connection:
            found = _tagged(connection, wanted) if wanted else None
            score: dict[int, int] = {}
            for term in terms:
                hits = _hits(connection, term)
                found = hits.keys() if found is None else found & hits.keys()
                score = {item: score.get(item, 0) + hits.get(item, 0) for item in found}
            rows = _items(connection, found or (), [kind.name for kind in chosen])
            rows = sorted(rows, key=lambda row: (row["kind"], row["name"]))
            rows.sort(key=lambda row: row["at"], reverse=True)
            rows.sort(key=lambda row: score.get(row["seq"], 0), reverse=True)
            return [_told(connection, row, score) for row in rows[:limit]]

    def refresh(self, kinds: Iterable[Kind] = tuple(KINDS.values())) -> int:
        """Index what was written, and forget what is gone, since the last search; return how many came."""
        count = 0
        for kind in kinds:
            while True:
                with self._rows.reading() as connection:
                    gone, fresh = _gone(connection, kind), _fresh(connection, kind)
                if not gone and not fresh:
                    break
                try:
                    with self._rows.writing() as connection:
                        _forget(connection, kind, [*gone, *(row["name"] for row in fresh)])
                        if fresh:
                            _index(connection, kind, fresh)
                except IntegrityError:  # another search has indexed the same meanwhile
                    continue
                count += len(fresh)
        return count


def _mark(kind: Kind) -> Any:
    parts: list[Any] = [func.coalesce(column, "") for column in kind.mark]
    mark = parts[0]
    for part in parts[1:]:
        mark = mark + "\n" + part
    return mark


def _of(kind: Kind, query: Any) -> Any:
    return query if kind.only is None else query.where(kind.only)


def _fresh(connection: Connection, kind: Kind) -> list[Mapping[str, Any]]:
    known = and_(indexed.c.kind == kind.name, indexed.c.name == kind.key)
    query = select(
        kind.key.label("name"), _mark(kind).label("mark"), kind.at.label("at"), *kind.mark, *kind.about
    )
    query = query.outerjoin_from(kind.table, indexed, known)
    query = query.where(or_(indexed.c.seq.is_(None), indexed.c.mark != _mark(kind)))
    return [dict(row) for row in connection.execute(_of(kind, query).limit(BATCH)).mappings()]


def _gone(connection: Connection, kind: Kind) -> list[str]:
    there = _of(kind, select(kind.table.c.seq).where(kind.key == indexed.c.name))
    query = select(indexed.c.name).where(indexed.c.kind == kind.name, ~there.exists()).limit(BATCH)
    return list(connection.scalars(query))


def _forget(connection: Connection, kind: Kind, names: list[str]) -> None:
    connection.execute(delete(indexed).where(indexed.c.kind == kind.name, indexed.c.name.in_(names)))


def _index(connection: Connection, kind: Kind, rows: list[Mapping[str, Any]]) -> None:
    query = select(tags.c.name, tags.c.tag).where(tags.c.kind == kind.name)
    tagged: dict[str, list[str]] = {}
    for name, tag in connection.execute(query.where(tags.c.name.in_([row["name"] for row in rows]))):
        tagged.setdefault(name, []).append(tag)
    said = [{"kind": kind.name} | {key: row[key] for key in ("name", "mark", "at")} for row in rows]
    numbered = insert(indexed).returning(indexed.c.seq, sort_by_parameter_order=True)
    placed = [
        {"item": seq, "place": place, "word": word, "weight": weight}
        for seq, row in zip(connection.scalars(numbered, said).all(), rows, strict=True)
        for place, word, weight in islice(_placed(_fields(kind, row, tagged.get(row["name"], []))), MOST)
    ]
    if placed:
        connection.execute(insert(words), placed)


def _fields(kind: Kind, row: Mapping[str, Any], own: list[str]) -> list[tuple[int, Any]]:
    """What an item is found by, the weightiest first."""
    note, *titles = (row[column.name] for column in kind.mark)
    about = [*titles, *(row[column.name] for column in kind.about)]
    return [(NAME, row["name"]), *((TAG, tag) for tag in own), *((ABOUT, v) for v in about), (NOTE, note)]


def _placed(fields: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, str, int]]:
    place = 0
    for weight, value in fields:
        for text in value if isinstance(value, list) else [value]:
            for word in words_of(str(text or "")):
                yield place, word, weight
                place += 1
            place += 1  # no phrase reaches from one field into the next


def _hits(connection: Connection, term: Term) -> dict[int, int]:
    """What a term counts for each item that has it."""
    first, *more = [words.alias() for _ in term.words]
    tables: Any = first
    for step, table in enumerate(more, 1):
        tables = tables.join(table, and_(table.c.item == first.c.item, table.c.place == first.c.place + step))
    *whole, last = zip([first, *more], term.words, strict=True)
    asked = [table.c.word == word for table, word in whole]
    same = last[0].c.word == last[1]
    asked.append(last[0].c.word.like(f"{last[1]}%") if term.open else same)
    counted = func.max(first.c.weight * case((same, 2), else_=1))
    query = select(first.c.item, counted).select_from(tables).where(*asked).group_by(first.c.item)
    return {item: int(count) for item, count in connection.execute(query)}


def _tagged(connection: Connection, wanted: list[str]) -> Any:
    query = (
        select(indexed.c.seq)
        .join(tags, and_(tags.c.kind == indexed.c.kind, tags.c.name == indexed.c.name))
        .where(tags.c.tag.in_(wanted))
        .group_by(indexed.c.seq)
        .having(func.count() == len(set(wanted)))
    )
    return set(connection.scalars(query))


def _items(connection: Connection, items: Iterable[int], kinds: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    numbers = sorted(items)
    for start in range(0, len(numbers), BATCH):
        query = select(indexed.c.seq, indexed.c.kind, indexed.c.name, indexed.c.at)
        query = query.where(indexed.c.seq.in_(numbers[start : start + BATCH]), indexed.c.kind.in_(kinds))
        found += [dict(row) for row in connection.execute(query).mappings()]
    return found


def _told(connection: Connection, row: Mapping[str, Any], score: Mapping[int, int]) -> dict[str, Any]:
    kind = kind_of(row["kind"])
    columns = [*kind.mark[1:], *kind.about]
    said = connection.execute(select(kind.note, *columns).where(kind.key == row["name"])).mappings().first()
    values = [said[column.name] for column in columns] if said else []
    about = " · ".join(", ".join(v) if isinstance(v, list) else str(v) for v in values if v)
    return {
        "kind": row["kind"],
        "name": row["name"],
        "about": about,
        "note": (said[kind.note.name] if said else None) or "",
        "tags": tags_of(connection, row["kind"], row["name"]),
        "at": row["at"],
        "score": score.get(row["seq"], 0),
    }
