"""Rows to bars: local times to UTC, repeated rows dropped, the bar length checked against the stamps."""

from __future__ import annotations

import polars as pl

from tapebook.errors import BadInput
from tapebook.integration.sources.files.clock import to_utc
from tapebook.integration.sources.files.rows import ACTIONS, VALUES
from tapebook.schema import Frequency

_DAY = 86_400
_NAMED = (
    (60, "1m"),
    (300, "5m"),
    (600, "10m"),
    (900, "15m"),
    (1800, "30m"),
    (3600, "1h"),
    (7200, "2h"),
    (14_400, "4h"),
)
_LONGER = (("1d", 20 * 3600, 5 * _DAY), ("1w", 5.9 * _DAY, 8.1 * _DAY), ("1mo", 27 * _DAY, 35 * _DAY))
_FEW_STEPS = 3  # fewer do not show a rhythm
_SURE = 0.8  # share of regular steps that makes a longer bar length certain


def stamped(rows: pl.DataFrame, freq: Frequency, tz: str | None, calendar: str, where: str) -> pl.DataFrame:
    """Add `ts`, UTC microseconds: when a bar shorter than a day opens, else its date at 00:00.

    Raises
    ------
    BadInput
        If intraday times name no zone and neither `tz` nor a 24/7 calendar says it.
    """
    if freq.intraday:
        return to_utc(rows, freq, tz, calendar, where)
    wall, naive = pl.col("wall"), pl.col("offset").is_null()
    written = rows.filter(~naive & pl.col("wall").is_not_null())
    midnights = not len(written) or bool((written["wall"] == written["wall"].dt.truncate("1d")).all())
    day = wall.dt.truncate("1d")
    if tz is not None and not midnights:
        utc = (wall - pl.duration(minutes=pl.col("offset"))).dt.replace_time_zone("UTC")
        local = utc.dt.convert_time_zone(tz).dt.replace_time_zone(None).dt.truncate("1d")
        day = pl.when(naive).then(day).otherwise(local)
    return rows.with_columns(day.dt.replace_time_zone("UTC").alias("ts"))


def check_length(rows: pl.DataFrame, freq: Frequency, where: str) -> None:
    """Refuse rows whose steps are clearly not those of `freq`.

    Raises
    ------
    BadInput
        With the bar length that it looks like.
    """
    moment = pl.col("ts") if freq.intraday else pl.col("wall").dt.replace_time_zone("UTC")
    steps = moment.filter(pl.col("why").is_null()).drop_nulls().unique().sort().diff().drop_nulls()
    seconds = rows.select(steps.dt.total_microseconds() / 1e6).to_series()
    if not len(seconds):
        return
    seen = _looks_like(seconds, freq)
    if not seen:
        return
    typed = f"pass freq={seen!r} (command line: --freq {seen})" if " " not in seen else "make 1m bars first"
    usual = _worded(float(seconds.median()))  # type: ignore[arg-type]
    first, second = (str(t)[:19] for t in rows["wall"].drop_nulls().unique().sort()[:2])
    raise BadInput(
        f"{where}: looks like {seen} bars, not {freq}: most steps are {usual}, beginning with {first} and "
        f"{second}. To load them as they are, {typed}."
    )


def _looks_like(seconds: pl.Series, freq: Frequency) -> str:
    """Return the bar length that the steps show if it is not `freq`, else ""."""
    least = float(seconds.min())  # type: ignore[arg-type]
    if least >= _shortest(freq) and (least < 1.5 * freq.seconds or len(seconds) < _FEW_STEPS):
        return ""
    usual = float(seconds.mode().min())  # type: ignore[arg-type]
    if _share(seconds < _shortest(freq)) > 0.5:
        return _name(usual if usual < _shortest(freq) else least)
    if len(seconds) < _FEW_STEPS or least < 1.5 * freq.seconds:  # gaps alone say nothing
        return ""
    for name, low, high in _LONGER:
        if Frequency.parse(name).seconds > freq.seconds and _share(seconds.is_between(low, high)) >= _SURE:
            return name
    return _name(usual) if freq.intraday and usual < _DAY and _share(seconds == usual) > 0.5 else ""


def _share(mask: pl.Series) -> float:
    return float(mask.mean())  # type: ignore[arg-type]


def _shortest(freq: Frequency) -> float:
    """Steps below this cannot lie between two bars of `freq`, in seconds."""
    return {"d": 12.5 * 3600, "w": 4.5 * _DAY, "mo": 25 * _DAY}.get(freq.unit, freq.seconds)


def _name(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:g} second"
    days = {1: "1d", 7: "1w"}.get(round(seconds / _DAY)) if seconds >= 20 * 3600 else None
    if days or seconds >= 20 * 3600:
        return days or ("1d" if seconds < 5 * _DAY else "1w" if seconds < 20 * _DAY else "1mo")
    return next((name for length, name in _NAMED if length == seconds), f"{max(1, round(seconds / 60))}m")


def _worded(seconds: float) -> str:
    for unit, length in (("day", _DAY), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return f"{seconds / length:g} {unit}{'s' if seconds != length else ''}"
    return f"{seconds:g} seconds"


def without_repeats(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Sort bars by `ts` and keep the first of those with the same.

    Returns the bars, and the rows that contradict the bar that was kept, with its line and file as
    `kept` and `kept_file`. Rows identical with it are in neither.
    """
    rows = rows if rows["ts"].is_sorted() else rows.sort("ts", maintain_order=True)
    if rows["ts"].n_unique() == len(rows):
        return rows, rows.clear().with_columns(kept="line", kept_file="file")
    first = [pl.col(name).first().over("ts") for name in VALUES]
    same = pl.all_horizontal(pl.col(name).eq_missing(head) for name, head in zip(VALUES, first, strict=True))
    rows = rows.with_columns(
        again=pl.int_range(pl.len()).over("ts") > 0,
        same=same,
        kept=pl.col("line").first().over("ts"),
        kept_file=pl.col("file").first().over("ts"),
    )
    return rows.filter(~pl.col("again")), rows.filter(pl.col("again") & ~pl.col("same"))


def actions_of(bars: pl.DataFrame) -> pl.DataFrame | None:
    """Splits and dividends that the rows tell, one row a day; None if there are none."""
    told = bars.filter((pl.col("split") != 1.0) | (pl.col("dividend") != 0.0))
    if not len(told):
        return None
    day = pl.col("wall").dt.truncate("1d").dt.replace_time_zone("UTC").alias("ts")
    return (
        told.group_by(day)
        .agg(
            pl.col(name).filter(pl.col(name) != none).first().fill_null(none)
            for name, none in ACTIONS.items()
        )
        .sort("ts")
    )
