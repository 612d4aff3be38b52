"""Local clock times to UTC, through the nights on which clocks change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tapebook.errors import BadInput

if TYPE_CHECKING:
    from datetime import datetime

    from tapebook.schema import Frequency


def to_utc(rows: pl.DataFrame, freq: Frequency, tz: str | None, calendar: str, where: str) -> pl.DataFrame:
    """Add `ts`, and a complaint to times that do not exist or that two instants share.

    A time that occurs twice is decided by the rows around it: in a rising (or falling) file the
    clock steps back between the first hour and the second.

    Raises
    ------
    BadInput
        If times name no zone and neither `tz` nor a 24/7 calendar says it.
    """
    rows = _complaining(rows, pl.col("timeless").fill_null(False), "the time is missing")
    naive = pl.col("offset").is_null()
    some = rows.filter(naive & pl.col("wall").is_not_null())
    aware = (pl.col("wall") - pl.duration(minutes=pl.col("offset"))).dt.replace_time_zone("UTC")
    if not len(some):
        return rows.with_columns(aware.alias("ts"))
    if tz is None and calendar != "24/7":
        raise BadInput(
            f"{where}: times such as {str(some['wall'][0])[:19]} name no time zone. Pass tz= with the "
            f"zone of the file's "
            "clock, such as tz='America/New_York' or tz='UTC' (command line: --tz)."
        )
    zone = tz or "UTC"
    early, late = (
        pl.col("wall")
        .dt.replace_time_zone(zone, ambiguous=side, non_existent="null")
        .dt.convert_time_zone("UTC")
        for side in ("earliest", "latest")
    )
    rows = rows.with_columns(early.alias("early"), late.alias("late"))
    rows = rows.with_columns(pl.when(naive).then("early").otherwise(aware).alias("ts"))
    twice = naive & (pl.col("early") != pl.col("late"))
    never = naive & pl.col("wall").is_not_null() & pl.col("early").is_null()
    rows = _complaining(rows, never, f"does not exist in {zone}: the clocks went forward over it")
    if rows.select(twice.any()).item():
        rows = _decided(rows.with_columns(twice.fill_null(False).alias("twice")), freq, zone)
    return rows.drop("early", "late")


def _complaining(rows: pl.DataFrame, where: pl.Expr, why: str) -> pl.DataFrame:
    told = where & pl.col("why").is_null()
    return rows.with_columns(
        pl.when(told).then(pl.lit(why)).otherwise("why").alias("why"),
        pl.when(told).then(pl.lit("when")).otherwise("about").alias("about"),
    )


def _decided(rows: pl.DataFrame, freq: Frequency, zone: str) -> pl.DataFrame:
    """Choose the instant of each time that occurs twice, from the order of the rows."""
    known = rows.with_row_index("at").filter(pl.col("wall").is_not_null() & pl.col("ts").is_not_null())
    steps = known["wall"].diff().drop_nulls().dt.total_microseconds()
    falling = bool((steps < 0).sum() > (steps > 0).sum())
    ordered = known.reverse() if falling else known
    ordered = ordered.with_columns(before=pl.col("ts").shift(1), after=pl.col("ts").shift(-1)).with_columns(
        block=pl.col("twice").rle_id()
    )
    instants: dict[int, datetime | None] = {}
    for block in ordered.filter("twice").partition_by("block", maintain_order=True):
        early, late = block["early"].to_list(), block["late"].to_list()
        chosen = _choose(early, late, block["before"][0], block["after"][-1], freq.seconds)
        instants |= dict(zip(block["at"], chosen, strict=True))
    found = pl.DataFrame(
        {"at": list(instants), "sure": list(instants.values())},
        schema={"at": pl.get_index_type(), "sure": pl.Datetime("us", "UTC")},
    )
    rows = rows.with_row_index("at").join(found, on="at", how="left", maintain_order="left")
    rows = rows.with_columns(pl.when("twice").then("sure").otherwise("ts").alias("ts"))
    why = (
        f"occurs twice in {zone}, as the clocks went back, and the rows around it do not show which is meant"
    )
    return _complaining(rows, pl.col("twice") & pl.col("sure").is_null(), why).drop("at", "sure", "twice")


def _choose(
    early: list[datetime], late: list[datetime], before: datetime | None, after: datetime | None, step: float
) -> list[datetime | None]:
    """Return the instants of neighbouring rows whose times occur twice, None where that stays open."""
    back = [i for i in range(1, len(early)) if early[i] <= early[i - 1]]
    if len(back) == 1:
        return [*early[: back[0]], *late[back[0] :]]
    if back:
        return [None] * len(early)
    follows = before is not None and 0 < (early[0] - before).total_seconds() <= step
    leads = after is not None and 0 < (after - late[-1]).total_seconds() <= step
    if follows == leads:
        return [None] * len(early)
    return list(early) if follows else list(late)
