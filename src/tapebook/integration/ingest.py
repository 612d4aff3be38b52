"""From a source into the lake: fetch, judge, write what is new; say what became of every symbol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.data import quality
from tapebook.data.when import When, first_moment, last_moment
from tapebook.errors import BadParameter, NoData, TapebookError, UnknownName
from tapebook.integration import sources
from tapebook.integration.quarantine import put_aside
from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from tapebook.data.lake import Lake
    from tapebook.integration.sources import Fetched, Problem, Source

BATCH = 500_000
"""Bars that are written in one transaction at most, if no single symbol has more."""
SHOWN = 3
"""Broken rows and findings that a reason quotes."""

Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Landed:
    """What became of one symbol. `outcome`: ok, unchanged, dry run, blocked or failed; `reason` says why."""

    symbol: str
    freq: str
    outcome: str
    fetched: int = 0
    added: int = 0
    changed: int = 0
    quarantined: int = 0
    findings: int = 0
    first: datetime | None = None
    last: datetime | None = None
    reason: str = ""


@dataclass(frozen=True)
class Ingested:
    """What became of all symbols of one call, and the lake's snapshot afterwards (None: empty lake)."""

    rows: tuple[Landed, ...]
    snapshot: int | None

    @property
    def failed(self) -> tuple[Landed, ...]:
        """Symbols of which nothing landed because something was wrong."""
        return tuple(row for row in self.rows if row.outcome in ("failed", "blocked"))

    def frame(self) -> pd.DataFrame:
        """One row a symbol."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows], columns=list(Landed.__dataclass_fields__))

    def __str__(self) -> str:
        lines = [_LINE.format("symbol", "freq", "outcome", "fetched", "added", "changed", "findings", "span")]
        lines += [_line(row) for row in self.rows]
        lines += [f"{row.symbol}: {row.reason}" for row in self.rows if row.reason]
        return "\n".join(lines)


_LINE = "{:<10} {:<5} {:<10} {:>9} {:>9} {:>9} {:>9}  {}"


def _line(row: Landed) -> str:
    form = "%Y-%m-%d %H:%M" if row.freq[-1] in "mh" else "%Y-%m-%d"
    span = f"{row.first.strftime(form)} to {row.last.strftime(form)}" if row.first and row.last else ""
    counts = (f"{n:,}" for n in (row.fetched, row.added, row.changed, row.findings))
    return _LINE.format(row.symbol, row.freq, row.outcome, *counts, span).rstrip()


@dataclass(frozen=True)
class _Ready:
    """One symbol fetched: its bars as the lake takes them."""

    landed: Landed
    bars: pl.DataFrame
    fetched: Fetched


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
    progress: Report | None = None,
    **options: Any,
) -> Ingested:
    """Write what `source` has of `symbols` (all it has, by default) and the lake has not.

    A bar that the lake holds already is not written again; one that the source has revised takes the
    old one's place (earlier snapshots keep it). A symbol that fails does not keep the others out.

    Parameters
    ----------
    quarantine : folder, optional
        Let the good rows of a symbol land and put its broken rows in a file here.
    force : bool
        Write bars with severe findings too; the findings stay with them.
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
    found = sources.get(source, **options) if isinstance(source, str) else source
    names = _asked(found, symbols, length)
    report, landed = progress or (lambda *_: None), {}
    asides: dict[str, tuple[Problem, ...]] = {}

    def ready() -> Iterator[_Ready]:
        for done, name in enumerate(names):
            report(done, len(names), name)
            one = _one(found, name, length, first, last, quarantine=bool(quarantine))
            landed[name] = one.landed if isinstance(one, _Ready) else one
            if isinstance(one, _Ready):
                asides[name] = one.fetched.problems
                yield one

    for batch in _batches(ready()):
        landed |= {row.symbol: row for row in _write(lake, batch, found.name, force=force, dry_run=dry_run)}
    report(len(names), len(names), "")
    if quarantine and not dry_run:
        put_aside(Path(quarantine), found.name, {name: asides[name] for name in names if asides.get(name)})
    return Ingested(tuple(landed[name] for name in names), _snapshot(lake))


def _asked(source: Source, symbols: Sequence[str], freq: Frequency) -> list[str]:
    there = list(source.symbols(freq))
    for name in symbols:
        if name not in there:
            raise UnknownName(f"symbol in the source {source.name}", name, there)
    names = list(dict.fromkeys(symbols)) or there
    if not names:
        raise NoData(f"the source {source.name} has nothing to load")
    return names


def _one(
    source: Source,
    name: str,
    freq: Frequency,
    start: datetime | None,
    end: datetime | None,
    *,
    quarantine: bool,
) -> _Ready | Landed:
    """Fetch one symbol: its bars, or what is wrong with it."""
    try:
        fetched = source.fetch(name, freq=freq, start=start, end=end)
    except TapebookError as error:
        return Landed(name, str(freq), "failed", reason=str(error))
    except OSError as error:
        return Landed(name, str(freq), "failed", reason=f"cannot be read: {error}")
    rows = Landed(name, str(freq), "ok", fetched=len(fetched.bars) + len(fetched.problems))
    if fetched.problems and not quarantine:
        return replace(rows, outcome="failed", reason=_broken(fetched.problems))
    if not len(fetched.bars):
        what = "only broken rows" if fetched.problems else "no bars in this span"
        return replace(rows, outcome="failed", reason=f"the source has {what}")
    stamps = fetched.bars["ts"].to_list()
    rows = replace(rows, quarantined=len(fetched.problems), first=min(stamps), last=max(stamps))
    return _Ready(rows, _bars(fetched.bars, name, freq), fetched)


