"""`tapebook VERB …`: a thin door over `Desk`. Results go to stdout, notes to stderr; exit 0 or 1."""

from __future__ import annotations

import errno
from typing import Any

import click

from tapebook import __version__
from tapebook.errors import TapebookError

_REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)


class Door(click.Group):
    """A group of commands that prints a TapebookError bare and leaves no traceback for Ctrl-C."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102
        try:
            return super().main(*args, **kwargs)
        except KeyboardInterrupt:
            raise SystemExit(130) from None

    def invoke(self, ctx: click.Context) -> Any:  # noqa: D102
        try:
            return super().invoke(ctx)
        except TapebookError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            where = f" ({error.filename})" if error.filename else ""
            raise click.ClickException(
                f"{error.strerror}{where}: make room there, let it be written, or name another place"
            ) from error


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="tapebook")
@click.option(
    "--home",
    type=click.Path(file_okay=False),
    help="The desk's folder [default: where tapebook.toml is, or here].",
)
@click.pass_context
def main(ctx: click.Context, home: str | None) -> None:
    """Research for trading in notebooks: honest, traceable, fast.

    \b
    tapebook ingest sample                              load the bundled market data
    tapebook backtest sma_cross AAPL --fast 10          trade a strategy on the past
    tapebook run backtest -p symbols=AAPL,MSFT          write a report
    tapebook dashboards                                 see the reports in a browser
    """
    ctx.obj = home


def _attach() -> None:
    from tapebook.cli import (
        compare,
        data,
        deliver,
        documents,
        edits,
        events,
        forward,
        items,
        kernel,
        market,
        mirror,
        new,
        publish,
        runs,
        schedule,
        screen,
        secrets,
        strategy,
        sweep,
        team,
        trials,
        universe,
        versions,
        walk_forward,
        worker,
    )

    for room in (
        data,
        edits,
        mirror,
        universe,
        strategy,
        versions,
        sweep,
        walk_forward,
        forward,
        market,
        screen,
        trials,
        compare,
        runs,
        new,
        kernel,
        secrets,
        documents,
        publish,
        schedule,
        worker,
        events,
        deliver,
        items,
        team,
    ):
        for command in room.COMMANDS:
            main.add_command(command)


_attach()
