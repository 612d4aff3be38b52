"""A lake on S3: who may enter comes from the usual AWS_* variables, for DuckDB and for pyarrow alike."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tapebook import redact
from tapebook.errors import ConfigError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SCHEME = "s3://"
_KEY, _SECRET, _TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
_ENDPOINT, _REGION = "AWS_ENDPOINT_URL", "AWS_REGION"

_REFUSED = re.compile(
    r"HTTP (code |status )?403|forbidden|access.?denied|invalid.?access.?key|signature.?does.?not.?match|"
    r"(invalid|expired).?token",
    re.IGNORECASE,
)
_NO_BUCKET = re.compile(r"no.?such.?bucket|bucket does not exist", re.IGNORECASE)
_OTHER_REGION = re.compile(r"\b30[17]\b|permanent.?redirect|authorization.?header.?malformed", re.IGNORECASE)
_UNREACHABLE = re.compile(
    r"could not connect|connection (error|refused|reset)|network.?connection|resolve.*host|timed? ?out|"
    r"curlcode",
    re.IGNORECASE,
)
_S3_ERRORS = re.compile(r"HTTP|s3://|AWS Error|http://|https://")


def is_s3(where: str) -> bool:
    """Whether files lie in a bucket rather than in a folder."""
    return where.startswith(SCHEME)


@dataclass(frozen=True)
class Entrance:
    """How S3 is reached and who asks; printed, it shows no credential."""

    key: str
    secret: str
    token: str | None
    region: str
    endpoint: str | None

    @classmethod
    def of_environment(cls, where: str) -> Entrance:
        """Read AWS_ACCESS_KEY_ID and the rest; AWS_ENDPOINT_URL_S3 comes before AWS_ENDPOINT_URL.

        Raises
        ------
        ConfigError
            If a variable is missing, or the endpoint is no URL.
        """
        said = os.environ
        for name in (_KEY, _SECRET):
            if not said.get(name):
                raise ConfigError(
                    f"the lake is at {where}, but {name} is not set: S3 needs {_KEY} and {_SECRET} "
                    f"(also {_REGION}, and {_ENDPOINT} for a server other than Amazon's)"
                )
        endpoint = said.get("AWS_ENDPOINT_URL_S3") or said.get(_ENDPOINT)
        if endpoint and urlsplit(endpoint).scheme not in ("http", "https"):
            raise ConfigError(
                f"{_ENDPOINT} is {endpoint!r}: expected a URL such as https://s3.example.com:9000"
            )
        region = said.get(_REGION) or said.get("AWS_DEFAULT_REGION") or "us-east-1"
        for secret in (said[_SECRET], said.get(_TOKEN)):
            if secret:
                redact.hide(secret)
        return cls(said[_KEY], said[_SECRET], said.get(_TOKEN) or None, region, endpoint or None)

    def __repr__(self) -> str:
        return f"Entrance({self.endpoint or 'Amazon'}, {self.region})"


def open_door(connection: DuckDBPyConnection, where: str) -> None:
    """Let a DuckDB connection that has httpfs read and write below `where`; kept in its memory only."""
    enter = Entrance.of_environment(where)
    told = {"KEY_ID": enter.key, "SECRET": enter.secret, "REGION": enter.region, "SCOPE": where}
    if enter.token:
        told["SESSION_TOKEN"] = enter.token
    if enter.endpoint:
        told |= {"ENDPOINT": urlsplit(enter.endpoint).netloc, "URL_STYLE": "path"}
        told["USE_SSL"] = str(urlsplit(enter.endpoint).scheme == "https").lower()
    words = ", ".join(f"{name} {_literal(value)}" for name, value in told.items())
    connection.execute(f"CREATE OR REPLACE TEMPORARY SECRET tapebook (TYPE s3, {words})")
    if authority := os.environ.get("AWS_CA_BUNDLE"):
        connection.execute(f"SET ca_cert_file = {_literal(authority)}")


def check(connection: DuckDBPyConnection, where: str) -> None:
    """Look into the bucket, so that a wrong name or credential is told before anything is made.

    Raises
    ------
    ConfigError
        Saying which variable is to be mended.
    """
    with told(where):
        connection.execute(f"SELECT count(*) FROM glob({_literal(f'{where}/*')})").fetchone()


def files(where: str) -> tuple[Any, str]:
    """Return a pyarrow filesystem and the path in it of a folder or of `s3://bucket/prefix`."""
    from pyarrow import fs

    if not is_s3(where):
        return fs.LocalFileSystem(), str(Path(where))
    enter = Entrance.of_environment(where)
    settings: dict[str, Any] = {
        "access_key": enter.key,
        "secret_key": enter.secret,
        "session_token": enter.token,
        "region": enter.region,
        "tls_ca_file_path": os.environ.get("AWS_CA_BUNDLE"),
        "background_writes": False,  # an error belongs to the call that caused it
        "connect_timeout": 10.0,
    }
    if enter.endpoint:
        at = urlsplit(enter.endpoint)
        settings |= {"endpoint_override": at.netloc, "scheme": at.scheme}
    return fs.S3FileSystem(**settings), where.removeprefix(SCHEME)


@contextmanager
def told(where: str) -> Iterator[None]:
    """Turn what S3's clients raise in this block into words, if it is about reaching or entering `where`."""
    try:
        yield
    except Exception as error:  # DuckDB's own errors and pyarrow's OSError have no common parent
        if (words := explained(error, where)) is not None:
            raise words from None
        raise


def faulty(error: BaseException) -> bool:
    """Whether an error says that S3 cannot be reached or entered, so that asking again is in vain."""
    said = str(error)
    return bool(_S3_ERRORS.search(said)) and any(
        pattern.search(said) for pattern in (_NO_BUCKET, _REFUSED, _OTHER_REGION, _UNREACHABLE)
    )


def explained(error: BaseException, where: str) -> ConfigError | None:
    """Say what is wrong and which variable mends it; None if the error is about something else."""
    if isinstance(error, ConfigError) or not is_s3(where) or not faulty(error):
        return None
    said, bucket = str(error), where.removeprefix(SCHEME).partition("/")[0]
    at = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get(_ENDPOINT) or "Amazon S3"
    if _NO_BUCKET.search(said):
        return ConfigError(
            f"there is no bucket {bucket!r} at {at}: make it, or mend `lake` (TAPEBOOK_LAKE), now {where}"
        )
    if _REFUSED.search(said):
        return ConfigError(
            f"{at} refuses these credentials for {where}: check {_KEY}, {_SECRET} and {_TOKEN}, and that "
            f"they may list, read, write and delete in bucket {bucket!r}"
        )
    if _OTHER_REGION.search(said):
        return ConfigError(f"bucket {bucket!r} of {where} is in another region: set {_REGION} to its own")
    return ConfigError(
        f"{at} cannot be reached for {where}: check {_ENDPOINT} and the network, then try again"
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
