"""What bars say of a strategy: a bar's expectancy, the Sharpe ratio's error, pasts that might have been."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tapebook.strategy.luck import odds
from tapebook.strategy.luck.estimates import (
    MIN_BARS,
    Estimate,
    Unit,
    absent,
    drawing,
    initial_risk,
    positive,
)
from tapebook.strategy.luck.overfit import sharpe_error
from tapebook.strategy.luck.resampling import drawn_rows, interval, spread
from tapebook.strategy.performance import metrics as m

if TYPE_CHECKING:
    from tapebook.strategy.backtest.backtest import Backtest

_NAMES: dict[str, Unit] = {
    "bar_expectancy": "money",
    "bar_expectancy_share": "share",
    "bar_expectancy_r": "R",
    "bar_probability_positive": "share",
    "sharpe": "ratio",
    "sharpe_dependent": "ratio",
    "drawdown_95": "share",
    "risk_of_ruin": "share",
    "final_equity": "money",
}
_ALL_LOST = -700.0  # the log of what is left then: nothing a number can hold


def of_bars(
    bt: Backtest, *, block: float, draws: int, seed: int, confidence: float, ruin: float
) -> dict[str, Estimate]:
    """Estimates of bars (all of them, in a position or not), and of paths drawn from them."""
    returns, money = bar_returns(bt)
    T = len(returns)
    if T < MIN_BARS:
        why = f"{MIN_BARS} bars are needed, there are {T}"
        return {name: absent(unit, why) for name, unit in _NAMES.items()}
    means, walked = drawn_pasts(returns, money, draws, block, seed)
    found = _of_means(bt, means, block, confidence)
    found |= of_sharpes(returns, bt.periods_per_year, confidence)
    how = f"{T:,} bars drawn {drawing(block)}"
    return found | _of_paths(walked, bt.start_cash, confidence, ruin, how)


def bar_returns(bt: Backtest) -> tuple[np.ndarray, np.ndarray]:
    """Return each bar's return and profit in money; bars after all is lost have neither."""
    returns = bt.returns.to_numpy(dtype=float)
    known = np.isfinite(returns)
    return returns[known], np.diff(bt.equity.to_numpy(dtype=float), prepend=bt.start_cash)[known]


def drawn_pasts(
    returns: np.ndarray, money: np.ndarray, draws: int, block: float, seed: int
) -> tuple[np.ndarray, Paths]:
    """Mean return and mean profit of a bar (2, draws) in each drawn past, and the path of equity through it.

    Both come from one pass over the draws: laying the blocks is most of the work.
    """
    from tapebook.strategy.luck.resampling_kernels import walk_rows

    logs = _logs(returns)
    tables = drawn_rows(len(returns), draws, block, seed)
    drawn = np.concatenate([walk_rows(rows, returns, money, logs) for rows in tables], axis=1)
    return drawn[:2] / len(returns), Paths(drawn[2], drawn[3], np.expm1(drawn[4]))


def of_means(bt: Backtest, *, block: float, draws: int, seed: int, confidence: float) -> dict[str, Estimate]:
    """Estimates of what a bar makes on average, of at least `MIN_BARS` bars."""
    returns, money = bar_returns(bt)
    return _of_means(bt, drawn_pasts(returns, money, draws, block, seed)[0], block, confidence)


def _of_means(bt: Backtest, drawn: np.ndarray, block: float, confidence: float) -> dict[str, Estimate]:
    returns, money = bar_returns(bt)
    wide = [spread(values, block) for values in (returns, money)]
    shares, sums = (
        by.of(means, float(values.mean()))
        for by, means, values in zip(wide, drawn, (returns, money), strict=True)
    )
    low, high = interval(shares, confidence, wide[0].independent)
    least, most = interval(sums, confidence, wide[1].independent)
    how = f"{confidence:.0%} interval, {len(returns):,} bars drawn {drawing(block)}"
    risk, _, by = initial_risk(bt, bt.trades[bt.trades["status"] == "closed"])
    in_risk = absent("R", "no trade to measure risk by")
    if risk > 0.0:
        said = f"mean profit a bar, R is {by}, {how}"
        in_risk = Estimate(float(money.mean()) / risk, least / risk, most / risk, "R", said)
    return {
        "bar_expectancy": Estimate(float(money.mean()), least, most, "money", f"mean profit a bar, {how}"),
        "bar_expectancy_share": Estimate(
            float(returns.mean()), low, high, "share", f"mean return a bar, {how}"
        ),
        "bar_expectancy_r": in_risk,
        "bar_probability_positive": positive(shares, f"{len(returns):,} bars", "bars", MIN_BARS),
    }


