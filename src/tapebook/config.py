"""Where a desk keeps its things: tapebook.toml, overridden by TAPEBOOK_* variables."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path

from tapebook.errors import ConfigError

FILE = "tapebook.toml"


@dataclass(frozen=True)
class Config:
    """One desk's settings. Every path is absolute.

    `database` is the catalogue's SQLAlchemy URL (SQLite file or PostgreSQL). The lake's own
    catalogue follows it: a SQLite file beside it, or the same PostgreSQL database. `lake` is where its
    files lie: a folder, or `s3://bucket/prefix`, entered with the AWS_* variables. `snapshot` pins
    the data, `trials` the ledger of trials (the number of its last batch): a run is pinned to both.
    What was deleted is destroyed after `trash_days`.
    """

    home: Path
    database: str
    lake: str
    reports: Path
    results: Path
    notebooks: Path
    snapshot: int | None = None
    trials: int | None = None
    trash_days: float = 30.0

    @classmethod
    def load(cls, home: str | Path | None = None) -> Config:
        """Settings of the desk at `home`, or at the nearest folder upwards with a tapebook.toml.

        Order: TAPEBOOK_<NAME> in the environment, then tapebook.toml, then the default.

        Raises
        ------
        ConfigError
            If the file cannot be read, or names a setting that does not exist.
        """
        root = Path(home or os.environ.get("TAPEBOOK_HOME") or _nearest()).expanduser().resolve()
        said = _read(root / FILE)
        said |= {name: value for name in _settable() if (value := os.environ.get(f"TAPEBOOK_{name.upper()}"))}
        for pin, where in (("snapshot", "tapebook data snapshots"), ("trials", "a run's manifest")):
            if pin in said and not str(said[pin]).isdigit():
                raise ConfigError(f"{pin} is {said[pin]!r}: expected a number as in `{where}`")
        lake = said.get("lake", "data/lake")
        return cls(
            home=root,
            database=_database(said.get("database", "sqlite:///data/desk.sqlite"), root),
            lake=_lake(lake, root),
            reports=_under(root, said.get("reports", "reports")),
            results=_under(root, said.get("results", "data/results")),
            notebooks=_under(root, said["notebooks"]) if "notebooks" in said else _notebooks(root),
            snapshot=int(said["snapshot"]) if "snapshot" in said else None,
            trials=int(said["trials"]) if "trials" in said else None,
            trash_days=_days(said.get("trash_days", "30")),
        )

    @property
    def embedded(self) -> bool:
        """Whether the catalogues are SQLite files rather than a PostgreSQL database."""
        return self.database.startswith("sqlite")

    def environment(self) -> dict[str, str]:
        """The variables that make another process open this same desk."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return {f"TAPEBOOK_{name.upper()}": str(value) for name, value in said.items() if value is not None}


def _settable() -> list[str]:
    return [field.name for field in fields(Config) if field.name != "home"]


def _nearest() -> Path:
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / FILE).is_file()), here)


def _read(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from error
    for name in said:
        if name not in _settable():
            near = get_close_matches(name, _settable(), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"{file}: no setting named {name!r}.{hint} Known: {', '.join(_settable())}.")
    return {name: str(value) for name, value in said.items()}


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days <= 36_500:  # a century, NaN is neither
        raise ConfigError(f"trash_days is {text!r}: expected days, such as 30; 0 keeps nothing")
    return days


def _under(root: Path, path: str) -> Path:
    return (root / Path(path).expanduser()).resolve()


def _database(url: str, root: Path) -> str:
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return f"sqlite:///{_under(root, rest.removeprefix('/') if not rest.startswith('//') else rest[1:])}"
    if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        return f"postgresql+psycopg://{rest}"
    raise ConfigError(f"database is {url!r}: expected sqlite:///path or postgresql://user@host/name")


def _lake(where: str, root: Path) -> str:
    scheme, parted, rest = where.partition("://")
    if not parted:
        return str(_under(root, where))
    if scheme != "s3" or not rest.strip("/"):
        raise ConfigError(f"lake is {where!r}: expected a folder, or s3://bucket/prefix")
    return where.rstrip("/")


def _notebooks(root: Path) -> Path:
    """The desk's own notebooks folder, or the one that came with the package."""
    own = root / "notebooks"
    if own.is_dir():
        return own
    package = Path(__file__).parent
    return next((p for p in (package / "notebooks", package.parents[1] / "notebooks") if p.is_dir()), own)
