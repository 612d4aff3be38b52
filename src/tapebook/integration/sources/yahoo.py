"""Yahoo Finance, through yfinance."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.integration.deadline import bounded
from tapebook.integration.outside import Unavailable, retry_after
from tapebook.integration.sources.base import Fetched, Instrument
from tapebook.integration.sources.vendor import Vendor, actions_of, bars_of, between, columns, day, library
from tapebook.integration.web import AGAIN, quoted
from tapebook.schema import FIELDS

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from tapebook.schema import Frequency

INTERVALS = {"1m": 7, "2m": 59, "5m": 59, "15m": 59, "1h": 729, "1d": 0}
"""Days that Yahoo reaches back, 0 for all; it makes weeks and months of running days, so resample instead."""
CALENDARS = {
    "NMS": "XNYS", "NGM": "XNYS", "NCM": "XNYS", "NYQ": "XNYS", "PCX": "XNYS", "ASE": "XNYS", "BTS": "XNYS",
    "LSE": "XLON", "GER": "XFRA", "FRA": "XFRA", "PAR": "XPAR", "AMS": "XAMS", "MIL": "XMIL", "EBS": "XSWX",
    "TOR": "XTSE", "JPX": "XTKS", "HKG": "XHKG", "ASX": "XASX", "SNP": "XNYS", "DJI": "XNYS", "NIM": "XNYS",
}  # fmt: skip
ABOUT = ("exchangeName", "currency", "longName", "shortName", "instrumentType")
EVENTS = ("splits", "dividends", "capitalGains", "earnings")
DIGITS = 7
"""Yahoo's prices are single precision: 150.77000427 is 150.77."""


class Yahoo(Vendor):
    """Yahoo Finance through yfinance: bars as they were printed, splits, dividends; symbols as Yahoo's."""

    name = "yfinance"
    rate = 1.0

    def __init__(self, *, calendar: str = "", session: Any = None) -> None:
        self.calendar, self.session = calendar, session

    def symbols(self, freq: Frequency) -> Sequence[str]:
        """Return nothing: any symbol may be asked."""
        _interval(freq)
        return []

    def fetch(self, symbol: str, *, freq: Frequency, start: datetime | None, end: datetime | None) -> Fetched:
        """Bars of one symbol stamped from `start` to `end`, both included.

        Yahoo's prices are adjusted for every split until now: asking until now brings the splits with which
        to take that back.
        """
        frame, about = self.ask(lambda: self._history(symbol, freq, start))
        where = f"yfinance {symbol}"
        splits, dividends = _events(frame, "Stock Splits"), _events(frame, "Dividends")
        rows = [] if not len(frame) else _rows(frame, freq) + _repeated(about["twice"], frame, freq)
        bars, problems = bars_of(rows, where=where)
        actions = _as_paid(splits, dividends)
        instrument = Instrument(
            symbol,
            self.calendar or CALENDARS.get(about.get("exchangeName") or "", "24/7"),
            about.get("currency") or "",
            about.get("longName") or about.get("shortName") or "",
            self.name,
            str(about.get("instrumentType") or "").lower(),
        )
        bars = between(_as_printed(bars, splits), start, end)
        return Fetched(bars, instrument, between(actions, start, end), problems)

    def _history(self, symbol: str, freq: Frequency, start: datetime | None) -> tuple[pd.DataFrame, Any]:
        import pandas as pd

        yf = library("yfinance")
        self.session = _watched(bounded(self.session or yf.data.new_session(), "Yahoo"))
        self.session.tapebook_twice = []
        yf.data.YfData.cache_get.cache_clear()  # a revised answer is another answer
        shown, yf.config.debug.hide_exceptions = yf.config.debug.hide_exceptions, False
        try:
            with warnings.catch_warnings():  # what pandas tells yfinance is theirs to mend
                warnings.simplefilter("ignore")
                ticker = yf.Ticker(symbol, session=self.session)
                how = {"interval": _interval(freq), "auto_adjust": False, "actions": True, "keepna": True}
                frame = ticker.history(**_span(freq, start), **how)
                told = ticker.get_history_metadata() if len(frame) else {}
                about = {name: told.get(name) for name in ABOUT} | {"twice": self.session.tapebook_twice}
        except yf.exceptions.YFPricesMissingError:  # it answered, and has nothing in this span
            return pd.DataFrame(), {}
        except yf.exceptions.YFException as error:
            raise Unavailable(f"yfinance {symbol}: {error}") from error
        except OSError as error:  # requests' and curl's errors are
            raise Unavailable(f"yfinance {symbol}: {type(error).__name__}: {error}") from error
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise BadInput(
                f"yfinance {symbol}: the answer cannot be read ({type(error).__name__}: {error}): Yahoo may "
                "have changed its format; a newer yfinance may read it"
            ) from error
        finally:
            yf.config.debug.hide_exceptions = shown
        if len(frame):
            columns(list(frame.columns), ("Open", "High", "Low", "Close", "Volume"), f"yfinance {symbol}")
        return frame, about


def _interval(freq: Frequency) -> str:
    if str(freq) not in INTERVALS:
        raise BadParameter("freq", str(freq), f"one of {', '.join(INTERVALS)}: resample for others")
    return str(freq)


