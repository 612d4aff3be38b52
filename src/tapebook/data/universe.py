"""A universe: a named list of symbols with dates of membership, so that no survivor bias creeps in."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tapebook.errors import BadInput, BadParameter, UnknownName

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
Day = str | date | None


@dataclass(frozen=True, order=True)
class Member:
    """One symbol's membership from `since` to `until`, both included; None is ever, and until further."""

    symbol: str
    since: date | None = None
    until: date | None = None

    def on(self, day: date) -> bool:
        """Whether it was a member on this day."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


@dataclass(frozen=True)
class Universe:
    """Members of a universe, in order of symbol and time. `version` counts how often it was saved, from 1.

    A symbol may come and go; its memberships do not overlap.
    """

    name: str
    members: tuple[Member, ...]
    note: str = ""
    version: int = 0

    @classmethod
    def of(cls, name: str, members: Iterable[object], note: str = "", version: int = 0) -> Universe:
        """Make one of symbols, of (symbol, since, until), of mappings with these keys, or of Members.

        Raises
        ------
        BadInput, BadParameter
            Naming the member that is wrong: no symbol, no date, an end before its beginning, an overlap.
        """
        if not _NAME.fullmatch(name):
            raise BadParameter("name", name, "letters, digits, '.', '-' or '_', such as sp500")
        made = sorted((_member(one) for one in members), key=_order)
        if not made:
            raise BadInput(f"the universe {name} has no members")
        for before, after in zip(made, made[1:], strict=False):
            same = before.symbol == after.symbol
            if same and (before.until is None or after.since is None or after.since <= before.until):
                raise BadInput(
                    f"{after.symbol} is in {name} twice at once: {_said(before)}, and {_said(after)}"
                )
        return cls(name, tuple(made), note, version)

    @property
    def reference(self) -> str:
        """How this very version is named: "@sp500@3"."""
        return f"@{self.name}@{self.version}"

    @property
    def symbols(self) -> list[str]:
        """Every symbol that ever was a member."""
        return list(dict.fromkeys(member.symbol for member in self.members))

    def asof(self, day: Day) -> Universe:
        """Return those who were members on a day; BadInput if nobody was."""
        when = _day(day)
        if when is None:
            return self
        there = tuple(member for member in self.members if member.on(when))
        if not there:
            raise BadInput(f"the universe {self.name} had no member on {when}")
        return replace(self, members=there)

    def between(self, start: date | None, end: date | None) -> Universe:
        """Return the memberships that touch a span, both ends included."""
        there = tuple(
            member
            for member in self.members
            if (start is None or member.until is None or member.until >= start)
            and (end is None or member.since is None or member.since <= end)
        )
        return replace(self, members=there)

    def differing(self, other: Universe, start: date | None, end: date | None) -> list[str]:
        """Symbols whose membership within a span, both ends included, is another in `other`."""

        def inside(universe: Universe) -> set[tuple[str, date, date]]:
            first, last = start or date.min, end or date.max
            return {
                (m.symbol, max(m.since or date.min, first), min(m.until or date.max, last))
                for m in universe.between(start, end).members
            }

        return sorted({symbol for symbol, _, _ in inside(self) ^ inside(other)})

    def mask(self, index: pd.DatetimeIndex, symbols: Sequence[str]) -> np.ndarray:
        """Whether each symbol was a member on the UTC date of each stamp, shape (T, N)."""
        import numpy as np

        days = index.tz_localize(None).normalize().to_numpy().astype("datetime64[D]")
        inside = np.zeros((len(index), len(symbols)), dtype=bool)
        column = {symbol: at for at, symbol in enumerate(symbols)}
        for member in self.members:
            if member.symbol in column:
                first = np.datetime64(member.since or date.min, "D")
                last = np.datetime64(member.until or date.max, "D")
                inside[:, column[member.symbol]] |= (days >= first) & (days <= last)
        return inside

    def added(self, symbol: str, since: Day = None, until: Day = None) -> Universe:
        """Return it with one membership more."""
        more = Member(symbol, _day(since), _day(until))
        return Universe.of(self.name, [*self.members, more], self.note, self.version)

    def ended(self, symbol: str, until: Day = None) -> Universe:
        """Return it with a symbol's latest membership ended on a day, or without the symbol for None."""
        mine = [member for member in self.members if member.symbol == symbol]
        if not mine:
            raise UnknownName(f"member of {self.name}", symbol, self.symbols)
        others = [member for member in self.members if member.symbol != symbol]
        last = _day(until)
        kept = [] if last is None else [*mine[:-1], replace(mine[-1], until=last)]
        return Universe.of(self.name, [*others, *kept], self.note, self.version)

    def frame(self) -> pd.DataFrame:
        """One row a membership: symbol, since, until."""
        import pandas as pd

        rows = [(m.symbol, str(m.since or ""), str(m.until or "")) for m in self.members]
        return pd.DataFrame(rows, columns=["symbol", "since", "until"])