def _broken(problems: Sequence[Problem]) -> str:
    told = "; ".join(str(problem) for problem in problems[:SHOWN])
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    count = f"{len(problems)} broken {'rows' if len(problems) > 1 else 'row'}"
    return f"{count}, so nothing was written: {told}{more}. With --quarantine the good rows land."


def _severe(findings: pl.DataFrame, bars: pl.DataFrame) -> str:
    """Say what is severely wrong with the bars that came, "" for nothing."""
    import polars as pl

    ours = pl.col("ts").is_in(bars["ts"].implode())
    rows = (
        findings.filter((pl.col("severity") == "severe") & ours).select("ts", "check_name", "detail").rows()
    )
    if not rows:
        return ""
    quoted = (
        f"{ts:%Y-%m-%d %H:%M} {name}: {detail}".replace(" 00:00 ", " ") for ts, name, detail in rows[:SHOWN]
    )
    more = f"; and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    told = "; ".join(quoted) + more
    return f"severely wrong, so nothing was written: {told}. With --force it is written and marked."


def _batches(ready: Iterator[_Ready]) -> Iterator[list[_Ready]]:
    batch: list[_Ready] = []
    size = 0
    for one in ready:
        if batch and size + len(one.bars) > BATCH:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(one.bars)
    if batch:
        yield batch


def _write(lake: Lake, batch: list[_Ready], source: str, *, force: bool, dry_run: bool) -> list[Landed]:
    """Judge a batch with what the lake has of its symbols, and write it in one transaction."""
    stored = _stored(lake, [one.landed.symbol for one in batch], batch[0].landed.freq)
    rows, good, findings = [], [], []
    for one in batch:
        before = stored.get(one.landed.symbol)
        judged = _judged(one, before)
        added, changed = _news(one.bars, before)
        landed = replace(one.landed, findings=len(judged), added=added, changed=changed)
        severe = _severe(judged, one.bars)
        if severe and not force:
            rows.append(replace(landed, outcome="blocked", added=0, changed=0, reason=severe))
            continue
        outcome = "dry run" if dry_run else "ok" if added or changed else "unchanged"
        rows.append(replace(landed, outcome=outcome))
        good.append(replace(one, bars=one.bars.unique("ts", keep="last", maintain_order=True)))
        findings.append(judged)
    if good and not dry_run:
        _send(lake, good, findings, source)
    return rows


def _send(lake: Lake, batch: list[_Ready], findings: list[pl.DataFrame], source: str) -> None:
    import polars as pl

    symbols = [one.landed.symbol for one in batch]
    actions = [
        one.fetched.actions.select(pl.lit(one.landed.symbol).alias("symbol"), "ts", "split", "dividend")
        for one in batch
        if one.fetched.actions is not None and len(one.fetched.actions)
    ]
    lake.write(
        pl.concat([one.bars for one in batch]),
        actions=pl.concat(actions) if actions else None,
        instruments=pl.DataFrame([asdict(one.fetched.instrument) for one in batch]),
        quality=pl.concat(findings),
        note=f"ingest {source}: {', '.join(symbols[:5])}{' …' if len(symbols) > 5 else ''}",
    )


def _bars(bars: pl.DataFrame, symbol: str, freq: Frequency) -> pl.DataFrame:
    import polars as pl

    labels = [pl.lit(symbol).alias("symbol"), pl.lit(str(freq)).alias("freq")]
    numbers = pl.col(*FIELDS).cast(pl.Float64).fill_nan(None)
    return bars.select(*labels, pl.col("ts").cast(pl.Datetime("us", "UTC")), numbers)


def _stored(lake: Lake, symbols: list[str], freq: str) -> dict[str, pl.DataFrame]:
    """Bars that the lake has, by symbol."""
    import polars as pl

    known = list(lake.last(symbols, freq))
    if not known:
        return {}
    read = pl.DataFrame(lake.read(known, freq=freq)).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))
    parts = read.select("symbol", "ts", *FIELDS).partition_by("symbol", as_dict=True)
    return {str(key[0]): part for key, part in parts.items()}


def _judged(one: _Ready, stored: pl.DataFrame | None) -> pl.DataFrame:
    """Findings on the whole history as it will be."""
    import polars as pl

    bars = one.bars.select("ts", *FIELDS)
    if stored is not None:
        bars = pl.concat([stored.select("ts", *FIELDS).join(bars, on="ts", how="anti"), bars])
    instrument, actions = one.fetched.instrument, one.fetched.actions
    return quality.check(
        bars, symbol=one.landed.symbol, freq=one.landed.freq, calendar=instrument.calendar, actions=actions
    )


def _news(bars: pl.DataFrame, stored: pl.DataFrame | None) -> tuple[int, int]:
    """How many bars the lake has not, and how many it has otherwise."""
    import polars as pl

    bars = bars.unique("ts", keep="last")
    if stored is None:
        return len(bars), 0
    met = bars.join(stored.with_columns(pl.lit(True).alias("met")), on="ts", how="left", suffix="_old")
    differs = pl.any_horizontal(*[pl.col(n).ne_missing(pl.col(f"{n}_old").fill_nan(None)) for n in FIELDS])
    added = met["met"].is_null().sum()
    return int(added), len(met.filter(pl.col("met").is_not_null() & differs))


def _snapshot(lake: Lake) -> int | None:
    try:
        return lake.snapshot()
    except NoData:
        return None