def _span(freq: Frequency, start: datetime | None) -> dict[str, Any]:
    reach = INTERVALS[str(freq)]
    if start is None:
        return {"period": "max"}
    earliest = datetime.now(UTC) - timedelta(days=reach) if reach else datetime(1900, 1, 1, tzinfo=UTC)
    return {"start": max(start, earliest).date().isoformat() if not reach else max(start, earliest)}


def _watched(session: Any) -> Any:
    """Look at each answer before yfinance does, which keeps status and headers to itself.

    What it keeps to itself too: that a stamp came twice (it takes one of the bars). Those are in
    `session.tapebook_twice`, as (stamp, values).
    """
    if not hasattr(session, "tapebook_twice"):
        ask = session.get

        def get(*args: Any, **kwargs: Any) -> Any:
            response = ask(*args, **kwargs)
            url = str(kwargs.get("url") or args[0])
            if "/finance/chart/" in url:
                for one in _look(response, url.partition("?")[0].rpartition("/")[2]):
                    session.tapebook_twice += _twice(one)
            return response

        session.get = get
    return session


def _look(response: Any, symbol: str) -> list[dict[str, Any]]:
    """Return the charts of an answer, or raise what it means."""
    status, text = response.status_code, response.text
    told = f"Yahoo answered with status {status}: {quoted(text)}"
    if status in AGAIN:
        raise Unavailable(told, retry_after(response.headers.get("retry-after"), time.time()))
    if status == 404:
        raise UnknownName("symbol at Yahoo", symbol, [])
    try:
        chart = json.loads(text)["chart"]
    except ValueError as error:
        raise Unavailable(f"{told} (JSON was expected)") from error
    except (KeyError, TypeError) as error:
        raise BadInput(f"{told}: no chart; Yahoo may have changed its format") from error
    if status >= 400 or chart.get("error"):
        raise BadInput(f"Yahoo refuses {symbol}: {(chart.get('error') or {}).get('description') or told}")
    found: list[dict[str, Any]] = chart.get("result") or []
    for one in found:
        _checked(one, f"Yahoo's chart of {symbol}")
    return found


def _checked(chart: dict[str, Any], where: str) -> None:
    """Refuse a chart that yfinance would read as an empty one, or as one without its splits."""
    quote = (chart.get("indicators", {}).get("quote") or [{}])[0]
    if quote:
        columns(chart, ("timestamp",), where)
        columns(quote, FIELDS, where)
    unknown = set(chart.get("events") or {}) - set(EVENTS)
    if unknown:
        raise BadInput(f"{where} has {', '.join(sorted(unknown))}: Yahoo may have changed its format")


def _twice(chart: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """Bars whose stamp another one of other values has too."""
    stamps = chart.get("timestamp") or []
    if len(set(stamps)) == len(stamps):
        return []
    quote = chart["indicators"]["quote"][0]
    bars = [(stamp, {name: quote[name][at] for name in FIELDS}) for at, stamp in enumerate(stamps)]
    first = dict(reversed(bars))
    torn = {stamp for stamp, bar in bars if first[stamp] != bar}
    return [(stamp, bar) for stamp, bar in bars if stamp in torn]


def _repeated(twice: list[tuple[int, dict[str, Any]]], frame: pd.DataFrame, freq: Frequency) -> list[Any]:
    moments = [datetime.fromtimestamp(stamp, frame.index.tz) for stamp, _ in twice]  # type: ignore[attr-defined]
    stamps = [moment.astimezone(UTC) if freq.intraday else day(moment.date()) for moment in moments]
    return [{"ts": stamp} | bar for stamp, (_, bar) in zip(stamps, twice, strict=True)]


def _rows(frame: pd.DataFrame, freq: Frequency) -> list[dict[str, Any]]:
    names = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Volume": "volume"}
    stamps = [
        moment.to_pydatetime().astimezone(UTC) if freq.intraday else day(moment.date())
        for moment in frame.index
    ]
    values = frame[list(names)].rename(columns=names).to_dict("records")
    rows = [
        {"ts": stamp} | {str(k): v for k, v in row.items()} for stamp, row in zip(stamps, values, strict=True)
    ]
    for row in rows:
        if row["close"] != row["close"]:
            row["volume"] = None
    return rows


def _events(frame: pd.DataFrame, column: str) -> dict[datetime, float]:
    import pandas as pd

    if column not in frame.columns:
        return {}
    found = frame[column][frame[column] != 0].dropna()
    stamps = [day(moment.date()) for moment in pd.DatetimeIndex(found.index)]
    return dict(zip(stamps, found.to_list(), strict=True))


def _as_printed(bars: pl.DataFrame, splits: dict[datetime, float]) -> pl.DataFrame:
    """Take back the splits after each bar: prices times, volume by, their product."""
    import polars as pl

    factor = pl.lit(1.0)
    for moment, ratio in splits.items():
        factor = factor * pl.when(pl.col("ts") < moment).then(ratio).otherwise(1.0)
    prices = [(pl.col(name) * factor).round_sig_figs(DIGITS) for name in ("open", "high", "low", "close")]
    return bars.with_columns(*prices, (pl.col("volume") / factor).round(0))


def _as_paid(splits: dict[datetime, float], dividends: dict[datetime, float]) -> pl.DataFrame:
    """Dividends too are adjusted for later splits; they are paid on the shares of their day."""
    paid = {}
    for moment, money in dividends.items():
        for split, ratio in splits.items():
            money *= ratio if moment < split else 1.0
        paid[moment] = float(f"{money:.{DIGITS}g}")
    return actions_of(splits, paid)
