"""What somebody has corrected by hand stays, whatever a source sends for it later; that it differs is told.

The field's practice: a vendor repeats its error with every download, so the correction wins until somebody
takes it back (`tapebook data restore`). Where the source comes round to the correction there is nothing to
tell, and where it has something third, a person should look.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tapebook.data.edit_checks import KEY
from tapebook.integration.incoming import Incoming
from tapebook.schema import FIELDS

if TYPE_CHECKING:
    import polars as pl

    from tapebook.data.lake import Lake

SHOWN = 3
"""Bars that a reason quotes."""


def corrected(lake: Lake, batch: list[Incoming], source: str | None = None) -> list[Incoming]:
    """Put what was corrected by hand in the place of what a source sent; leave out what was struck out.

    Where a `source` is named, what it has for a corrected bar that is neither its old value nor ours is
    written to the log of corrections (`tapebook data audit`), once.
    """
    import polars as pl

    kept = lake.corrections([one.landed.symbol for one in batch], batch[0].landed.freq) if batch else None
    if kept is None or not len(kept):
        return batch
    own = [pl.col(name).alias(f"own_{name}") for name in FIELDS]
    kept = kept.select("symbol", "ts", "what", *[f"was_{name}" for name in FIELDS], *own)
    both = [_respecting(one, kept.filter(pl.col("symbol") == one.landed.symbol)) for one in batch]
    third = [other for _, other in both if other is not None and len(other)]
    if third and source is not None:
        ours = [pl.col(f"own_{name}").alias(f"was_{name}") for name in FIELDS]
        lake.conflicting(pl.concat([one.select(*KEY, *ours, *FIELDS) for one in third]), source)
    return [one for one, _ in both]


def _respecting(one: Incoming, kept: pl.DataFrame) -> tuple[Incoming, pl.DataFrame | None]:
    """What lands of it, and the corrected bars that the source has a third value for."""
    import polars as pl

    both = one.bars.join(kept.drop("symbol"), on="ts", how="left", maintain_order="left")
    met = both.filter(pl.col("what").is_not_null() & _differs("own"))
    if not len(met):
        return one, None
    other = met.filter(_differs("was"))
    struck, ours = pl.col("what") == "deleted", pl.col("what").is_not_null()
    fields = [pl.when(ours).then(f"own_{name}").otherwise(name).alias(name) for name in FIELDS]
    bars = both.filter(~struck.fill_null(False)).with_columns(fields).select(one.bars.columns)
    told = "; ".join(part for part in (one.landed.reason, _said(met, other)) if part)
    return replace(one, bars=bars, landed=replace(one.landed, reason=told)), other


def _differs(side: str) -> pl.Expr:
    """Whether the source's bar is another than ours (`own`), or than what we had corrected (`was`)."""
    import polars as pl

    return pl.any_horizontal(*[pl.col(name).ne_missing(pl.col(f"{side}_{name}")) for name in FIELDS])


def _said(met: pl.DataFrame, other: pl.DataFrame) -> str:
    many = len(met) > 1
    said = f"{len(met)} {'bars' if many else 'bar'} corrected by hand {'are' if many else 'is'} kept"
    if not len(other):
        return said
    shown = "; ".join(_third(row) for row in other.head(SHOWN).iter_rows(named=True))
    more = f"; and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
    return (
        f"{said}; the source has other values by now for {len(other)} of them: {shown}{more} "
        "(`tapebook data audit` has both, and why they were corrected)"
    )


def _third(row: dict[str, object]) -> str:
    """Quote the first field in which a source differs from what it had, and from us."""
    name = next(name for name in FIELDS if row[name] != row[f"was_{name}"])
    ours = "struck out" if row["what"] == "deleted" else f"kept {row[f'own_{name}']}"
    when = f"{row['ts']:%Y-%m-%d %H:%M}".replace(" 00:00", "")
    return f"{when}: {name} {row[name]} ({ours})"
