"""What every room of the desk stands on: the configuration, the lake, the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tapebook.config import Config
from tapebook.errors import BadParameter

if TYPE_CHECKING:
    from tapebook.data.catalog import Catalog
    from tapebook.data.lake import Lake

AsOf = int | str | datetime | None
"""A snapshot's number, or a time: what the lake held then. None is now."""


class Core:
    """Where a desk is, and what it opens."""

    def __init__(self, config: Config) -> None:
        self.config = config

    @classmethod
    def open(cls, home: str | Path | None = None, *, snapshot: int | None = None) -> Self:
        """Open the desk at `home`, at the nearest tapebook.toml, or in this folder.

        Parameters
        ----------
        home : path, optional
            The desk's folder. TAPEBOOK_HOME says it too; see `tapebook.config.Config.load`.
        snapshot : int, optional
            Read every bar as the lake held it at this snapshot, unless a call says otherwise.
        """
        config = Config.load(home)
        return cls(config if snapshot is None else replace(config, snapshot=snapshot))

    @cached_property
    def lake(self) -> Lake:
        """The store of bars."""
        from tapebook.data.lake import Lake

        return Lake.open(self.config)

    @cached_property
    def catalog(self) -> Catalog:
        """The catalogue of strategies, results and runs."""
        from tapebook.data.catalog import Catalog

        return Catalog.open(self.config)

    def close(self) -> None:
        """Let go of every open file and connection."""
        for room in ("lake", "catalog"):
            if room in self.__dict__:
                self.__dict__.pop(room).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        pinned = f", snapshot={self.config.snapshot}" if self.config.snapshot is not None else ""
        return f"Desk({str(self.config.home)!r}{pinned})"


def names(symbols: str | Sequence[str]) -> list[str]:
    """Read "AAPL, MSFT" or ["AAPL", "MSFT"]; the order is kept, an empty name is refused."""
    names = symbols.split(",") if isinstance(symbols, str) else list(symbols)
    names = [name.strip() for name in names]
    if "" in names:
        raise BadParameter("symbols", symbols, "names such as 'AAPL' or 'AAPL,MSFT'")
    return names
