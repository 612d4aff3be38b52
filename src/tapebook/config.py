"""Where a desk keeps its things: tapebook.toml, overridden by TAPEBOOK_* variables."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path

from tapebook.errors import ConfigError

FILE = "tapebook.toml"
_COUNTS = {
    "snapshot": "as in `tapebook data snapshots`",
    "trials": "as in a run's manifest",
    "keep_runs": "of runs, such as 30",
}


@dataclass(frozen=True)
class Config:
    """One desk's settings. Every path is absolute.

    `database` is the catalogue's SQLAlchemy URL (SQLite file or PostgreSQL). The lake's own
    catalogue follows it: a SQLite file beside it, or the same PostgreSQL database. `lake` is where its
    files lie: a folder, or `s3://bucket/prefix`, entered with the AWS_* variables. `snapshot` pins
    the data, `trials` the ledger of trials (the number of its last batch), `universes` the versions of
    those ("sp500@3,nasdaq@1"): a run is pinned to all three.
    What was deleted is destroyed after `trash_days`. Once a day a worker deletes the runs that are neither
    among the newest `keep_runs` of their template and parameters nor younger than `keep_days`; without
    both, none. `address` is where the dashboards are for those who read a notice ("https://desk.example").
    """

    home: Path
    database: str
    lake: str
    reports: Path
    results: Path
    notebooks: Path
    snapshot: int | None = None
    trials: int | None = None
    universes: str | None = None
    trash_days: float = 30.0
    keep_runs: int | None = None
    keep_days: float | None = None
    address: str | None = None

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
        for count, like in _COUNTS.items():
            if count in said and not str(said[count]).isdecimal():
                raise ConfigError(f"{count} is {said[count]!r}: expected a number {like}")
        lake = said.get("lake", "data/lake")
        return cls(
            home=root,
            database=database_url(said.get("database", "sqlite:///data/desk.sqlite"), root),
            lake=lake_place(lake, root),
            reports=_under(root, said.get("reports", "reports")),
            results=_under(root, said.get("results", "data/results")),
            notebooks=_under(root, said["notebooks"]) if "notebooks" in said else _notebooks(root),
            snapshot=int(said["snapshot"]) if "snapshot" in said else None,
            trials=int(said["trials"]) if "trials" in said else None,
            universes=said.get("universes"),
            trash_days=_days("trash_days", said.get("trash_days", "30")),
            keep_runs=int(said["keep_runs"]) if "keep_runs" in said else None,
            keep_days=_days("keep_days", said["keep_days"]) if "keep_days" in said else None,
            address=_address(said["address"]) if "address" in said else None,
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


def _days(name: str, text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days <= 36_500:  # a century, NaN is neither
        raise ConfigError(f"{name} is {text!r}: expected days, such as 30; 0 keeps nothing")
    return days


def _address(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", text):
        raise ConfigError(f"address is {text!r}: expected one such as https://desk.example")
    return text.rstrip("/")


def _under(root: Path, path: str) -> Path:
    return (root / Path(path).expanduser()).resolve()


def database_url(url: str, root: Path) -> str:
    """Read where a catalogue is: a SQLite file, also relative to `root`, or PostgreSQL. Else ConfigError."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return f"sqlite:///{_under(root, rest.removeprefix('/') if not rest.startswith('//') else rest[1:])}"
    if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        return f"postgresql+psycopg://{rest}"
    raise ConfigError(f"database is {url!r}: expected sqlite:///path or postgresql://user@host/name")


def lake_place(where: str, root: Path) -> str:
    """Read where a lake's files are: a folder, also relative to `root`, or in a bucket. Else ConfigError."""
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
