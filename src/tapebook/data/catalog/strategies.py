"""Saved versions of strategies in the catalogue."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from tapebook.data.again import lasting
from tapebook.data.catalog.changes import write_change
from tapebook.data.catalog.events import put
from tapebook.data.catalog.item_tables import changes, trash
from tapebook.data.catalog.kinds import refuse_deleted
from tapebook.data.catalog.rows import Rows, plain
from tapebook.data.catalog.tables import frozen, results, runs, strategies, trials
from tapebook.data.catalog.trash import Trash, discard
from tapebook.data.plain import plain as as_json
from tapebook.errors import BadInput, UnknownName

if TYPE_CHECKING:
    from tapebook.data.catalog.event_types import StrategyChanged

KIND = "strategy"
_TRIES = 50
_SHOWN = 3
"""At most so many names of each kind are told when a version is archived."""


@lasting
class Strategies:
    """One row a version: the source as it was, so that an old result can be understood."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def save(
        self,
        name: str,
        source: str,
        code_hash: str,
        parameters: Mapping[str, Any] | None = None,
        notes: str = "",
        *,
        parent: str | None = None,
        family: str | None = None,
        rules: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> int:
        """Save the source as the next version, unless a version is this very code with these settings.

        A version that is this very code is brought back from the archive, and gets the new notes, if any.

        Parameters
        ----------
        parent : str, optional
            What it was made from, such as "trend@1"; the version before it by default.
        rules, extra
            How it is traded; what else is known of it, such as the look-ahead check.

        Returns
        -------
        int
            The version that holds the source, from 1. Two processes never get the same one for two codes.
        """
        said = {
            "parameters": as_json(dict(parameters or {})),
            "rules": None if rules is None else as_json(dict(rules)),
            "notes": notes,
        }
        for _ in range(_TRIES):  # another process may take the number first
            rows = self._versions(name)
            same = next((row for row in rows if _same(row, source, code_hash, said)), None)
            if same is not None:
                now: dict[str, Any] = {"archived": False, "notes": notes or same.notes}
                now["extra"] = _known(same, extra)
                if now != {"archived": same.archived, "notes": same.notes, "extra": same.extra or {}}:
                    self.change(name, same.version, **now)
                return int(same.version)
            newest = rows[0].version if rows else 0
            row: dict[str, Any] = said | {
                "name": name,
                "version": max(newest, self._promised(name)) + 1,
                "source": source,
                "code_hash": code_hash,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "archived": False,
                "parent": parent or (f"{name}@{newest}" if newest else None),
                "family": family,
                "extra": dict(extra or {}),
            }
            try:
                with self._rows.writing() as connection:
                    connection.execute(insert(strategies).values(row))
                    write_change(connection, KIND, f"{name}@{row['version']}", "created")
                    put(connection, _changed(name, row["version"], "saved"))
            except IntegrityError:
                continue
            return int(row["version"])
        raise BadInput(f"{_TRIES} other processes save {name!r} at this moment: save it again")

    def get(self, name: str, version: int | None = None) -> Row[Any]:
        """Return one version, the newest that is not archived by default. UnknownName says the nearest."""
        query = select(strategies).where(strategies.c.name == name)
        if version is not None:
            query = query.where(strategies.c.version == version)
        order = (strategies.c.archived, strategies.c.version.desc())
        with self._rows.reading() as connection:
            row = connection.execute(query.order_by(*order).limit(1)).one_or_none()
            if row is not None:
                return row
            if version is not None:
                refuse_deleted(connection, KIND, f"{name}@{version}")
            pairs = connection.execute(select(strategies.c.name, strategies.c.version)).all()
        then = "See `tapebook strategy versions`."
        if version is not None and any(pair.name == name for pair in pairs):
            known = [str(pair.version) for pair in pairs if pair.name == name]
            raise UnknownName(f"version of {name}", str(version), known, then)
        raise UnknownName("saved strategy", name, {pair.name for pair in pairs}, then)

    def list(self, name: str | None = None, archived: bool = False) -> list[dict[str, Any]]:
        """List every version (of `name`), newest first; archived ones only when asked for."""
        query = select(strategies).order_by(strategies.c.seq.desc())
        if name is not None:
            query = query.where(strategies.c.name == name)
        if not archived:
            query = query.where(strategies.c.archived.is_(False))
        with self._rows.reading() as connection:
            rows = connection.execute(query).mappings()
            return [plain(row) for row in rows]

    def change(
        self, name: str, version: int | None = None, *, seen: int | None = None, **values: Any
    ) -> None:
        """Change columns of one version, or of every version of `name`; code and settings are never changed.

        Raises
        ------
        UnknownName
            If there is none.
        """
        here, what = strategies.c.name == name, _how(values)
        if version is not None:
            here &= strategies.c.version == version
        with self._rows.writing() as connection:
            query = update(strategies).where(here).values(values).returning(strategies.c.version)
            found = sorted(connection.scalars(query))
            for number in found:
                said = "changed" if what == "saved" else what
                write_change(connection, KIND, f"{name}@{number}", said, after=values, seen=seen)
            if found:
                put(connection, _changed(name, version, what))
                return
        self.get(name, version)

    def archive(self, name: str, version: int | None = None) -> None:
        """Hide one or every version of `name` from `list`; they stay readable."""
        self.change(name, version, archived=True)

    def restore(self, name: str, version: int | None = None, *, seen: int | None = None) -> None:
        """Bring one or every version of `name` back from the archive and from the trash.

        Changed if one is at another revision than `seen` by now.
        """
        query = select(trash.c.name).where(trash.c.kind == KIND, trash.c.going.is_(False))
        with self._rows.reading() as connection:
            deleted = set(connection.scalars(query))
        for own in sorted(deleted):
            base, _, number = own.rpartition("@")
            if base == name and version in (None, int(number)):
                Trash(self._rows).restore(KIND, own, seen=seen)
                seen = None
        self.change(name, version, seen=seen, archived=False)

    def delete(self, name: str, version: int, *, seen: int | None = None) -> tuple[str, ...]:
        """Move a version to the trash; archive it instead while a result, a run or a ledger names it.

        Returns
        -------
        tuple of str
            What names it, such as "run r-1"; nothing when it went to the trash.

        Raises
        ------
        Changed
            If it is at another revision than `seen` by now.
        """
        row, own = self.get(name, version), f"{name}@{version}"
        here = (strategies.c.name == name) & (strategies.c.version == version)
        with self._rows.writing() as connection:
            # archived first: a row that is being changed cannot be changed by another at the same time
            connection.execute(update(strategies).where(here).values(archived=True))
            named = _named_by(connection, row)
            if named:
                write_change(connection, KIND, own, "archived", after={"named_by": list(named)}, seen=seen)
                put(connection, _changed(name, version, "archived"))
            else:
                connection.execute(update(strategies).where(here).values(archived=row.archived))
                discard(connection, KIND, own, seen=seen)
        return named

    def _promised(self, name: str) -> int:
        """The highest number of `name` that was ever given or is called a parent, though it may be gone."""
        parents = select(strategies.c.parent).where(
            strategies.c.parent.startswith(f"{name}@", autoescape=True)
        )
        given = select(changes.c.name).where(
            changes.c.kind == KIND, changes.c.name.startswith(f"{name}@", autoescape=True)
        )
        with self._rows.reading() as connection:
            known = [*connection.scalars(parents), *connection.scalars(given)]
        return max((int(str(own).rpartition("@")[2]) for own in known), default=0)

    def _versions(self, name: str) -> Sequence[Row[Any]]:
        query = select(strategies).where(strategies.c.name == name)
        with self._rows.reading() as connection:
            return connection.execute(query.order_by(strategies.c.version.desc())).all()