def of_sharpes(returns: np.ndarray, year: float, confidence: float) -> dict[str, Estimate]:
    """Sharpe ratios a year of bar returns, as if independent and by Lo's factor for dependence."""
    ratio = m.sharpe(returns, 1.0)
    if np.isnan(ratio):
        return dict.fromkeys(("sharpe", "sharpe_dependent"), absent("ratio", "the bar returns do not vary"))
    z, rho = NormalDist().inv_cdf(0.5 + confidence / 2.0), odds.autocorrelation(returns)
    plain, factor = odds.annual_factor(year), odds.annual_factor(year, rho)
    error = sharpe_error(ratio, len(returns), skew=m.skewness(returns), kurtosis=m.kurtosis(returns))
    dependent = odds.dependent_sharpe_error(returns)
    half, wide = z * plain * max(error, dependent), z * factor * dependent
    one, other = ratio * plain, ratio * factor
    a_year, ci = f"annualised, {year:,.0f} bars a year, risk-free 0", f"{confidence:.0%} interval"
    lo = f"by Lo's (2002) η({year:,.0f}) = {factor:.2f}, autocorrelation {rho:.2f}; {ci} by his GMM error"
    by = "skew and kurtosis (Mertens 2002) or dependence (Lo 2002), the wider"
    return {
        "sharpe": Estimate(one, one - half, one + half, "ratio", f"{a_year}; {ci} by {by}"),
        "sharpe_dependent": Estimate(other, other - wide, other + wide, "ratio", f"{a_year}, {lo}"),
    }


# ---- of paths


class Paths(NamedTuple):
    """Of each drawn past: log of last over first equity, lowest log on the way, max drawdown (≤ 0)."""

    growth: np.ndarray
    lowest: np.ndarray
    drawdown: np.ndarray

    def ruined(self, loss: float) -> float:
        """Share of paths that ever lose that share of the first equity."""
        return float((self.lowest <= np.log1p(-loss)).mean())


def paths(returns: np.ndarray, draws: int, block: float, seed: int) -> Paths:
    """Follow equity through `draws` pasts, each as long as this one; a loss of all stays one."""
    return drawn_pasts(returns, returns, draws, block, seed)[1]


def _logs(returns: np.ndarray) -> np.ndarray:
    logs = np.full(len(returns), _ALL_LOST)
    np.log1p(returns, out=logs, where=returns > -1.0)
    return logs


def annual_growth(log_growth: float, T: int, periods_per_year: float) -> float:
    """Compound growth a year, of a log growth over T bars; no more than a number can hold."""
    return float(np.expm1(min(log_growth / T * periods_per_year, -_ALL_LOST)))


def _of_paths(drawn: Paths, cash: float, confidence: float, ruin: float, how: str) -> dict[str, Estimate]:
    tail = (1.0 - confidence) / 2.0
    ends = np.quantile(drawn.growth, [tail, 0.5, 1.0 - tail])
    low, middle, high = (float(x) for x in cash * np.exp(np.minimum(ends, -_ALL_LOST - np.log(cash))))
    said = f"of {len(drawn.growth):,} paths as long as this one, {how}"
    worst = float(np.quantile(drawn.drawdown, 0.05))
    lost = f"share that ever lose {ruin:.0%} of the initial cash"
    return {
        "drawdown_95": Estimate(worst, np.nan, np.nan, "share", f"max drawdown that 95% stay above, {said}"),
        "risk_of_ruin": Estimate(drawn.ruined(ruin), np.nan, np.nan, "share", f"{lost}, {said}"),
        "final_equity": Estimate(
            middle, low, high, "money", f"median and the middle {confidence:.0%}, {said}"
        ),
    }
