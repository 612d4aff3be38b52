"""Scanners of others: TradingView's and Finviz', through the libraries that speak to them.

Both pages change without notice and neither is promised to anybody: what does not look as expected is refused
whole, never read as "nothing found". They come with the extra `sources`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from tapebook.errors import BadInput, BadParameter, ConfigError
from tapebook.integration.outside import Outside, Unavailable, retry_after

if TYPE_CHECKING:
    import requests

RATE = 0.5
"""Questions a second at most, over all processes of a desk."""
AGAIN = {408, 425, 429, 500, 502, 503, 504}
_FILTER = re.compile(r"\s*([A-Za-z][\w.|]*)\s*(<=|>=|==|!=|<|>|=)\s*(.+?)\s*")


def tradingview(
    filters: Sequence[str] = (),
    *,
    market: str = "america",
    columns: Sequence[str] = ("close", "volume"),
    limit: int = 100,
    url: str | None = None,
    outside: Outside | None = None,
) -> pd.DataFrame:
    """Ask TradingView's screener.

    Parameters
    ----------
    filters : list of str
        Such as "RSI < 30" or "close > SMA200", in TradingView's own names of fields.
    url : str, optional
        Another address than TradingView's.

    Returns
    -------
    frame
        symbol (without its exchange), exchange, and the columns; `attrs["total"]` is how many there are.

    Raises
    ------
    BadParameter, BadInput, Unavailable
        Of a filter; of an answer that is not as expected; of a service that does not answer for now.
    """
    try:
        from tradingview_screener.query import Query
    except ImportError as error:
        raise _absent("tradingview-screener") from error
    if not 1 <= limit <= 5_000:
        raise BadParameter("limit", limit, "1 to 5,000")
    query = Query(market).select(*columns).where(*map(_condition, filters)).limit(limit)
    query.url = url or query.url
    told = _asked("tradingview", query.get_scanner_data_raw, outside)
    return _of_tradingview(told, list(columns))


def finviz(
    filters: Mapping[str, str] | None = None,
    *,
    limit: int = 1000,
    url: str | None = None,
    outside: Outside | None = None,
) -> pd.DataFrame:
    """Ask Finviz' screener; filters such as {"Exchange": "NASDAQ", "RSI (14)": "Oversold (30)"}.

    Returns
    -------
    frame
        symbol.

    Raises
    ------
    BadParameter, BadInput, Unavailable
    """
    try:
        from finvizfinance.screener.ticker import Ticker
    except ImportError as error:
        raise _absent("finvizfinance") from error

    class Strict(Ticker):
        """A page without a list of pages is an empty answer only where it says so."""

        def _get_page(self, soup: Any) -> int:
            pages = super()._get_page(soup)
            if not pages and not re.search(r"\b0 Total\b", soup.get_text(" ")):
                raise BadInput(f"finviz: its page is not as expected: {soup.get_text(' ').strip()[:80]!r}")
            return pages

    screener = Strict()
    try:
        screener.set_filter(filters_dict=dict(filters or {}))
    except ValueError as error:
        raise BadParameter("filters", dict(filters or {}), f"Finviz' own names: {error}") from error
    screener.url = url or screener.url
    found = _asked("finviz", lambda: screener.screener_view(verbose=0, limit=limit), outside)
    names = [str(name).strip() for name in found or []]
    wrong = [name for name in names if not re.fullmatch(r"[A-Z][A-Z0-9.-]{0,9}", name)]
    if wrong:
        raise BadInput(f"finviz: {wrong[0]!r} is no symbol: its page has changed. Update finvizfinance")
    return pd.DataFrame({"symbol": list(dict.fromkeys(names))}, dtype=object)


SCANNERS: dict[str, Callable[..., pd.DataFrame]] = {"tradingview": tradingview, "finviz": finviz}


def _condition(text: str) -> Any:
    from tradingview_screener.column import Column

    read = _FILTER.fullmatch(text)
    if read is None:
        raise BadParameter("filter", text, "a field, a comparison and a value, such as 'RSI < 30'")
    field, sign, said = read.groups()
    column = Column(field)
    try:
        value: Any = float(said)
    except ValueError:
        value = (
            Column(said) if re.fullmatch(r"[A-Za-z][\w.|]*", said) and sign[0] in "<>" else said.strip("'\"")
        )
    act = {"<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__", "!=": "__ne__"}.get(sign, "__eq__")
    return getattr(column, act)(value)


def _asked(vendor: str, question: Callable[[], Any], outside: Outside | None) -> Any:
    """Ask in turn and with patience; say in one way what went wrong."""
    import requests

    def once() -> Any:
        try:
            return question()
        except requests.HTTPError as error:
            raise _refused(vendor, error) from error
        except requests.JSONDecodeError as error:
            raise Unavailable(f"{vendor}: the answer is cut off, or is no JSON: {error}") from error
        except (requests.ConnectionError, requests.Timeout) as error:
            raise Unavailable(f"{vendor} cannot be reached: {type(error).__name__}") from error
        except Exception as error:
            if type(error).__module__.startswith("finvizfinance"):
                raise BadInput(f"{vendor}: its page is not as expected: {error}") from error
            raise

    return (outside or Outside()).ask(vendor, RATE, once)


def _refused(vendor: str, error: requests.HTTPError) -> Exception:
    response = error.response
    if response is None:  # finvizfinance raises anew
        response = getattr(error.__cause__, "response", None)
    if response is None or response.status_code in AGAIN:
        said = None if response is None else response.headers.get("Retry-After")
        status = "an error" if response is None else response.status_code
        import time

        return Unavailable(f"{vendor} answers {status}", retry_after(said, time.time()))
    quoted = " ".join(response.text.split())[:160]
    return BadInput(f"{vendor} refuses the question with {response.status_code}: {quoted}")


def _of_tradingview(told: Any, columns: list[str]) -> pd.DataFrame:
    """Read an answer; anything unexpected is refused whole."""
    if not isinstance(told, dict) or not isinstance(told.get("data"), list) or "totalCount" not in told:
        raise BadInput("tradingview: the answer has no 'data' and 'totalCount': its format has changed")
    rows = []
    for at, row in enumerate(told["data"]):
        name, values = (row.get("s"), row.get("d")) if isinstance(row, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(values, list) or len(values) != len(columns):
            raise BadInput(
                f"tradingview: row {at} is {str(row)[:80]}: expected 's' and {len(columns)} values 'd'"
            )
        exchange, _, symbol = name.rpartition(":")
        rows.append((symbol, exchange, *values))
    frame = pd.DataFrame(rows, columns=["symbol", "exchange", *columns])
    frame.attrs["total"] = int(told["totalCount"])
    return frame


def _absent(package: str) -> ConfigError:
    return ConfigError(f"{package} is not installed: pip install 'tapebook[sources]'")