def _changed(name: str, version: int | None, change: Any) -> StrategyChanged:
    from tapebook.data.catalog.event_types import StrategyChanged

    return StrategyChanged(name=name, version=version, change=change)


def _how(values: Mapping[str, Any]) -> str:
    """What a change of columns is called."""
    if "archived" in values and len(values) == 1:
        return "archived" if values["archived"] else "restored"
    return "saved" if "archived" in values else "noted" if values.keys() == {"notes"} else "changed"


def _same(row: Row[Any], source: str, code_hash: str, said: Mapping[str, Any]) -> bool:
    """Whether a row is this code with these settings. The hash does not cover what the function calls."""
    settings = (row.parameters, row.rules) == (said["parameters"], said["rules"])
    return settings and row.code_hash == code_hash and _code(row.source) == _code(source)


def _code(source: str) -> str:
    """What Python reads in a text: without its comments and blank lines."""
    try:
        return ast.dump(ast.parse(source))
    except (SyntaxError, ValueError):
        return source


def _known(row: Row[Any], extra: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is known of a version that is saved again: a check that was left open may be made now."""
    known = dict(row.extra or {})
    state = (known.get("check") or {}).get("state", "not checked")
    return known | dict(extra or {}) if state == "not checked" else known


def _named_by(connection: Connection, row: Row[Any]) -> tuple[str, ...]:
    """What names a version: results by its code, runs and trials by its name, frozen ones by either."""
    own = f"{row.name}@{row.version}"
    made = select(results.c.id).where(results.c.code_hash == row.code_hash)
    ran = select(runs.c.id).where(runs.c.strategy.in_((own, row.name)))
    content = connection.execute(select(frozen.c.id, frozen.c.content)).all()
    named = {
        "result": list(connection.scalars(made.order_by(results.c.seq.desc()))),
        "run": list(connection.scalars(ran.order_by(runs.c.seq.desc()))),
        "frozen version": [
            id for id, said in content
            if said.get("version") == own or said.get("code_hash") == row.code_hash
        ],
        "trial of": list(connection.scalars(select(trials.c.created).where(trials.c.strategy == own))),
        **_deleted(connection, row, own),
    }  # fmt: skip
    return tuple(said for kind, ids in named.items() for said in _told(kind, ids))


def _deleted(connection: Connection, row: Row[Any], own: str) -> dict[str, list[str]]:
    """What lies in the trash and would name the version again."""
    query = select(trash.c.kind, trash.c.name, trash.c.content).where(trash.c.kind.in_(("result", "run")))
    named: dict[str, list[str]] = {"deleted result": [], "deleted run": []}
    for kind, name, content in connection.execute(query.order_by(trash.c.seq.desc())):
        said = content["row"]
        if said.get("strategy") in (own, row.name) if kind == "run" else said["code_hash"] == row.code_hash:
            named[f"deleted {kind}"].append(name)
    return named


def _told(kind: str, ids: list[str]) -> list[str]:
    rest = [f"{len(ids) - _SHOWN} more like {kind} {ids[0]}"] if len(ids) > _SHOWN else []
    return [f"{kind} {id}" for id in ids[:_SHOWN]] + rest