def parted(reference: str) -> tuple[str, int | None]:
    """Read "@sp500" and "@sp500@3" into name and version, None for the newest.

    >>> parted("@sp500@3"), parted("sp500")
    (('sp500', 3), ('sp500', None))
    """
    name, parted_, version = reference.removeprefix("@").partition("@")
    if parted_ and not version.isdecimal():
        raise BadParameter("universe", reference, "a name, or a name and a version such as @sp500@3")
    return name, int(version) if parted_ else None


def pinned(text: str | None) -> dict[str, int]:
    """Read "sp500@3,nasdaq@1", versions that a run is pinned to."""
    found = (parted(one) for one in (text or "").split(",") if one)
    return {name: version for name, version in found if version is not None}


def read_members(path: str | Path) -> list[Member]:
    """Read members from a CSV file with the columns symbol and, where known, since and until.

    Raises
    ------
    BadInput
        Naming the file and the line.
    """
    file = Path(path).expanduser()
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.DictReader(text)
            head = [str(name).strip().lower() for name in reader.fieldnames or ()]
            if "symbol" not in head or set(head) - {"symbol", "since", "until"}:
                raise BadInput(f"{file}: the columns are {', '.join(head)}: expected symbol, since, until")
            reader.fieldnames = head
            members = []
            for row in reader:
                try:
                    members.append(_member({key: value for key, value in row.items() if key in head}))
                except BadInput as error:
                    raise BadInput(f"{file}, line {reader.line_num}: {error}") from None
            return members
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{file} cannot be read: {error}") from error


def _member(one: object) -> Member:
    if isinstance(one, Member):
        parts: Sequence[object] = (one.symbol, one.since, one.until)
    elif isinstance(one, str):
        parts = (one,)
    elif isinstance(one, Mapping):
        parts = (one.get("symbol"), one.get("since"), one.get("until"))
    elif isinstance(one, Sequence) and 1 <= len(one) <= 3:
        parts = one
    else:
        raise BadInput(f"{one!r} is no member: expected a symbol, or symbol, since, until")
    symbol = str(parts[0] or "").strip()
    if not symbol or len(symbol) > 80 or symbol.startswith("@"):
        raise BadInput(f"{parts[0]!r} is no symbol")
    since, until = (_day(part) for part in (*parts[1:], None, None)[:2])
    if since and until and until < since:
        raise BadInput(f"{symbol} leaves on {until}, before it comes on {since}")
    return Member(symbol, since, until)


def _day(value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    text = str(value).strip()
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise BadInput(f"{text!r} is no date: expected one such as 2020-01-31") from None


def _order(member: Member) -> tuple[str, date, date]:
    return member.symbol, member.since or date.min, member.until or date.max


def _said(member: Member) -> str:
    return f"{member.since or 'ever'} to {member.until or 'now'}"
