"""Any vendor whose answers are JSON, described in a TOML file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit
from zoneinfo import ZoneInfo

from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.integration.sources.base import Fetched, Instrument
from tapebook.integration.sources.rest_spec import read_spec
from tapebook.integration.sources.vendor import Vendor, bars_of, between, day
from tapebook.schema import FIELDS

if TYPE_CHECKING:
    from tapebook.schema import Frequency

PAGES = 10_000
"""More pages than this are a vendor that never ends."""
UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
FIRST_YEAR_OVER = datetime(1971, 1, 1, tzinfo=UTC)
_NOWHERE = object()


class Rest(Vendor):
    """Any JSON API, described in a TOML file: spec=acme.toml (address, paging, rate, fields, credential)."""

    name = "rest"

    def __init__(self, *, spec: str) -> None:
        self.spec = read_spec(spec)
        self.rate, self.listed, self.restates = self.spec.rate, bool(self.spec.symbols), self.spec.restates
        self._zone = _zone(self.spec.time.tz)

    def symbols(self, freq: Frequency) -> Sequence[str]:
        """Return the symbols that the description names; none: any may be asked."""
        self._freq(freq)
        return list(self.spec.symbols)

    def fetch(self, symbol: str, *, freq: Frequency, start: datetime | None, end: datetime | None) -> Fetched:
        """Bars of one symbol stamped from `start` to `end`, both included."""
        if self.listed and symbol not in self.spec.symbols:
            raise UnknownName(f"symbol at {self.spec.name}", symbol, self.spec.symbols)
        names = {"symbol": symbol, "freq": self._freq(freq)}
        names |= {k: self._asked(v) for k, v in {"start": start, "end": end}.items() if v is not None}
        where = f"{self.spec.name} {symbol}"
        rows = [self._bar(row, freq, where) for page in self._pages(symbol, names) for row in page]
        self._refuse_other_units(rows, end, where)
        bars, problems = bars_of(rows, where=where)
        instrument = Instrument(symbol, self.spec.calendar, self.spec.currency, source=self.spec.name)
        return Fetched(between(bars, start, end), instrument, None, problems)

    def _freq(self, freq: Frequency) -> str:
        if str(freq) not in self.spec.freqs:
            known = ", ".join(self.spec.freqs)
            raise BadParameter("freq", str(freq), f"one of {known}, as [freqs] in the description says")
        return self.spec.freqs[str(freq)]

    # ---- questions

    def _pages(self, symbol: str, names: dict[str, str]) -> Iterator[list[Any]]:
        """Rows page by page; BadInput when the pages go round in a circle."""
        paging, params = self.spec.paging, self._params(names)
        url, headers = _filled(self.spec.url, names, address=True), self._headers()
        count, seen = 0, set()
        for number in range(PAGES):
            if paging and paging.kind in ("page", "offset"):
                params[paging.param] = paging.first + number if paging.kind == "page" else count
            answer = self._answer(symbol, url, params, headers)
            rows = self._rows(answer)
            yield rows
            count += len(rows)
            if paging is None or (paging.kind in ("page", "offset") and len(rows) < max(paging.size, 1)):
                return
            if paging.kind in ("cursor", "link"):
                following = _at(answer, paging.path)
                if following in (None, "", _NOWHERE, False):
                    return
                if following in seen:
                    raise BadInput(f"{self.spec.name} gives the same next page {following!r} again")
                seen.add(following)
                if paging.kind == "cursor":
                    params[paging.param] = following
                else:
                    url, params = self._same_host(url, str(following)), self._credential_params()
        raise BadInput(f"{self.spec.name} has more than {PAGES:,} pages: ask for a shorter span")

    def _answer(self, symbol: str, url: str, params: dict[str, Any], headers: dict[str, str]) -> Any:
        def refused(status: int, _text: str) -> Exception | None:
            return UnknownName(f"symbol at {self.spec.name}", symbol, []) if status == 404 else None

        return self.outside.ask(self.spec.name, self.rate, lambda: _page(url, params, headers, refused))

    def _params(self, names: dict[str, str]) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for name, value in self.spec.params.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if not any("{" + key + "}" in text for key in ("start", "end") if key not in names):
                told[name] = _filled(text, names)
        return told | self._credential_params()

    def _credential_params(self) -> dict[str, Any]:
        auth = self.spec.auth
        return {auth.param: self._credential()} if auth and auth.param else {}

    def _headers(self) -> dict[str, str]:
        auth = self.spec.auth
        return self.spec.headers | ({auth.header: self._credential()} if auth and auth.header else {})

    def _credential(self) -> str:
        assert self.spec.auth is not None
        return self.spec.auth.value.replace("{secret}", self.outside.credential(self.spec.auth.secret))

    def _same_host(self, url: str, following: str) -> str:
        """The next page's address: on the same host, or the credential would go elsewhere."""
        found = urljoin(url, following)
        if urlsplit(found)[:2] != urlsplit(url)[:2]:
            raise BadInput(f"{self.spec.name}'s next page is at {urlsplit(found).netloc}: another host")
        return found

    def _asked(self, moment: datetime) -> str:
        form = self.spec.time.ask
        if form in UNITS:
            return str(int(moment.timestamp() * UNITS[form]))
        if form == "iso":
            return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        return moment.strftime("%Y-%m-%d" if form == "date" else form)

    # ---- answers

    def _rows(self, answer: Any) -> list[Any]:
        found = _at(answer, self.spec.rows)
        if found is _NOWHERE:
            has = ", ".join(answer) if isinstance(answer, dict) else type(answer).__name__
            raise BadInput(
                f"{self.spec.name}'s answer has no {self.spec.rows!r}: has its format changed? (it has {has})"
            )
        if found is None:
            return []
        if isinstance(found, dict) and all(isinstance(column, list) for column in found.values()):
            try:
                return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]
            except ValueError:
                raise BadInput(f"{self.spec.name}'s columns are not equally long") from None
        if not isinstance(found, list):
            told = f"{self.spec.name}'s {self.spec.rows or 'answer'} is {type(found).__name__}"
            raise BadInput(f"{told}: expected a list of rows")
        return found

    def _bar(self, row: Any, freq: Frequency, where: str) -> dict[str, Any]:
        paths = {name: getattr(self.spec.fields, name) for name in ("ts", *FIELDS)}
        bar = {name: _at(row, path) for name, path in paths.items() if path}
        missing = [paths[name] for name, value in bar.items() if value is _NOWHERE]
        if missing:
            raise BadInput(
                f"{where}: a row has no {', '.join(missing)}: the format may have changed: {row!r:.160}"
            )
        return bar | {"ts": self._stamp(bar["ts"], freq, where)}

    def _refuse_other_units(self, rows: list[dict[str, Any]], end: datetime | None, where: str) -> None:
        """Milliseconds read as seconds end beyond all years; seconds read as milliseconds are of 1970."""
        if self.spec.time.format not in UNITS or not rows or (end is not None and end < FIRST_YEAR_OVER):
            return
        newest = max(row["ts"] for row in rows)
        if newest < FIRST_YEAR_OVER:
            form = self.spec.time.format
            raise BadInput(f"{where}: all bars are of {newest:%Y}: the stamps are not in {form!r}, it seems")

    def _stamp(self, value: Any, freq: Frequency, where: str) -> datetime:
        moment = self._moment(value, where)
        if freq.intraday:
            return moment.astimezone(UTC)
        if self._zone is None and (moment.hour or moment.minute):
            raise BadInput(
                f"{where}: the daily bar {value!r} is at {moment:%H:%M} UTC, so its date depends on a zone: "
                'say it in the description, as in [time] tz = "America/New_York"'
            )
        return day((moment.astimezone(self._zone) if self._zone else moment).date())

    def _moment(self, value: Any, where: str) -> datetime:
        form = self.spec.time.format
        try:
            if form in UNITS:
                found = datetime.fromtimestamp(float(value) / UNITS[form], UTC)
            elif form == "iso":
                found = datetime.fromisoformat(value)
            else:
                found = datetime.strptime(value, form)
        except (TypeError, ValueError, OverflowError, OSError):
            raise BadInput(f"{where}: {value!r} is no time of the format {form!r}") from None
        if found.tzinfo is not None:
            return found
        if self._zone is None and "%H" not in form and (form != "iso" or len(str(value)) <= 10):
            return found.replace(tzinfo=UTC)
        return found.replace(tzinfo=self._zone or UTC)


def _page(url: str, params: dict[str, Any], headers: dict[str, str], refused: Any) -> Any:
    from tapebook.integration import web

    return web.get(url, params, headers, refused=refused).json()


def _at(value: Any, path: str) -> Any:
    """What lies at a dotted path; `_NOWHERE` if nothing does."""
    for part in path.split(".") if path else ():
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.lstrip("-").isdigit() and -len(value) <= int(part) < len(value):
            value = value[int(part)]
        else:
            return _NOWHERE
    return value


def _filled(text: str, names: dict[str, str], *, address: bool = False) -> str:
    for name, value in names.items():
        text = text.replace("{" + name + "}", quote(value, safe="") if address else value)
    return text


def _zone(name: str) -> ZoneInfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise BadParameter("time.tz", name, "a time zone such as America/New_York") from None
