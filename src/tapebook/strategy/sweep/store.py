"""A sweep on disk, to go on from: its table as Parquet, and in the metadata what it was a sweep of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tapebook.errors import BadInput, BadParameter
from tapebook.strategy.rules import Rules, divided
from tapebook.strategy.sweep.grid import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tapebook.data.panel import Bars
    from tapebook.strategy.declare import Strategy
    from tapebook.strategy.sweep.sweep import Sweep

KEY = b"tapebook.sweep"
"""Under which a Parquet file's metadata says what sweep it is."""


@dataclass(frozen=True, eq=False)
class Earlier:
    """A sweep that can be taken over: its table, what it was a sweep of, and where it came from."""

    table: pd.DataFrame
    told: dict[str, Any]
    name: str


def described(
    strategy: Strategy,
    bars: Bars,
    rules: Rules,
    fixed: Mapping[str, Any],
    varied: Sequence[str],
    alone: bool,
) -> dict[str, Any]:
    """Say what decides the figures of a combination, as plain values: equal for sweeps that fit together."""
    params, ruled = divided(strategy.name, strategy.parameters, fixed)
    known = strategy.check(params) | rules.changed(**ruled).record()
    known.pop("shared_cash")  # `alone` says it
    return {
        "strategy": strategy.name,
        "code": strategy.source_hash,
        "bars": bars.fingerprint(),
        "varied": list(varied),
        "alone": alone,
        "fixed": {name: plain(value) for name, value in known.items() if name not in varied},
    }


def write(sw: Sweep, path: Path) -> Path:
    """Do what `Sweep.save` says."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    more = {
        "symbols": list(sw.bars.symbols),
        "values": {name: [plain(v) for v in found] for name, found in sw.values.items()},
        "search": sw.search,
        "metric": sw.metric,
        "asked": sw.asked,
        "refused": sw.refused,
        "seconds": sw.seconds,
        "complete": sw.complete,
        "warning": sw.warning,
    }
    told = described(sw.strategy, sw.bars, sw.rules, sw.fixed, sw.varied, sw.alone) | more
    table = pa.Table.from_pandas(sw.table, preserve_index=False)
    table = table.replace_schema_metadata((table.schema.metadata or {}) | {KEY: json.dumps(told).encode()})
    part = path.with_name(path.name + ".part")
    pq.write_table(table, part)
    part.replace(path)
    return path


def earlier(resume: Sweep | Earlier | str | Path) -> Earlier:
    """Read what a sweep goes on from.

    Raises
    ------
    BadInput
        If the file is not there or holds no sweep.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if isinstance(resume, Earlier):
        return resume
    if not isinstance(resume, (str, Path)):
        told = described(
            resume.strategy, resume.bars, resume.rules, resume.fixed, resume.varied, resume.alone
        )
        return Earlier(resume.table, told, repr(resume).partition("\n")[0])
    path = Path(resume)
    if not path.is_file():
        raise BadInput(f"there is no sweep at {path}: `Sweep.save`, or --out on the command line, keeps one")
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{path} cannot be read as Parquet: {error}") from error
    said = (table.schema.metadata or {}).get(KEY)
    if said is None:
        raise BadInput(f"{path} holds no sweep: expected a file that `Sweep.save` wrote")
    return Earlier(table.to_pandas(), json.loads(said), str(path))


def expect_alike(before: Earlier, now: Mapping[str, Any]) -> None:
    """Refuse a sweep whose rows would say something else today.

    Raises
    ------
    BadParameter
        Naming all that differs.
    """
    was = before.told
    if was["varied"] != now["varied"]:
        raise BadParameter("resume", before.name, f"a sweep of the same settings: {', '.join(now['varied'])}")
    different = [said for name, said in _DIFFERENT.items() if was[name] != now[name]]
    for name in dict.fromkeys([*was["fixed"], *now["fixed"]]):
        old, new = was["fixed"].get(name), now["fixed"].get(name)
        if old != new:
            different.append(f"{name} was {old!r} and is {new!r}")
    if different:
        raise BadParameter("resume", before.name, f"a sweep like this one, but {'; '.join(different)}")


_DIFFERENT = {
    "strategy": "the strategy is another",
    "code": "the strategy's code has changed",
    "bars": "the bars are others",
    "alone": "only one of them trades each symbol alone",
}


def joined(before: pd.DataFrame, table: pd.DataFrame, varied: Sequence[str]) -> pd.DataFrame:
    """Put two tables together; columns have the types that a whole table has."""
    if not len(table) or not len(before):
        return before if len(before) else table
    both = pd.concat([before, table], ignore_index=True)
    for name in varied:
        if before[name].dtype != table[name].dtype:
            both[name] = pd.Series([plain(v) for v in both[name]], dtype=object).infer_objects()
    return both
