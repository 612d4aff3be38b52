"""Could it be luck? What the statistics of `overfit` say of one backtest, in figures with conventions."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import numpy as np

from tapebook.errors import BadParameter
from tapebook.strategy import metrics as m
from tapebook.strategy import overfit
from tapebook.strategy.metrics import Metric, Metrics

if TYPE_CHECKING:
    from tapebook.strategy.backtest import Backtest


class _Moments(TypedDict):
    skew: float
    kurtosis: float


def luck(bt: Backtest, *, trials: int | None = None) -> Metrics:
    """Probabilistic Sharpe ratio and minimum track record, deflated for `trials` where they are given.

    Parameters
    ----------
    trials : int, optional
        How many settings, symbols and ideas were tried before this one, the discarded included.
    """
    if trials is not None and trials < 1:
        raise BadParameter("trials", trials, "at least 1: this one; count the discarded ones")
    returns = bt.returns.to_numpy(dtype=float)
    returns = returns[np.isfinite(returns)]
    ratio, skew, kurtosis = m.sharpe(returns, 1.0), m.skewness(returns), m.kurtosis(returns)
    T, said = len(returns), "per-bar Sharpe ratio with its skew and kurtosis"
    if np.isnan(ratio):
        why = "fewer than 2 bars" if T < 2 else "the bar returns do not vary"
        found = dict.fromkeys(_names(trials), Metric(np.nan, "share", f"none: {why}"))
        return Metrics(found)
    known: _Moments = {"skew": skew, "kurtosis": kurtosis}
    sure = overfit.probabilistic_sharpe(ratio, T, **known)
    found = {
        "probabilistic_sharpe": Metric(
            sure, "share", f"probability that the true Sharpe ratio is above 0, {said}"
        ),
        "minimum_track_record": _track(ratio, T, bt.periods_per_year, known),
    }
    if trials is not None:
        found |= _deflated(ratio, T, trials, bt.periods_per_year, known)
    return Metrics(found)


def _names(trials: int | None) -> list[str]:
    names = ["probabilistic_sharpe", "minimum_track_record"]
    return names if trials is None else [*names, "deflated_sharpe", "minimum_backtest"]


def _track(ratio: float, T: int, year: float, known: _Moments) -> Metric:
    if ratio <= 0.0:
        return Metric(np.nan, "bars", "none: no track is long enough for a Sharpe ratio not above 0")
    needed = overfit.minimum_track_record(ratio, **known)
    return Metric(
        np.ceil(needed),
        "bars",
        f"to be 95% sure that the Sharpe ratio is above 0 ({needed / year:,.1f} years); there are {T:,}",
    )


def _deflated(ratio: float, T: int, trials: int, year: float, known: _Moments) -> dict[str, Metric]:
    sure = overfit.deflated_sharpe(ratio, T, N=trials, variance=1.0 / T, **known)
    annual = ratio * np.sqrt(year)
    if annual > 0.0:
        years = overfit.minimum_backtest_years(trials, annual)
        length = Metric(
            np.ceil(years * year),
            "bars",
            f"in which {trials:,} trials without skill show {annual:.2f} a year at best ({years:,.1f} years)",
        )
    else:
        length = Metric(np.nan, "bars", "none: the Sharpe ratio is not above 0")
    return {
        "deflated_sharpe": Metric(
            sure,
            "share",
            f"probability that it beats the best of {trials:,} independent trials without skill",
        ),
        "minimum_backtest": length,
    }
