"""Forward tests: freeze a strategy today, and let it decide on what comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from tapebook.desk.versions import VersionRoom
from tapebook.errors import BadInput, NoData
from tapebook.progress import progress

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.data.panel import Bars
    from tapebook.strategy import Rules
    from tapebook.strategy.backtest.backtest import Backtest
    from tapebook.strategy.forward.forward import Forward, Frozen

EXPECTED = ("sharpe", "bar_expectancy_share", "expectancy_share", "win_rate")
"""Estimates that a freeze remembers, each with its interval."""


class ForwardRoom(VersionRoom):
    """Freeze, decide forward, compare with what was expected."""

    def freeze(
        self,
        strategy: str | Callable[..., Any],
        params: Mapping[str, Any] | None = None,
        universe: str | Sequence[str] | None = None,
        *,
        rules: Rules | None = None,
        freq: str = "1d",
        adjust: Any = "splits",
        start: str | None = None,
        until: str | None = None,
        note: str = "",
        check: bool = True,
        **settings: Any,
    ) -> Frozen:
        """Freeze a strategy: code, parameters, rules, universe, and what its backtest leads one to expect.

        Nothing of it can be changed or deleted afterwards. The look-ahead check runs first.

        Parameters
        ----------
        universe : str or list of str
            Symbols that are traded; all that have bars of this length by default.
        until : str, optional
            Freeze as if on that day: only bars up to it are read. Marked as hindsight for good.
        settings
            Parameters and rules by name, as for `backtest`.

        Raises
        ------
        BadInput
            If the strategy looks ahead, or its code cannot be kept.
        """
        from tapebook.strategy import Rules
        from tapebook.strategy.forward.book import digest
        from tapebook.strategy.forward.forward import Frozen
        from tapebook.strategy.rules import divided

        found = self.strategy(strategy)
        own, ruled = divided(found.name, found.parameters, {**(params or {}), **settings})
        chosen, rules = found.check(own), replace(rules or found.rules or Rules(), **ruled)
        bars = self.bars(universe, start=start, end=until, freq=freq, adjust=adjust)
        raw = self.bars(list(bars.symbols), start=start, end=until, freq=freq, adjust=False)
        backdated = until is not None and self._has_later(bars)
        looked = self.checked(found, bars, chosen) if check else None
        bt = self.backtest(found, bars, rules=rules, save=False, **chosen)
        name = strategy if isinstance(strategy, str) else found.name
        content = _content(
            found, bars, raw, bt, chosen, name=name, start=start, backdated=backdated, note=note
        )
        content["look_ahead"] = "unchecked" if looked is None else _looked(looked)
        now = datetime.now(UTC)
        id = f"fz-{found.name}-{now:%Y%m%d-%H%M%S}-{token_hex(4)}"
        content["frozen_at"] = now.isoformat(timespec="seconds")
        frozen = Frozen(id, digest("", content), content)
        self.catalog.ledger.freeze(
            {
                "id": id,
                "digest": frozen.digest,
                "strategy": found.name,
                "frozen_at": content["frozen_at"],
                "content": content,
            }
        )
        return self.frozen(id)

    def frozen(self, id: str | None = None) -> Frozen:
        """Return a frozen strategy, the newest by default."""
        from tapebook.strategy.forward.forward import Frozen

        if id is None:
            rows = self.catalog.ledger.list()
            if not rows:
                raise NoData("nothing is frozen yet: `tapebook freeze sma_cross AAPL`, or Desk.freeze(…)")
            id = str(rows[0]["id"])
        row = self.catalog.ledger.frozen(id)
        return Frozen(row["id"], row["digest"], row["content"])

    def all_frozen(self) -> pd.DataFrame:
        """List frozen strategies, newest first, with how many bars each has decided on since."""
        import pandas as pd

        rows = [
            {
                "id": row["id"],
                "strategy": row["content"]["name"],
                "symbols": ",".join(row["content"]["symbols"]),
                "params": row["content"]["params"],
                "until": row["content"]["until"][:10],
                "hindsight": row["content"]["backdated"],
                "entries": row["entries"] or 0,
                "last": (row["last"] or "")[:10],
                "note": row["content"]["note"],
            }
            for row in self.catalog.ledger.list()
        ]
        names = ["id", "strategy", "symbols", "params", "until", "hindsight", "entries", "last", "note"]
        return pd.DataFrame(rows, columns=names)

    def forward(self, id: str | None = None, *, write: bool = True) -> Forward:
        """Let a frozen strategy (the newest by default) decide on every bar that came since, once.

        Each new bar is decided on with the bars up to it, and written to a ledger that is never rewritten.
        Without `write` nothing is added.

        Raises
        ------
        BadInput
            If the ledger's chain of hashes is broken, with the entry.
        """
        from tapebook.strategy.forward.book import expect_whole
        from tapebook.strategy.forward.forward import Forward
        from tapebook.strategy.forward.gap import decided_today, gaps

        frozen = self.frozen(id)
        if not frozen.verify():
            raise BadInput(
                f"{frozen.id} was changed after it was frozen: its content has another hash. Restore a backup"
            )
        c = frozen.content
        span = {"start": c["start"], "freq": c["freq"]}
        known = self.bars(c["symbols"], adjust=c["adjust"], **span)
        raw = self.bars(c["symbols"], adjust=False, **span)
        entries = self.catalog.ledger.entries(frozen.id)
        expect_whole(frozen.digest, entries, frozen.id)
        added = 0
        if write:
            with progress(f"deciding with {frozen.id}") as report:
                new = self._new_entries(frozen, entries, known, raw, report)
            added = len(new) if self.catalog.ledger.append(new) else 0
            entries = self.catalog.ledger.entries(frozen.id)
        rows = [c["first"], *(entry["content"] for entry in entries)]
        fresh, decision = decided_today(frozen.strategy, c["params"], known, rows, frozen.rules)
        return Forward(
            frozen, entries, _revisions(rows, raw), gaps(rows, frozen.rules, c, fresh, decision),
            _next_session(known, rows), added,
        )  # fmt: skip

    def _has_later(self, bars: Bars) -> bool:
        listed = self.symbols()
        mine = listed[listed["symbol"].isin(bars.symbols) & (listed["freq"] == str(bars.freq))]
        return bool((mine["last"] > bars.index[-1]).any()) if len(mine) else False

    def _new_entries(
        self, frozen: Frozen, entries: Sequence[Mapping[str, Any]], known: Bars, raw: Bars, report: Any
    ) -> list[dict[str, Any]]:
        import pandas as pd

        from tapebook.strategy.forward.book import account, bar_row, decided, digest, standing

        c, rules, strategy = frozen.content, frozen.rules, frozen.strategy
        last = pd.Timestamp(entries[-1]["ts"]) if entries else frozen.until
        todo = [t for t in range(len(known)) if known.index[t] > last]
        previous, number = (entries[-1]["digest"], entries[-1]["entry"]) if entries else (frozen.digest, 0)
        rows: list[Any] = [c["first"], *(entry["content"] for entry in entries)]
        made, written = [], datetime.now(UTC).isoformat(timespec="seconds")
        for done, t in enumerate(todo):
            report(done, len(todo), f"{known.index[t].date()}")
            row = bar_row(raw, known, t)
            row |= decided(strategy, c["params"], known.between(end=known.index[t]), rules, state=False)
            made.append(
                row | {"snapshot": known.snapshot, "caught_up": frozen.backdated or done < len(todo) - 1}
            )
        if not made:
            return []
        _, after = account([*rows, *made], rules, c)
        found = []
        for offset, row in enumerate(made):
            content = dict(row) | standing(after, c["symbols"], len(rows) + offset)
            mark = digest(previous, content)
            number += 1
            found.append(
                {"frozen_id": frozen.id, "entry": number, "ts": row["ts"], "written": written,
                 "content": content, "previous": previous, "digest": mark}
            )  # fmt: skip
            previous = mark
        return found


def _content(
    found: Any,
    bars: Bars,
    raw: Bars,
    bt: Backtest,
    params: Mapping[str, Any],
    *,
    name: str,
    start: str | None,
    backdated: bool,
    note: str,
) -> dict[str, Any]:
    """Everything that a freeze remembers, but when."""
    from importlib.metadata import version
    from platform import python_version

    from tapebook import __version__
    from tapebook.strategy.forward.book import bar_row, decided
    from tapebook.strategy.keep import kept

    first = bar_row(raw, bars, len(bars) - 1) | decided(found, params, bars, bt.rules, state=True)
    packages = {package: version(package) for package in ("numpy", "pandas", "numba")}
    return {
        "name": found.name,
        "version": name,
        "source": kept(found),
        "code_hash": found.source_hash,
        "params": dict(params),
        "rules": bt.rules.record(),
        "symbols": list(bars.symbols),
        "calendars": {symbol: bars.calendars[symbol] for symbol in bars.symbols},
        "freq": str(bars.freq),
        "adjust": bars.adjust,
        "start": start,
        "until": bars.index[-1].isoformat(),
        "snapshot": bars.snapshot,
        "fingerprint": bars.fingerprint(),
        "backdated": backdated,
        "note": note,
        "first": first,
        "expectation": _expectation(bt),
        "verdict": bt.luck().verdict,
        "environment": packages | {"tapebook": __version__, "python": python_version()},
    }


def _expectation(bt: Backtest) -> dict[str, Any]:
    told = bt.expectancy()
    returns = bt.returns.to_numpy(dtype=float)
    closed = float(bt.metrics["trades"].value)
    estimates = {name: told[name].record() | {"said": str(told[name])} for name in EXPECTED}
    return estimates | {
        "returns": [round(float(r), 9) for r in returns if r == r],
        "trades_a_bar": closed / max(len(returns), 1),
    }


def _looked(record: Mapping[str, Any]) -> str:
    """The look-ahead check in a few words."""
    told = f"{record.get('checked', 0)} of {record.get('signals', 0)} signals checked, none leaked"
    return told if record.get("ok") else "nothing could be checked"


def _revisions(rows: Sequence[Mapping[str, Any]], raw: Bars) -> pd.DataFrame:
    """Values that are read differently today than when they were decided on."""
    import pandas as pd

    from tapebook.strategy.forward.book import FIELDS

    found = []
    at = raw.index.get_indexer(pd.DatetimeIndex([row["ts"] for row in rows]))
    for row, t in zip(rows, at, strict=True):
        for n, symbol in enumerate(raw.symbols):
            then = row["bars"][symbol] or [None] * len(FIELDS)
            for field, old in zip(FIELDS, then, strict=True):
                now = float(raw.values[field][t, n]) if t >= 0 else float("nan")
                same = (now != now) if old is None else now == old
                if not same:
                    found.append((pd.Timestamp(row["ts"]), symbol, field, old, None if now != now else now))
    return pd.DataFrame(found, columns=["ts", "symbol", "field", "then", "now"])


def _next_session(known: Bars, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Date of the session after the last row, by the exchange's calendar."""
    import pandas as pd

    from tapebook.data.calendar import sessions

    last = pd.Timestamp(rows[-1]["ts"])
    days = sessions(known.calendars[known.symbols[0]], last, last + pd.Timedelta("15D"))
    later = days[days > last]
    return f"{later[0]:%Y-%m-%d}" if len(later) else None
