"""How a JSON vendor is described: a TOML file, read into these models and checked."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tapebook.errors import BadInput


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Time(_Part):
    """Stamps: `format` of those that come, `ask` of those that are asked for.

    "iso", or seconds, milli-, micro- or nanoseconds since 1970 ("s", "ms", "us", "ns"), or a format of
    strptime such as "%d/%m/%Y"; `ask` also "date". `tz` is the zone of stamps that name none, and the one
    whose date a daily bar has.
    """

    format: str = "iso"
    ask: str = "date"
    tz: str = ""


class Fields(_Part):
    """Where a row has what: a key, a dotted path, or a position in a list."""

    ts: str
    close: str
    open: str = ""
    high: str = ""
    low: str = ""
    volume: str = ""


class Auth(_Part):
    """The credential: in a `header`, or in a `param` of the address. `value` holds {secret}."""

    secret: str
    header: str = ""
    param: str = ""
    value: str = "{secret}"

    @model_validator(mode="after")
    def _one_place(self) -> Auth:
        if bool(self.header) == bool(self.param):
            raise ValueError("say either header or param: where the credential goes")
        return self


class Paging(_Part):
    """How more than one page is asked for.

    "cursor": `path` of the next cursor in the answer, sent as `param`; "link": `path` of the next address;
    "page": `param` counts from `first`; "offset": `param` counts rows. A page of fewer than `size` rows is
    the last one, and so is an empty one.
    """

    kind: Literal["cursor", "link", "page", "offset"]
    param: str = ""
    path: str = ""
    size: int = 0
    first: int = 1

    @model_validator(mode="after")
    def _complete(self) -> Paging:
        needed = {"cursor": ("param", "path"), "link": ("path",), "page": ("param",), "offset": ("param",)}
        missing = [name for name in needed[self.kind] if not getattr(self, name)]
        if missing:
            raise ValueError(f"paging of kind {self.kind!r} needs {' and '.join(missing)}")
        return self


class Spec(_Part):
    """A vendor whose answers are JSON. {symbol}, {freq}, {start} and {end} stand in `url` and `params`.

    A parameter that holds {start} or {end} is left out where there is none. `rows` is the dotted path to the
    list of rows (or to an object of equally long lists); "" is the answer itself.
    """

    name: str = Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    url: str
    fields: Fields
    rows: str = ""
    rate: float = Field(default=1.0, gt=0, le=1000)
    symbols: tuple[str, ...] = ()
    freqs: dict[str, str] = {"1d": "1d"}
    params: dict[str, str | int | float | bool] = {}
    headers: dict[str, str] = {}
    time: Time = Time()
    auth: Auth | None = None
    paging: Paging | None = None
    calendar: str = "24/7"
    currency: str = ""
    restates: bool = False


def read_spec(path: str | Path) -> Spec:
    """Read a description.

    Raises
    ------
    BadInput
        Naming the file and each setting that is missing, unknown or wrong.
    """
    file = Path(path).expanduser()
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} is not valid TOML: {error}") from error
    try:
        return Spec(**said)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise BadInput(f"{file} does not describe a vendor: {told}") from error
