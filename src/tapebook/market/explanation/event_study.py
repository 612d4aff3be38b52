"""Event studies: abnormal returns around dates, and tests that clustered and stormy events do not fool."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from tapebook.data.when import When, last_moment
from tapebook.errors import BadInput, BadParameter, NoData, UnknownName
from tapebook.market.states import log_closes, since_last_close, without_self

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.data.panel import Bars

Model = Literal["market", "mean"]
NAMED = {"Kolari-Pynnonen": "Kolari–Pynnönen", "Brown-Warner": "Brown–Warner"}
TESTS = ("Brown-Warner", "Patell", "Boehmer-Musumeci-Poulsen", "Kolari-Pynnonen", "rank")


@dataclass(frozen=True, eq=False)
class EventStudy:
    """Abnormal returns around events.

    `average`: one row a bar from the event (0): `abnormal` (mean over events), `cumulative`, `low`, `high`
    (95 % without an effect, by the events' own spread in the estimation bars). `events`: one row an event:
    symbol, ts, beta, deviation, cumulative (CAR over the window), standardised (SCAR). `tests`: one row a
    test of the whole window: statistic, p (two-sided). `dropped`: events that could not be used, and why.
    """

    average: pd.DataFrame
    events: pd.DataFrame
    tests: pd.DataFrame
    dropped: pd.DataFrame
    window: tuple[int, int]
    correlation: float

    @property
    def summary(self) -> str:
        """The answer in words."""
        several = len(self.events) > 1
        name = "Kolari-Pynnonen" if several else "Brown-Warner"
        test = self.tests.loc[name]
        how = "more than chance" if test["p"] <= 0.05 else "no more than chance would"
        first, last = self.window
        over = f"bar {first}" if first == last else f"bars {first} to {last}"
        return (
            f"{len(self.events)} event{'s' * several}: {'mean ' * several}abnormal return over {over} "
            f"{self.events['cumulative'].mean():+.2%}, {how} "
            f"({NAMED[name]} t {test['statistic']:.2f}, p {test['p']:.3f})."
        )

    def figure(self) -> go.Figure:
        """Cumulative mean abnormal return with the band of no effect."""
        from tapebook.market.move.figures import event_figure

        return event_figure(self)


def event_study(
    bars: Bars,
    events: Iterable[tuple[str, When]] | pd.DataFrame,
    *,
    window: tuple[int, int] = (-1, 1),
    estimation: int = 250,
    gap: int = 10,
    model: Model = "market",
    market: str | None = None,
) -> EventStudy:
    """Measure what events did beyond what the market's part in it explains.

    Parameters
    ----------
    events : pairs of (symbol, date), or a frame with columns symbol and ts
        A date on which the symbol has no bar is its next one.
    window : (first, last)
        The symbol's own bars around the event, 0 the event's. A return is since its last close, and the
        market's is over the same time.
    estimation, gap : int
        Betas are of `estimation` bars that end `gap` bars before the window: nothing of the event is in them.
    model : str
        "market": a regression on `market` (a symbol; the mean of the others by default, where 2 of them have
        a return). "mean": the symbol's own mean.

    Notes
    -----
    Tests of the mean cumulative abnormal return. "Brown-Warner": by the deviation of the mean over events,
    bar by bar, in the estimation bars, which holds what the events have in common on one day (1985, JFE 14,
    appendix A). "Patell": each event by its own deviation, as if independent and no stormier than before
    (1976, JAR 14): too sure for clustered events, shown for comparison. "Boehmer-Musumeci-Poulsen": deviation
    across events, so that volatility may rise on the day (1991, JFE 30). "Kolari-Pynnonen": the same, less
    sure by the mean correlation of the events' residuals where their estimation bars overlap (2010, RFS 23,
    equation 10): events on one day are not as many witnesses. "rank": Corrado (1989), for heavy tails. Of a
    single event only Brown–Warner, Patell and the rank can be told; the others are NaN.
    """
    first, last = window
    if first > last:
        raise BadParameter("window", window, "(first, last) bars around the event, such as (-1, 1)")
    if estimation < 40:
        raise BadParameter("estimation", estimation, "at least 40 bars")
    if gap < 0:
        raise BadParameter("gap", gap, "0 bars or more")
    if model not in ("market", "mean"):
        raise BadParameter("model", model, '"market" or "mean"')
    asked = _pairs(events)
    moved = since_last_close(log_closes(bars))
    if model == "market" and market is None and len(bars.symbols) < 3:
        raise BadParameter("model", model, '3 symbols or more, or market=, or model="mean"')
    beside = without_self(moved)
    told: list[tuple[str, _Event]] = []
    dropped: list[tuple[str, When, str]] = []
    for symbol, when in asked:
        made = _one(moved, beside, bars, symbol, when, window, estimation, gap, model, market)
        if isinstance(made, str):
            dropped.append((symbol, when, made))
        else:
            told.append((symbol, made))
    if not told:
        why = "; ".join(f"{s} {w}: {reason}" for s, w, reason in dropped[:3])
        raise NoData(f"none of {len(asked)} events can be used. {why}")
    return _study(told, pd.DataFrame(dropped, columns=["symbol", "ts", "reason"]), window)


@dataclass(frozen=True, eq=False)
class _Event:
    """Abnormal returns in the window (W,) and the estimation bars (E,), their rows, and what scales them.

    `first` is the row at which the window begins.
    """

    ts: pd.Timestamp
    first: int
    abnormal: np.ndarray
    residual: np.ndarray
    rows: np.ndarray
    beta: float
    deviation: float
    widened: float


def _pairs(events: Iterable[tuple[str, When]] | pd.DataFrame) -> list[tuple[str, When]]:
    if isinstance(events, pd.DataFrame):
        missing = {"symbol", "ts"} - set(events.columns)
        if missing:
            raise BadInput(f"events: column {' and '.join(sorted(missing))} missing; expected symbol and ts")
        events = list(zip(events["symbol"], events["ts"], strict=True))
    told = [(str(symbol), when) for symbol, when in events]
    if len(set(told)) < len(told):
        raise BadInput("events: the same symbol and date twice")
    return told


def _one(
    moved: pd.DataFrame,
    beside: pd.DataFrame,
    bars: Bars,
    symbol: str,
    when: When,
    window: tuple[int, int],
    estimation: int,
    gap: int,
    model: Model,
    market: str | None,
) -> _Event | str:
    if symbol not in moved:
        raise UnknownName("symbol", symbol, moved.columns)
    if market is not None and market not in moved:
        raise UnknownName("symbol", market, moved.columns, "The market has to be among the bars.")
    moment = last_moment(when, "ts")
    if moment is None:
        raise BadInput(f"events: {symbol} has no date")
    spoken = moment if bars.freq.intraday else moment.normalize()
    y = moved[symbol].to_numpy()
    own = np.flatnonzero(np.isfinite(y))
    at = int(np.searchsorted(own, bars.index.searchsorted(spoken)))
    begin, end = at + window[0], at + window[1] + 1
    if at >= len(own) or begin < 1 or end > len(own):
        return "its window does not lie in the bars"
    x = np.zeros(len(own))
    if model == "market" and symbol != market:
        x = _between((beside[symbol] if market is None else moved[market]).to_numpy(), own)
    y, until = y[own], begin - gap
    span = np.arange(max(1, until - estimation), max(1, until))
    rows = span[np.isfinite(x[span])]
    if len(rows) < max(40, estimation // 2):
        return f"{len(rows)} bars before it, {max(40, estimation // 2)} needed"
    if not np.isfinite(x[begin:end]).all():
        return "a return of the market in its window is missing"
    return _measured(bars.index[own[at]], y, x, rows, slice(begin, end), model, own)


def _between(line: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Sum of returns (T,) between the rows `own`; NaN before the first return and after the last."""
    known = np.flatnonzero(np.isfinite(line))
    if not len(known):
        return np.full(len(own), np.nan)
    way = np.nan_to_num(line).cumsum()
    way[: known[0]] = way[known[-1] + 1 :] = np.nan
    told: np.ndarray = np.diff(way[own], prepend=np.nan)
    return told


