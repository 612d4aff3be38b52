"""`tapebook migrate`: the place that a desk is kept in."""

from __future__ import annotations

import click

from tapebook.cli.output import as_json, dump, open_desk


@click.command()
@click.option(
    "--check", "--dry-run", "dry_run", is_flag=True, help="Say what would be done; exit 1 if something."
)
@as_json
def migrate(dry_run: bool, json_: bool) -> None:
    """Bring the catalogue's tables to this version's.

    The first use of an older catalogue does so by itself; this says what is done. It is one transaction,
    and of a SQLite catalogue a copy is made first. For PostgreSQL: pg_dump --schema=tapebook.
    """
    with open_desk() as desk:
        done = desk.migrate(dry_run=dry_run)
    if json_:
        steps = [{"migration": number, "what": what} for number, what in done.steps]
        backup = None if done.backup is None else str(done.backup)
        click.echo(dump({"before": done.before, "steps": steps, "backup": backup}))
    else:
        click.echo(("would migrate " if dry_run and done.steps else "") + str(done))
    if dry_run and done.steps:
        raise SystemExit(1)


COMMANDS = [migrate]
