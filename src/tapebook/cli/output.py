"""How the command line shows a table: aligned for people, JSON for machines."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.desk import Desk

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON, for machines.")
yes = click.option("--yes", "-y", is_flag=True, help="Do not ask.")

adjusted = click.option(
    "--adjust",
    type=click.Choice(["splits", "total", "none"]),
    default="splits",
    show_default=True,
    callback=lambda _context, _option, said: False if said == "none" else said,
)


def open_desk() -> Desk:
    """Open the desk that this command was told of."""
    from tapebook.desk import Desk

    context = click.get_current_context()
    return Desk.open(context.find_root().obj)


def show(
    rows: pd.DataFrame | Sequence[Mapping[str, Any]], json_: bool, *, empty: str = "nothing yet"
) -> None:
    """Print rows as a table, or as a JSON list of objects; an empty table says what to do next."""
    records = _records(rows)
    if json_:
        click.echo(dump(records))
    elif not records:
        click.echo(empty, err=True)
    else:
        click.echo(_table(records))


def _records(rows: pd.DataFrame | Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One mapping a row; a frame's index counts when it has a name."""
    if isinstance(rows, Sequence):
        return list(rows)
    return [dict(row) for row in rows.reset_index(drop=rows.index.name is None).to_dict("records")]  # type: ignore[arg-type]


def dump(value: object) -> str:
    """Write JSON that every parser reads: times in ISO 8601, a missing number as null."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False)


def cell(value: object) -> str:
    """Write one value the way a person reads it."""
    value = _plain(value)
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 10 else f"{value:,.2f}"
    if isinstance(value, list):
        return ", ".join(cell(v) for v in value)
    if isinstance(value, dict):
        return " ".join(f"{k}={cell(v)}" for k, v in value.items())
    return str(value)


def _table(records: Sequence[Mapping[str, Any]]) -> str:
    heads = list(records[0])
    whole = {head for head in heads if all(_is_whole(record[head]) for record in records)}
    body = [
        [_number(record[head]) if head in whole else cell(record[head]) for head in heads]
        for record in records
    ]
    numeric = [all(isinstance(_plain(r[h]), (int, float, type(None))) for r in records) for h in heads]
    widths = [max(len(head), *(len(row[i]) for row in body)) for i, head in enumerate(heads)]

    def line(row: Sequence[str]) -> str:
        cells = (
            text.rjust(w) if right else text.ljust(w)
            for text, w, right in zip(row, widths, numeric, strict=True)
        )
        return "  ".join(cells).rstrip()

    return "\n".join([line(heads), line(["─" * w for w in widths]), *map(line, body)])


def _is_whole(value: Any) -> bool:
    plain = _plain(value)
    return plain is None or (isinstance(plain, float) and plain.is_integer())


def _number(value: Any) -> str:
    plain = _plain(value)
    return "–" if plain is None else f"{plain:,.0f}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(v) for v in value]
    if hasattr(value, "item") and not hasattr(value, "isoformat"):  # a numpy scalar
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (date, datetime)):
        text = (
            value.isoformat(sep=" ", timespec="seconds") if isinstance(value, datetime) else value.isoformat()
        )
        return None if text == "NaT" else text.replace(" 00:00:00+00:00", "").replace("+00:00", "Z")
    return str(value)


def pairs(ctx: click.Context, param: click.Parameter, said: Sequence[str]) -> dict[str, str]:
    """Read repeated NAME=VALUE options."""
    read: dict[str, str] = {}
    for text in said:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", ctx, param)
        if name in read:
            raise click.BadParameter(f"{name} is given twice: {read[name]!r} and {value!r}", ctx, param)
        read[name] = value
    return read


def parameters(help: str = "A parameter of the template; may be repeated.") -> Callable[..., Any]:
    """Give the option `-p NAME=VALUE`, read as `parameters`."""
    return click.option(
        "-p", "--parameter", "parameters", multiple=True, callback=pairs, metavar="NAME=VALUE", help=help
    )


def each(act: Callable[[str], object], names: Sequence[str]) -> None:
    """Do it for each, in this order."""
    for name in names:
        act(name)


def confirmed(question: str, yes: bool, act: Callable[[], object]) -> None:
    """Ask before something is lost, unless told not to."""
    if yes or click.confirm(question, err=True):
        act()
    else:
        raise click.Abort


def link(path: Path) -> str:
    """Write a path the short way when it lies below this folder."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
