"""Which column holds what, found by the names that data vendors give them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from tapebook.errors import BadInput, BadParameter
from tapebook.schema import FIELDS

# The nearest name first: a file with both "Close" and "Last" has its close in "Close".
_ALIASES: dict[str, str] = {
    "stamp": "datetime timestamp dateandtime datetimeutc utcdatetime dateutc gmttime utctime localtime "
    "opentime "
    "openingtime bartime barstart starttime ts dt candletime begin",
    "date": "date dtyyyymmdd yyyymmdd tradedate tradingdate tradingday sessiondate pricedate dates day "
    "datum dateday data fecha",
    "time": "time hhmmss hhmm tradetime timeutc hour zeit heure hora ora",
    "unix": "unix epoch unixtime unixtimestamp epochms epochtime ms",
    "open": "open o openprice pxopen op opening openingprice opn firstprice first eröffnung eroeffnung "
    "erster "
    "eröffnungskurs ouverture ouv apertura abertura",
    "high": "high h highprice pxhigh hi highest max maximum hoch höchst tageshoch hoechst plushaut haut "
    "massimo máximo",
    "low": "low l lowprice pxlow lo lowest min minimum tief tiefst tagestief plusbas bas minimo mínimo",
    "close": "close c closeprice pxlast closelast closingprice cl closing last lastprice price settle "
    "settlement settlementprice schlusskurs schluss schlußkurs letzter clôture cloture clot dernier cierre "
    "chiusura ultimo último",
    "volume": "volume v vol vo pxvolume stück stuecke stücke tradedvolume totalvolume sharevolume "
    "basevolume shares "
    "totaltradedquantity tradedquantity quantity qty volumen tickvol tickvolume",
    "symbol": "symbol ticker tickersymbol code instrument sym ric secid securityid security pair stock "
    "asset name",
    "split": "stocksplits stocksplit split splits splitfactor splitcoefficient splitratio",
    "dividend": "dividends dividend divcash dividendamount cashdividend dividendcash div",
}
_ROLE_OF = {
    alias: (role, rank) for role, names in _ALIASES.items() for rank, alias in enumerate(names.split())
}
_ADJUSTED = re.compile(r"adj|adjusted")
_SAID = {
    "ts": "stamp",
    "timestamp": "stamp",
    "datetime": "stamp",
    "ticker": "symbol",
    "splits": "split",
    "dividends": "dividend",
}
_INDEX = ("", "index", "indexlevel0", "unnamed0", "level0")  # how pandas writes an index without a name
_UNCUT = ", or delimiter= if something else stands between the cells"
MAPPABLE = (*FIELDS, "date", "time", "symbol", "split", "dividend")


@dataclass(frozen=True)
class Layout:
    """The position of each thing that was found: stamp, date, time, close … and the headers."""

    headers: tuple[str, ...]
    at: dict[str, int]

    @property
    def when(self) -> str:
        """Header of the column that holds the date."""
        return self.headers[self.at["stamp"] if "stamp" in self.at else self.at["date"]]

    def header(self, role: str) -> str:
        """Header as written of `role`, which may be "when"."""
        return self.when if role == "when" else self.headers[self.at[role]]


def checked_mapping(columns: Mapping[str, str] | None) -> dict[str, str]:
    """Return `columns` with the names used here, or say which key is not one.

    >>> checked_mapping({"Close": "Last", "timestamp": "when"})
    {'close': 'Last', 'stamp': 'when'}
    """
    known = {**{name: name for name in MAPPABLE}, **_SAID}
    mapping = {}
    for key, header in dict(columns or {}).items():
        role = known.get(str(key).strip().lower())
        if role is None:
            turned = known.get(str(header).strip().lower())
            hint = f"; turn it round: {{{str(header)!r}: {str(key)!r}}}" if turned else ""
            raise BadParameter(
                "columns", columns, f"field=header with a field of {', '.join(MAPPABLE)}, not {key!r}{hint}"
            )
        mapping[role] = str(header)
    return mapping


def plain(header: str) -> str:
    """Return a header's letters and digits in lower case, without vendor's decoration.

    >>> plain("<OPEN>"), plain("1. open"), plain("Close (USD)"), plain("Date/Time")
    ('open', 'open', 'close', 'datetime')
    """
    text = re.sub(r"^\s*\d+[.:)]\s*", "", header)
    text = re.sub(r"\([^)]*\)|\[[^\]]*\]", "", text) or text
    return re.sub(r"[\W_]+", "", text).lower()


def recognise(headers: Sequence[str], mapping: Mapping[str, str]) -> Layout:
    """Match headers with roles; what is missing is simply not in `Layout.at`.

    Raises
    ------
    BadParameter
        If `mapping` names a header that is not there.
    BadInput
        If two columns have the same name for one thing.
    """
    at = {role: _position(headers, role, wanted) for role, wanted in mapping.items()}
    taken, found = set(at.values()), dict[str, tuple[int, int]]()
    for position, header in enumerate(headers):
        name = plain(header)
        role, rank = _ROLE_OF.get(name, ("", 0))
        if not role and name.startswith("volume") and not _ADJUSTED.search(name):
            role, rank = "volume", 1000 + position  # "Volume BTC"
        if not role or role in at or position in taken:
            continue
        best = found.get(role)
        if best and best[0] == rank:
            raise BadInput(
                f"two columns are named like {headers[best[1]]!r}: rename one, or pass "
                f"columns={{{role!r}: <header>}}"
            )
        if best is None or rank < best[0]:
            found[role] = (rank, position)
    at |= {role: position for role, (_, position) in found.items() if role not in at}
    return Layout(tuple(headers), _one_stamp(headers, at, mapping))


def _position(headers: Sequence[str], role: str, wanted: str) -> int:
    if wanted in headers:
        return headers.index(wanted)
    same = [i for i, header in enumerate(headers) if plain(header) == plain(wanted)]
    if len(same) == 1:
        return same[0]
    near = get_close_matches(wanted, headers, n=1) or [
        header
        for header in headers
        if plain(header) in get_close_matches(plain(wanted), [plain(header)], n=1)
    ]
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise BadParameter(f"columns[{role!r}]", wanted, f"one of the headers {listed(headers)}{hint}")


def _one_stamp(headers: Sequence[str], at: dict[str, int], mapping: Mapping[str, str]) -> dict[str, int]:
    """Leave one way to read the time: a stamp, or a date with or without a time column."""
    if "date" in mapping:
        at.pop("stamp", None)
    if "stamp" not in at and "date" not in at:
        nameless = [i for i, header in enumerate(headers) if plain(header) in _INDEX and (header or not i)]
        for role in ("time", "unix"):
            if role in at:
                at["stamp"] = at.pop(role)
                break
        else:
            if nameless and nameless[0] not in at.values():
                at["stamp"] = nameless[0]
    if "stamp" in at:
        for role in {"date", "time"} - set(mapping):
            at.pop(role, None)
        if "time" in mapping and "date" not in at:
            at["date"] = at.pop("stamp")
    at.pop("unix", None)
    return at


def missing(layout: Layout, where: str) -> BadInput | None:
    """Say what a file lacks to be bars, or None."""
    if "close" not in layout.at:
        adjusted = [h for h in layout.headers if _ADJUSTED.search(plain(h)) and "close" in plain(h)]
        if adjusted:
            return BadInput(
                f"{where}: the only close is {adjusted[0]!r}, which is adjusted; raw prices are expected, "
                f"adjustment comes "
                f"from splits and dividends. To load it all the same pass "
                f"columns={{'close': {adjusted[0]!r}}}."
            )
        uncut = _UNCUT if len(layout.headers) == 1 else ""
        return BadInput(
            f"{where}: no column holds the close. Headers found: {listed(layout.headers)}. Expected a name "
            f"such as Close, Last or Price; otherwise pass columns={{'close': '<header>'}}{uncut}."
        )
    if "stamp" not in layout.at and "date" not in layout.at:
        return BadInput(
            f"{where}: no column holds the date. Headers found: {listed(layout.headers)}. Expected a name "
            f"such as "
            "Date, Time, Datetime or Timestamp; otherwise pass columns={'date': '<header>'}."
        )
    return None


def listed(headers: Sequence[str]) -> str:
    """Headers in a sentence, long ones and many cut short."""
    shown = [repr(header if len(header) <= 40 else header[:39] + "…") for header in headers[:20]]
    more = f" and {len(headers) - 20} more" if len(headers) > 20 else ""
    return (", ".join(shown) or "none") + more
