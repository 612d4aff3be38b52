"""What sources share that read tables which somebody else keeps: which column is what, and stamps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.integration.sources.vendor import day
from tapebook.schema import FIELDS

if TYPE_CHECKING:
    from tapebook.schema import Frequency

KNOWN = ("symbol", "ts", *FIELDS, "freq")
SPELLINGS = {
    "symbol": ("symbol", "ticker", "sid"),
    "ts": ("ts", "date", "time", "timestamp", "datetime", "day"),
    "close": ("close", "price", "value"),
    "freq": ("freq",),
}


@dataclass(frozen=True)
class Columns:
    """Which column of a table holds what; what is not named is found by its usual names."""

    named: Mapping[str, str] = field(default_factory=dict)
    zone: ZoneInfo | None = None

    @classmethod
    def of(cls, columns: Mapping[str, str] | None, tz: str | None) -> Columns:
        """Check what a user said."""
        for name in columns or {}:
            if name not in KNOWN:
                raise UnknownName("field of a bar", name, KNOWN)
        try:
            return cls(dict(columns or {}), ZoneInfo(tz) if tz else None)
        except (ValueError, OSError, LookupError):
            raise BadParameter("tz", tz, "a time zone such as America/New_York") from None

    def found(self, there: Iterable[str], where: str) -> dict[str, str]:
        """Return the column of each field that `where` has.

        Raises
        ------
        BadInput
            If symbol, ts or close is not there, or a column that the user named.
        """
        names = {name.lower(): name for name in there}
        met: dict[str, str] = {}
        for name in KNOWN:
            for spelling in [self.named[name]] if name in self.named else SPELLINGS.get(name, (name,)):
                if spelling.lower() in names:
                    met[name] = names[spelling.lower()]
                    break
        lost = [name for name in ("symbol", "ts", "close", *self.named) if name not in met]
        if lost:
            raise BadInput(
                f"{where} has no column for {', '.join(dict.fromkeys(lost))} "
                f"(it has {', '.join(names.values())}): "
                f"say which one, as in --column {lost[0]}=NAME"
            )
        return met

    def stamp(self, value: Any, freq: Frequency) -> datetime:
        """A stamp as the lake has it: a session's date, or the moment at which an intraday bar opens."""
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                raise BadInput(
                    f"{value!r} is no time: expected 2020-01-31 or 2020-01-31T14:30:00+00:00"
                ) from None
        if isinstance(value, datetime):
            zone = self.zone or UTC
            moment = value if value.tzinfo else value.replace(tzinfo=zone)
            if freq.intraday:
                return moment.astimezone(UTC)
            local = moment.astimezone(zone)
            if self.zone is None and value.tzinfo and (local.hour or local.minute):
                raise BadInput(
                    f"the daily bar {value} is not at 00:00 UTC, so its date depends on a zone: say "
                    "it, as in --tz America/New_York"
                )
            return day(local.date())
        if isinstance(value, date):
            return day(value)
        raise BadInput(f"{value!r} is no time")

    def rows(
        self, rows: Iterable[Sequence[Any]], fields: Sequence[str], freq: Frequency
    ) -> list[dict[str, Any]]:
        """Rows as `bars_of` takes them; `fields` says what each position holds."""
        made = []
        for row in rows:
            bar = dict(zip(fields, row, strict=True))
            made.append(bar | {"ts": self.stamp(bar["ts"], freq)})
        return made


def around(start: datetime | None, end: datetime | None) -> tuple[datetime | None, datetime | None]:
    """A span that is wide enough in every time zone: what is too much is cut off afterwards."""
    more = timedelta(days=2)
    return (start - more if start else None), (end + more if end else None)
