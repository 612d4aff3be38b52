"""`tapebook migrate`, `tapebook copy`: the place that a desk is kept in."""

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


@click.command()
@click.option(
    "--to", required=True, metavar="WHERE", help="postgresql://user@host/name, sqlite:///path, a folder."
)
@click.option("--lake", metavar="WHERE", help="Where files go: s3://bucket/prefix or a folder.")
@click.option("--again", is_flag=True, help="Go on with a copy into this place that did not end.")
@click.option("--dry-run", is_flag=True, help="Count what would be copied; write nothing.")
@as_json
def copy(to: str, lake: str | None, again: bool, dry_run: bool, json_: bool) -> None:
    """Copy this desk into an empty place, and compare: to a team's database and bucket, back, or elsewhere.

    \b
    tapebook copy --to postgresql://ann@db.example.com/desk --lake s3://research/desk
    tapebook copy --to ~/desk-at-home
    """
    with open_desk() as desk:
        old = desk.config
        try:
            done = desk.copy(to, lake=lake, again=again, dry_run=dry_run)
        except KeyboardInterrupt:
            click.echo("stopped: what is there cannot be opened; --again goes on with it", err=True)
            raise
    if json_:
        click.echo(dump(done.frame()))
        return
    click.echo(str(done))
    if dry_run:
        click.echo("nothing was written", err=True)
        return
    click.echo("every count and checksum is the same at both places", err=True)
    if "://" in to:
        click.echo(f"use it: TAPEBOOK_DATABASE={done.database} TAPEBOOK_LAKE={done.lake}", err=True)
    else:
        click.echo(f"use it: tapebook --home {to} …", err=True)
    if done.tables["secrets"].rows:
        click.echo(f"its credentials open with the key of {old.home} only: see docs/team.md", err=True)


COMMANDS = [migrate, copy]