def _measured(
    ts: pd.Timestamp,
    y: np.ndarray,
    x: np.ndarray,
    rows: np.ndarray,
    during: slice,
    model: Model,
    own: np.ndarray,
) -> _Event | str:
    mean_x, mean_y = float(x[rows].mean()), float(y[rows].mean())
    spread = float(((x[rows] - mean_x) ** 2).sum())
    fitted = model == "market" and spread > 0.0
    beta = float(((x[rows] - mean_x) * (y[rows] - mean_y)).sum()) / spread if fitted else 0.0
    residual = y[rows] - mean_y - beta * (x[rows] - mean_x)
    freedom = len(rows) - (2 if fitted else 1)
    deviation = float(np.sqrt((residual**2).sum() / freedom))
    if deviation < 1e-12:
        return "its returns never change"
    abnormal = y[during] - mean_y - beta * (x[during] - mean_x)
    W = len(abnormal)
    off = float((x[during] - mean_x).sum()) ** 2 / spread if fitted else 0.0
    return _Event(
        ts,
        int(own[during.start]),
        abnormal,
        residual,
        own[rows],
        beta,
        deviation,
        deviation * np.sqrt(W + W * W / len(rows) + off),
    )


def _study(told: list[tuple[str, _Event]], lost: pd.DataFrame, window: tuple[int, int]) -> EventStudy:
    from scipy import stats

    made = [event for _, event in told]
    abnormal = np.array([event.abnormal for event in made])
    total = abnormal.sum(axis=1)
    scaled = total / np.array([event.widened for event in made])
    n = len(made)
    patell = scaled.sum() / np.sqrt(n)
    bmp = scaled.mean() / (scaled.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    rho = mean_correlation([(event.rows, event.residual) for event in made]) if n > 1 else 0.0
    kp = bmp * np.sqrt((1.0 - rho) / (1.0 + (n - 1) * rho))
    rank = _rank(made)
    values = {
        "Brown-Warner": _brown_warner(made, abnormal), "Patell": patell,
        "Boehmer-Musumeci-Poulsen": bmp, "Kolari-Pynnonen": kp, "rank": rank,
    }  # fmt: skip
    p = [
        2.0
        * (stats.norm.sf(abs(v)) if name in ("Brown-Warner", "Patell", "rank") else stats.t.sf(abs(v), n - 1))
        for name, v in values.items()
    ]
    tests = pd.DataFrame({"statistic": values, "p": dict(zip(values, p, strict=True))}).loc[list(TESTS)]
    mean = abnormal.mean(axis=0)
    each = np.sqrt((np.array([e.deviation for e in made]) ** 2).sum()) / n * np.sqrt(1.0 + (n - 1) * rho)
    reach = 1.96 * each * np.sqrt(np.arange(1, len(mean) + 1))
    average = pd.DataFrame(
        {"abnormal": mean, "cumulative": mean.cumsum(), "low": -reach, "high": reach},
        index=pd.RangeIndex(window[0], window[1] + 1, name="bar"),
    )
    events = pd.DataFrame(
        {
            "symbol": [symbol for symbol, _ in told], "ts": [e.ts for e in made],
            "beta": [e.beta for e in made], "deviation": [e.deviation for e in made],
            "cumulative": total, "standardised": scaled,
        }
    )  # fmt: skip
    return EventStudy(average, events, tests, lost, window, rho)


def mean_correlation(residuals: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Mean over all pairs of events of their residuals' correlation on shared rows; 0 where they share none.

    Not below 0, so that it never makes a test surer.
    """
    n = len(residuals)
    low = min(int(rows.min()) for rows, _ in residuals)
    span = max(int(rows.max()) for rows, _ in residuals) - low + 1
    table = np.full((span, n), np.nan)
    for k, (rows, values) in enumerate(residuals):
        table[rows - low, k] = values
    from tapebook.market.correlation.products import correlation_matrix

    shared = (~np.isnan(table)).astype(float)
    enough = shared.T @ shared >= 30
    R = np.where(enough, np.nan_to_num(correlation_matrix(table)), 0.0)
    total = float(R[np.triu_indices(n, 1)].sum())
    return max(0.0, total / (n * (n - 1) / 2.0))


def _brown_warner(made: list[_Event], abnormal: np.ndarray) -> float:
    """Cumulative mean over the deviation of the mean over events at each bar before."""
    table = np.full((max(e.first - int(e.rows.min()) for e in made), len(made)), np.nan)
    for k, event in enumerate(made):
        table[event.first - event.rows - 1, k] = event.residual
    count = np.isfinite(table).sum(axis=1)
    whole = count >= max(1, len(made) // 2)  # bars at which most events have a return
    mean = np.nansum(table[whole], axis=1) / count[whole]
    mean *= np.sqrt(count[whole] / len(made))
    return float(abnormal.mean(axis=0).sum() / (mean.std(ddof=1) * np.sqrt(abnormal.shape[1])))


def _rank(made: list[_Event]) -> float:
    """Corrado's statistic of the window: mean rank of its bars over the deviation of mean ranks by bar."""
    from scipy.stats import rankdata

    W, length = len(made[0].abnormal), min(len(e.residual) for e in made)
    joined = [np.concatenate([e.residual[-length:], e.abnormal]) for e in made]
    place = np.array([rankdata(line) / (len(line) + 1.0) - 0.5 for line in joined]).mean(axis=0)
    return float(place[-W:].mean() / (np.sqrt((place**2).mean()) / np.sqrt(W)))
