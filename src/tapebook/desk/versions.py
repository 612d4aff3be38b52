"""Saved versions of strategies: none is saved that looks ahead, and none is lost that something names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from tapebook.desk.strategy import StrategyRoom
from tapebook.errors import BadInput, BadParameter, NoData, UnknownName

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.data.panel import Bars
    from tapebook.market.scan import Idea
    from tapebook.strategy import Rules, Strategy
    from tapebook.strategy.lookahead.causality import Causality
    from tapebook.strategy.screen.hits import Screen
    from tapebook.strategy.version import Difference, Version

AT_MOST = 3
"""So many symbols of the lake are checked on when none are given."""
_PACKAGES = ("tapebook", "numpy", "pandas", "polars", "numba", "scipy", "statsmodels")
_NAMED = re.compile(r"([^@/\\]+)@([^@/\\]*)")


class VersionRoom(StrategyRoom):
    """Versions of strategies."""

    def strategy(self, name: str | Callable[..., Any] | Idea | Screen) -> Strategy:
        """Find a strategy: of the library, "file.py:function", a function of yours, or saved, "trend@2".

        A saved one has its code as it was saved, whatever its file says now, and the parameters that it was
        saved with as its defaults. An idea (a finding of a scan, the rule of an explanation) has its own.
        """
        from tapebook.strategy.version import Version

        if isinstance(name, Version):
            return name.strategy()
        if isinstance(name, str) and _NAMED.fullmatch(name) and ".py" not in name:
            return self.version(name).strategy()
        try:
            return super().strategy(name)
        except UnknownName as error:
            saved = self.catalog.strategies.list(str(name)) if error.name == name else []
            if not saved:
                raise
            ids = [f"{name}@{row['version']}" for row in saved]
            then = f"Name a version: {ids[0]} is the newest."
            raise UnknownName("strategy", str(name), ids, then) from error

    def save_strategy(
        self,
        strategy: str | Callable[..., Any] | Idea,
        *,
        name: str | None = None,
        params: Mapping[str, Any] | None = None,
        rules: Rules | Mapping[str, Any] | None = None,
        notes: str = "",
        parent: str | None = None,
        bars: Bars | str | Sequence[str] | None = None,
        check: bool = True,
    ) -> Version:
        """Save a strategy as it is now: its code, parameters and rules, under a name and the next number.

        The look-ahead check runs first, and a strategy that uses the future is not saved. The same code,
        parameters and rules under the same name are the same version, however often they are saved.

        Parameters
        ----------
        strategy : str, function or Idea
            Also what a scan found, `scan.idea(0)`, or the rule of an explanation, `told.idea()`.
        name : str, optional
            A word to find it by; the strategy's own name by default.
        params : mapping, optional
            Parameters that differ from the strategy's defaults; all of them are stored.
        rules : Rules or mapping, optional
            How it is meant to be traded; those of the version that is saved anew, by default.
        notes : str
            What it is, and why; `update_version` changes it.
        parent : str, optional
            The version that it was made from, such as "trend@1". By default the saved version that is given
            as `strategy`, else the one before.
        bars : Bars or symbols, optional
            What to check on; up to three of the longest-held daily symbols of the lake by default. With an
            empty lake it is saved as "not checked".
        check : bool
            False saves it without a look, and marks this version "unchecked" for good.

        Raises
        ------
        BadInput
            If it looks ahead (nothing is written then), fails on the bars, or cannot be kept as text.
        BadParameter, UnknownName
            Of the name, the parameters, the rules, the parent.
        """
        from tapebook.strategy import Rules
        from tapebook.strategy.keep import kept
        from tapebook.strategy.rules import divided

        found = self.strategy(strategy)
        base, _, number = found.name.partition("@")
        label = _label(base if name is None else name)
        chosen = found.check(params or {})
        if rules is None and number:
            rules = self.version(found.name).rules
        ruled = Rules(**divided(label, (), rules)[1]) if isinstance(rules, Mapping) else rules
        above = self.version(parent).id if parent else found.name if number else None
        found = copy(found)
        found.name = label
        source = kept(found)
        saved = self.catalog.strategies.save(
            label,
            source,
            found.source_hash,
            chosen,
            notes,
            parent=above,
            family=found.family,
            rules=None if ruled is None else ruled.record(),
            extra={"check": self._look(found, bars, chosen, check), "packages": _packages()},
        )
        return self.version(f"{label}@{saved}")

    def checked(
        self,
        strategy: str | Callable[..., Any],
        bars: Bars | str | Sequence[str],
        params: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Check a strategy for look-ahead and return the record of the check (`ok` None: not told).

        Raises
        ------
        BadInput
            If it looks ahead, with the first bar, symbol and field that leaked.
        """
        return self._without_leak(self.strategy(strategy), bars, params or {}).record()

    def version(self, name: str) -> Version:
        """Return a saved version: "trend@2", or "trend" for the newest.

        Raises
        ------
        UnknownName
            With the nearest name, or the numbers that there are.
        """
        row = self.catalog.strategies.get(*_parted(name))
        return self._version(dict(row._mapping))

    def versions(self, name: str | None = None, *, archived: bool = False) -> pd.DataFrame:
        """List saved versions, newest first; archived ones only when asked for.

        Columns: name, version, parent, created, check ("passed", "not checked" or "unchecked"), parameters,
        notes, archived, results (stored backtests of this very code).
        """
        import pandas as pd

        if name is not None:
            self.catalog.strategies.get(*_parted(name))
        base, number = (None, None) if name is None else _parted(name)
        rows = self.catalog.strategies.list(base, archived=archived)
        made = self.catalog.results.by_code()
        shown = [
            {column: row[column] for column in ("name", "version", "parent", "created")}
            | {"check": _check_of(row).get("state", "not checked")}
            | {column: row[column] for column in ("parameters", "notes", "archived")}
            | {"results": made.get(row["code_hash"], 0)}
            for row in rows
            if number in (None, row["version"])
        ]
        columns = ["name", "version", "parent", "created", "check", "parameters", "notes", "archived"]
        return pd.DataFrame(shown, columns=[*columns, "results"])

    def update_version(self, name: str, *, notes: str, revision: int | None = None) -> Version:
        """Replace the notes of "trend@2". Nothing else of a version can change: save another one.

        Raises
        ------
        Changed
            If it is at another revision than the one given: it says who changed it, and when.
        """
        base, number = _numbered(name)
        self.version(name)
        self.catalog.items.note("strategy", f"{base}@{number}", notes, seen=revision)
        return self.version(name)

    def delete_strategy(self, name: str, *, revision: int | None = None) -> pd.DataFrame:
        """Delete "trend@2", or every version of "trend"; what something names is archived instead.

        A version is archived while a stored result was made by its code, or a run, a frozen version or the
        ledger of trials names it.

        Returns
        -------
        DataFrame
            One row a version: name, version, done ("deleted": it lies in the trash, or "archived"),
            named_by (a list of words such as "run 2026-…").
        """
        import pandas as pd

        base, number = _parted(name) if revision is None else _numbered(name)
        self.catalog.strategies.get(base, number)
        rows = self.catalog.strategies.list(base, archived=True)
        numbers = [row["version"] for row in rows if number in (None, row["version"])]
        told = {n: self.catalog.strategies.delete(base, n, seen=revision) for n in numbers}
        return pd.DataFrame(
            [
                {"name": base, "version": n, "done": "archived" if by else "deleted", "named_by": list(by)}
                for n, by in told.items()
            ]
        )

    def restore_strategy(self, name: str, *, revision: int | None = None) -> pd.DataFrame:
        """Bring "trend@2", or every version of "trend", back from archive and trash; they are listed.

        `Changed` if the one version named is at another revision than the one given.
        """
        parted = _parted(name) if revision is None else _numbered(name)
        self.catalog.strategies.restore(*parted, seen=revision)
        return self.versions(name)

    def diff_versions(self, a: str, b: str) -> Difference:
        """Compare two versions as a unified diff: code, parameters, rules, figures of the newest results."""
        from tapebook.strategy.version import difference

        left, right = self.version(a), self.version(b)
        return difference(left, right, (self._newest_result(left), self._newest_result(right)))

    # ---- the look-ahead check

    def _look(
        self, found: Strategy, bars: Bars | str | Sequence[str] | None, params: Mapping[str, Any], check: bool
    ) -> dict[str, Any]:
        """State of the check to be stored."""
        from tapebook.data.panel import Bars

        if not check:
            return {"state": "unchecked", "why": "saved with check=False"}
        where = self._longest() if bars is None else bars
        if where is None:
            return {"state": "not checked", "why": "the lake holds no daily bars"}
        panel = where if isinstance(where, Bars) else self.bars(where)
        told = self._without_leak(found, panel, params)
        if told.ok:
            why = f"{told.checked:,} of {told.signals:,} signals on {', '.join(panel.symbols[:AT_MOST])}"
        else:
            why = told.reasons[0]
        return {
            "state": "passed" if told.ok else "not checked",
            "why": why,
            "symbols": list(panel.symbols),
            "snapshot": panel.snapshot,
            "record": told.record(),
        }

    def _without_leak(
        self, found: Strategy, bars: Bars | str | Sequence[str], params: Mapping[str, Any]
    ) -> Causality:
        try:
            told = self.check(found, bars, **params)
        except (BadParameter, NoData, UnknownName):
            raise
        except Exception as error:
            raise BadInput(
                f"{found.name} could not be checked for look-ahead: {type(error).__name__}: {error}. Name "
                "the bars that it trades (bars=…, --symbols), or save it unchecked (check=False, --unchecked)"
            ) from error
        if told.ok is False:
            raise BadInput(f"{told}\nNothing was saved. `tapebook check` shows it again, mend it and save it")
        return told

    def _longest(self) -> list[str] | None:
        """Symbols that the lake holds most daily bars of."""
        held = self.symbols()
        daily = held[held["freq"].astype(str) == "1d"] if len(held) else held
        if not len(daily):
            return None
        order = daily.sort_values(["bars", "symbol"], ascending=[False, True])
        return [str(symbol) for symbol in order["symbol"].head(AT_MOST)]

    # ---- rows

    def _version(self, row: dict[str, Any]) -> Version:
        from tapebook.strategy import Rules
        from tapebook.strategy.version import Version

        same = ("name", "version", "source", "code_hash", "parameters", "notes", "parent", "created")
        return Version(
            **{name: row[name] for name in same},
            archived=row["archived"],
            rules=None if row["rules"] is None else Rules(**row["rules"]),
            family=row["family"] or "own",
            check=_check_of(row),
            packages=(row["extra"] or {}).get("packages", {}),
            stored=lambda version: self.results(code_hash=version.code_hash, limit=None),
        )

    def _newest_result(self, version: Version) -> dict[str, Any] | None:
        """The newest with this version's parameters; else the newest of its code."""
        rows = self.catalog.results.list(code_hash=version.code_hash, limit=None)
        own = [row for row in rows if row["params"] == version.parameters]
        return next(iter(own or rows), None)


def _check_of(row: Mapping[str, Any]) -> dict[str, Any]:
    return (row["extra"] or {}).get("check") or {}


def _parted(name: str) -> tuple[str, int | None]:
    """Read "trend@2" as ("trend", 2), and "trend" as ("trend", None)."""
    base, at, number = str(name).partition("@")
    if at and not (number.isascii() and number.isdigit()):
        raise BadParameter("version", name, "a name such as 'trend@2', or 'trend' for the newest")
    return base, int(number) if at else None


def _numbered(name: str) -> tuple[str, int]:
    base, number = _parted(name)
    if number is None:
        raise BadParameter("version", name, f"a name and a number such as '{name}@1'")
    return base, number


def _label(name: str) -> str:
    if not name.isidentifier():
        raise BadParameter("name", name, "a word such as 'calm_trend'; its number comes by itself")
    return name


def _packages() -> dict[str, str]:
    """Versions of what the code runs with: kept text may read differently with others."""
    from importlib.metadata import PackageNotFoundError, version
    from platform import python_version

    found = {"python": python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
