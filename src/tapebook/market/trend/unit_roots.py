"""Whether the log price comes back to a level: tests of a unit root and of stationarity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from warnings import catch_warnings, simplefilter

import numpy as np
import pandas as pd

from tapebook.market.trend.series import Series

if TYPE_CHECKING:
    from arch.unitroot import ADF, KPSS

LEAST = 100
"""Bars that the tests need."""


def unit_roots(every: list[Series]) -> pd.DataFrame:
    """One row a symbol of 100 bars or more: ADF and KPSS of the log price about a constant level.

    `adf`, `adf_p`: Dickey & Fuller's test augmented by 4 (n/100)^¼ lags, small p against a unit root;
    `kpss`, `kpss_p`: Kwiatkowski et al. (1992) with Newey and West's lags 12 (n/100)^¼, small p against
    stationarity, told between 0.0001 and 1. `half_life` in bars from the autoregression, NaN where it does
    not revert. `says`: "reverts" where only stationarity stands at 5 %, "random walk" where only the
    unit root stands, "unclear" where both or neither do.
    """
    rows = [_row(series) for series in every if len(series.close) >= LEAST]
    return pd.DataFrame(
        [row for row in rows if row is not None],
        columns=["symbol", "n", "adf", "adf_p", "kpss", "kpss_p", "pull", "error", "half_life", "says"],
    )


def unit_root_findings(table: pd.DataFrame) -> pd.DataFrame:
    """The question of the findings: is the log price pulled back to a level (ADF)?

    `effect` is the pull: the share of the distance to the level lost in a bar, negative for reversion. Its
    interval is the ordinary one; p is MacKinnon's (2010), which knows that a random walk seems to revert.
    """
    return pd.DataFrame(
        {
            "question": "unit root",
            "symbol": table["symbol"],
            "horizon": 0,
            "effect": 100.0 * table["pull"],
            "low": 100.0 * (table["pull"] - 1.96 * table["error"]),
            "high": 100.0 * (table["pull"] + 1.96 * table["error"]),
            "unit": "% of the distance a bar",
            "n": table["n"],
            "p": table["adf_p"],
            "statistic": table["adf"],
        }
    )


def adf_and_kpss(
    y: np.ndarray, *, trend: Literal["c", "ct"] = "c", lags: int | None = None
) -> tuple[ADF, KPSS]:
    """Return arch's two tests of `y` (n,) about a level ("c") or a line ("ct"); each has `stat`, `pvalue`.

    `lags` of both; by default 4 (n/100)^¼ for the first and 12 (n/100)^¼ for the second.
    """
    from arch.unitroot import ADF, KPSS

    few, many = (int(k * (len(y) / 100.0) ** 0.25) if lags is None else lags for k in (4.0, 12.0))
    return ADF(y, lags=few, trend=trend), KPSS(y, lags=many, trend=trend)


def _row(series: Series) -> tuple[object, ...] | None:
    """None where the price moves too evenly for the regression to have one answer."""
    from statsmodels.tools.sm_exceptions import SingularMatrixWarning

    n = len(series.close)
    adf, kpss = adf_and_kpss(series.log)
    with catch_warnings():
        simplefilter("error", SingularMatrixWarning)
        try:
            adf.stat  # noqa: B018  (computed when first asked for)
        except SingularMatrixWarning:
            return None
    stat, p, level, level_p = float(adf.stat), float(adf.pvalue), float(kpss.stat), float(kpss.pvalue)
    pull = float(adf.regression.params.iloc[0])
    half = float(np.log(0.5) / np.log1p(pull)) if -1.0 < pull < 0.0 else np.nan
    says = {(True, False): "reverts", (False, True): "random walk"}.get((p < 0.05, level_p < 0.05), "unclear")
    return series.symbol, n, stat, p, level, level_p, pull, abs(pull / stat) if stat else np.nan, half, says
