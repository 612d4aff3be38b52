"""From a source into the lake: fetch, judge, write what is new; say what became of every symbol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from tapebook.data.when import When, first_moment, last_moment
from tapebook.errors import BadParameter, NoData, UnknownName
from tapebook.integration import sources
from tapebook.integration.before import before
from tapebook.integration.corrected import corrected
from tapebook.integration.gap import held
from tapebook.integration.incoming import Batch, Incoming, fetch, once, sound
from tapebook.integration.outcome import Ingested, Landed
from tapebook.integration.quarantine import put_aside
from tapebook.integration.several import several
from tapebook.integration.sources.base import Attachable, Instrument, Many
from tapebook.schema import Frequency

if TYPE_CHECKING:
    import polars as pl

    from tapebook.data.lake import Lake
    from tapebook.integration.outside import Outside
    from tapebook.integration.sources import Problem, Source

__all__ = ["Ingested", "Landed", "ingest"]

BATCH = 500_000
"""Bars that are written in one transaction at most, if no single symbol has more."""
LONGEST = 15.0
"""Seconds that bars wait to be written: what a slow vendor has sent is there also after a crash."""
SHOWN = 3
"""Findings that a reason quotes."""

Report = Callable[[int, int, str], None]


def ingest(
    lake: Lake,
    source: str | Source,
    symbols: Sequence[str] = (),
    *,
    start: When = None,
    end: When = None,
    freq: str | Frequency = "1d",
    dry_run: bool = False,
    quarantine: Path | bool = False,
    force: bool = False,
    refresh: bool = False,
    outside: Outside | None = None,
    progress: Report | None = None,
    **options: Any,
) -> Ingested:
    """Write what `source` has of `symbols` (all it has, by default) and the lake has not.

    A source that asks a vendor (`incremental`) is asked only for what the lake has not, and for the last
    bar that it has. A bar that the lake holds already is not written again; one that the source has
    revised takes the old one's place (earlier snapshots keep it). A symbol that fails does not keep the
    others out.

    Parameters
    ----------
    quarantine : folder, optional
        Let the good rows of a symbol land and put its broken rows in a file here.
    force : bool
        Write bars with severe findings too; the findings stay with them.
    refresh : bool
        Ask for the whole span again, to find what the vendor has revised.
    outside : Outside, optional
        The vault and the pace that sources use.
    progress : callable, optional
        Called with (symbols done, symbols in all, symbol).

    Raises
    ------
    UnknownName, BadParameter
        Before anything is fetched.
    """
    if quarantine is True:
        raise BadParameter("quarantine", True, "the folder that broken rows are put in")
    length, first, last = Frequency.parse(freq), first_moment(start, "start"), last_moment(end, "end")
    if first is not None and last is not None and first > last:
        raise BadParameter("end", end, f"a time after the start {start}")
    found = sources.get(source, **options) if isinstance(source, str) else source
    if outside is not None and isinstance(found, Attachable):
        found.attach(outside)
    names, report = _asked(found, symbols, length), progress or (lambda *_: None)
    landed: dict[str, Landed] = {}
    problems: dict[str, tuple[Problem, ...]] = {}
    gaps = getattr(found, "incremental", False) and not refresh
    there = held(lake, names, length) if gaps else {}

    def incoming() -> Iterator[Incoming]:
        done = 0
        lots: Iterable[Sequence[Incoming | Landed | str]] = [names]
        if isinstance(found, Many):
            lots = several(found, names, length, (first, last), there)
        for lot in lots:
            for each in lot:
                name = each if isinstance(each, str) else each.symbol
                report(done, len(names), name)
                one = (
                    fetch(
                        found, name, length, (first, last), there=there.get(name), quarantine=bool(quarantine)
                    )
                    if isinstance(each, str)
                    else each
                )
                done += 1
                if isinstance(one, Incoming):
                    problems[name] = one.fetched.problems
                    yield one
                else:
                    landed[name] = one

    try:
        for batch in _batches(incoming()):
            rows = _write(lake, batch, found.name, force=force, dry_run=dry_run)
            landed |= {row.symbol: row for row in rows}
    finally:  # what has landed by now stays, also when a later batch cannot be written
        if quarantine and not dry_run:
            aside = {
                name: problems.get(name, ()) for name in names if name in landed and landed[name].quarantined
            }
            put_aside(Path(quarantine), found.name, aside)
    report(len(names), len(names), "")
    return Ingested(tuple(landed[name] for name in names), _snapshot(lake))


def _asked(source: Source, symbols: Sequence[str], freq: Frequency) -> list[str]:
    there = list(source.symbols(freq))
    if not getattr(source, "listed", True) and not symbols and not there:
        raise BadParameter("symbols", [], f"at least one: the source {source.name} has no list of its own")
    for name in symbols:
        if name not in there and getattr(source, "listed", True):
            raise UnknownName(f"symbol in the source {source.name}", name, there)
    names = list(dict.fromkeys(symbols)) or there
    if not names:
        raise NoData(f"the source {source.name} has nothing to load")
    return names


def _severe(findings: pl.DataFrame, bars: pl.DataFrame) -> dict[str, str]:
    """Say what is severely wrong with the bars that came, by symbol."""
    import polars as pl

    severe = findings.filter(pl.col("severity") == "severe")
    if not len(severe):
        return {}
    came = bars.select(pl.col("symbol").cast(pl.String), "ts").unique()
    ours = severe.join(came, on=["symbol", "ts"], how="semi")
    return {
        str(name): _wrong(rows.select("ts", "check_name", "detail").rows())
        for (name,), rows in ours.sort("symbol", "ts", maintain_order=True)
        .partition_by("symbol", as_dict=True)
        .items()
    }


def _wrong(rows: list[tuple[Any, ...]]) -> str:
    quoted = (
        f"{ts:%Y-%m-%d %H:%M} {name}: {detail}".replace(" 00:00 ", " ") for ts, name, detail in rows[:SHOWN]
    )
    more = f"; and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    told = "; ".join(quoted) + more
    return f"severely wrong, so nothing was written: {told}. With --force it is written and marked."


def _batches(incoming: Iterator[Incoming]) -> Iterator[list[Incoming]]:
    batch: list[Incoming] = []
    size, begun = 0, monotonic()
    try:
        for one in incoming:
            if batch and size + len(one.bars) > BATCH:
                yield batch
                batch, size, begun = [], 0, monotonic()
            batch.append(one)
            size += len(one.bars)
            if monotonic() - begun > LONGEST:
                yield batch
                batch, size, begun = [], 0, monotonic()
    except KeyboardInterrupt:  # what was fetched by now lands before it ends
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _write(lake: Lake, batch: list[Incoming], source: str, *, force: bool, dry_run: bool) -> list[Landed]:
    """Judge a batch with what the lake has of its symbols, and write it in one transaction."""
    found, rows = sound(corrected(lake, batch, None if dry_run else source))
    if found is None:
        return rows
    there = before(lake, found)
    findings, news = there.findings(), there.news()
    severe = {} if force else _severe(findings, there.bars)
    counts = dict(findings.group_by("symbol").len().iter_rows())
    good = []
    for one in found.each:
        symbol, landed = one.landed.symbol, one.landed
        if symbol in severe:
            said: dict[str, Any] = {"outcome": "blocked", "quarantined": 0, "reason": severe[symbol]}
        else:
            said = _counted(landed, news[symbol], dry_run=dry_run)
            good.append(one)
        rows.append(replace(landed, findings=counts.get(symbol, 0), **said))
    if good and not dry_run:
        _send(lake, found.only(good), findings, source)
    return rows


def _counted(landed: Landed, news: tuple[int, int, int], *, dry_run: bool) -> dict[str, Any]:
    """What a row says of bars that are written."""
    added, changed, actions = news
    outcome = "dry run" if dry_run else "ok" if added or changed or actions else "unchanged"
    alone = actions and not added and not changed
    reason = f"the bars were there; {actions} of its splits and dividends are new" if alone else landed.reason
    return {"outcome": outcome, "added": added, "changed": changed, "reason": reason}


def _send(lake: Lake, batch: Batch, findings: pl.DataFrame, source: str) -> None:
    import polars as pl

    symbols = [one.landed.symbol for one in batch.each]
    lake.write(
        once(batch.bars),
        actions=batch.actions,
        instruments=_instruments([one.fetched.instrument for one in batch.each]),
        quality=findings.filter(pl.col("symbol").is_in(symbols)),
        note=f"ingest {source}: {', '.join(symbols[:5])}{' …' if len(symbols) > 5 else ''}",
    )


def _instruments(found: Sequence[Instrument]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(
        {each.name: [getattr(one, each.name) for one in found] for each in fields(Instrument)}
    )


def _snapshot(lake: Lake) -> int | None:
    try:
        return lake.snapshot()
    except NoData:
        return None
