"""Could it be luck? What is left of one result when all that was tried before it is counted.

Sharpe ratios are compared per bar. A trial's chance is that of a normal: the best of N trials without
skill is expected at `overfit.expected_maximum(N)` standard errors, with 1 / T as the variance of a
ratio and the number of independent trials as N.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from tapebook.errors import BadParameter
from tapebook.strategy.luck import overfit
from tapebook.strategy.luck.sketch import Sketch, residuals
from tapebook.strategy.luck.trials import Tried, effective, own_sketch, with_own
from tapebook.strategy.luck.verdict import counted, judge
from tapebook.strategy.performance import metrics as m
from tapebook.strategy.performance.metrics import Metric, Metrics

if TYPE_CHECKING:
    from tapebook.strategy.backtest.backtest import Backtest

MIN_BUCKETS = 32
"""Days or weeks below which trials are not compared with each other."""
_BLOCK = 8
"""Days or weeks that a block of the cross-validation has at least."""


class _Moments(TypedDict):
    skew: float
    kurtosis: float


class Luck(Metrics):
    """The figures of luck, the verdict they come to, and its reasons, the heaviest first."""

    def __init__(
        self, metrics: Mapping[str, Metric], *, verdict: str, reasons: tuple[str, ...], tried: Tried
    ) -> None:
        super().__init__(metrics)
        self.verdict, self.reasons, self.tried = verdict, reasons, tried

    def record(self) -> dict[str, Any]:
        """Plain values: verdict, reasons, and the figures."""
        return {"verdict": self.verdict, "reasons": list(self.reasons), "figures": self.to_json()}

    def __repr__(self) -> str:
        lines = [f"Verdict: {self.verdict}", *(f"  - {reason}" for reason in self.reasons)]
        return "\n".join(lines) + "\n" + super().__repr__()

    def _repr_html_(self) -> str:
        from html import escape

        said = "".join(f"<li>{escape(reason)}</li>" for reason in self.reasons)
        return f"<p><b>Verdict: {escape(self.verdict)}</b></p><ul>{said}</ul>" + super()._repr_html_()


@dataclass(frozen=True)
class _Record:
    """One track: per-bar ratio with its moments; NaN where there is none."""

    ratio: float
    T: int
    year: float
    known: _Moments

    @property
    def annual(self) -> float:
        return float(self.ratio * np.sqrt(self.year))

    @classmethod
    def of(cls, returns: np.ndarray, year: float) -> _Record:
        returns = returns[np.isfinite(returns)]
        moments: _Moments = {"skew": m.skewness(returns), "kurtosis": m.kurtosis(returns)}
        return cls(m.sharpe(returns, 1.0), len(returns), year, moments)

    def beats(self, N: float) -> float:
        """Probability that it beats the best of N trials without skill."""
        if np.isnan(self.ratio):
            return np.nan
        return overfit.deflated_sharpe(self.ratio, self.T, N=N, variance=1.0 / self.T, **self.known)


def luck(bt: Backtest, *, trials: int | None = None) -> Luck:
    """Judge a backtest next to all that was tried before it.

    Parameters
    ----------
    trials : int, optional
        How many independent trials were made, the discarded and this one included. By default what the
        desk's ledger knows of this idea (`bt.tried`); 1 where it knows nothing.

    Returns
    -------
    Luck
        Figures by name; a figure that cannot be had is NaN and its convention says why.
    """
    if trials is not None and trials < 1:
        raise BadParameter("trials", trials, "at least 1: this one; count the discarded ones")
    if trials is None:
        tried = with_own(bt, bt.tried or Tried(1))
        N = tried.effective.count
    else:
        tried, N = Tried(trials), float(trials)
    track = _Record.of(bt.returns.to_numpy(dtype=float), bt.periods_per_year)
    found = {
        "trials": Metric(tried.raw, "count", f"all that were ever made of {tried.idea or 'this idea'}"),
        "independent_trials": Metric(round(N, 1), "count", _independent(tried, trials is not None)),
        **_alone(track),
        **_among(track, N, tried.raw),
        "deflated_alpha": _alpha(bt, N if trials is not None else _of_alpha(bt, tried)),
        **_compared(bt, bt.tried.sample if bt.tried and trials is None else None),
    }
    verdict, reasons = judge(bt, Metrics(found), tried)
    return Luck(found, verdict=verdict, reasons=reasons, tried=tried)


def _independent(tried: Tried, said: bool) -> str:
    if said:
        return "as you say"
    if tried.effective.sampled < 2:
        return "nothing to compare with: each trial counts"
    groups, sampled = tried.effective.groups, tried.effective.sampled
    alike = f"{sampled:,} compared, in {counted(groups, 'group')} of like returns"
    return f"so many have by luck the same highest ratio as these with their correlations: {alike}"


# ---- one track


def _alone(track: _Record) -> dict[str, Metric]:
    if np.isnan(track.ratio):
        why = "fewer than 2 bars" if track.T < 2 else "the bar returns do not vary"
        none = Metric(np.nan, "share", f"none: {why}")
        return {"probabilistic_sharpe": none, "minimum_track_record": none}
    sure = overfit.probabilistic_sharpe(track.ratio, track.T, **track.known)
    said = "probability that the true Sharpe ratio is above 0, by the ratio of bars, its skew and kurtosis"
    return {"probabilistic_sharpe": Metric(sure, "share", said), "minimum_track_record": _length(track)}


def _length(track: _Record) -> Metric:
    if track.ratio <= 0.0:
        return Metric(np.nan, "bars", "none: no track is long enough for a Sharpe ratio not above 0")
    needed = overfit.minimum_track_record(track.ratio, **track.known)
    years = f"{needed / track.year:,.1f} years"
    said = f"to be 95% sure that the Sharpe ratio is above 0 ({years}); there are {track.T:,}"
    return Metric(np.ceil(needed), "bars", said)


def _among(track: _Record, N: float, raw: int) -> dict[str, Metric]:
    if np.isnan(track.ratio):
        none = Metric(np.nan, "share", "none: the bar returns do not vary")
        return dict.fromkeys(("deflated_sharpe", "minimum_backtest", "haircut_sharpe"), none)
    hurdle = overfit.sharpe_hurdle(N, 1.0 / track.T) * np.sqrt(track.year)
    among = counted(N, "independent trial")
    said = f"probability that it beats the best of {among} ({raw:,} in all) without skill, "
    said += f"an annual Sharpe ratio of {hurdle:.2f}"
    found = {"deflated_sharpe": Metric(track.beats(N), "share", said)}
    return found | {"minimum_backtest": _enough(track, N), "haircut_sharpe": _haircut(track, N)}


def _enough(track: _Record, N: float) -> Metric:
    if track.ratio <= 0.0:
        return Metric(np.nan, "bars", "none: the Sharpe ratio is not above 0")
    years = overfit.minimum_backtest_years(N, track.annual)
    luckily = f"in which {counted(N, 'independent trial')} without skill show {track.annual:.2f} a year"
    said = f"{luckily} at best ({years:,.1f} years); there are {track.T:,}"
    return Metric(np.ceil(years * track.year), "bars", said)


def _haircut(track: _Record, N: float) -> Metric:
    left, p = overfit.haircut_sharpe(track.annual, track.T / track.year, max(round(N), 1))
    tests = counted(N, "independent test")
    said = f"annual Sharpe ratio {track.annual:.2f} after Bonferroni's correction for {tests}"
    return Metric(left, "ratio", f"{said}, p-value {p:.3f} (Harvey & Liu 2015)")


def _of_alpha(bt: Backtest, tried: Tried) -> float:
    """Independent trials by what the benchmark does not explain: without it they are less alike."""
    if bt.benchmark is None or tried.sample is None:
        return tried.effective.count
    rest = residuals(tried.sample, own_sketch(bt.benchmark.pct_change(fill_method=None)))
    return tried.effective.count if rest is None else max(effective(rest, tried.raw).count, 1.0)


def _alpha(bt: Backtest, N: float) -> Metric:
    """The same question of what the benchmark does not explain: returns less beta times its returns."""
    if bt.benchmark is None:
        return Metric(np.nan, "share", "none: there is no benchmark")
    mine = bt.returns.to_numpy(dtype=float)
    theirs = bt.benchmark.pct_change(fill_method=None).fillna(0.0).to_numpy(dtype=float)
    both = np.isfinite(mine) & np.isfinite(theirs)
    mine, theirs = mine[both], theirs[both]
    if len(mine) < 3 or theirs.std() <= 1e-14:
        return Metric(np.nan, "share", "none: the benchmark does not vary")
    beta = float(np.cov(mine, theirs, ddof=1)[0, 1] / theirs.var(ddof=1))
    rest = mine - beta * theirs
    if rest.std() <= 0.02 * mine.std():  # but for the cost of getting in
        return Metric(np.nan, "share", f"none: it is its benchmark, {beta:.2f} times")
    track = _Record.of(rest, bt.periods_per_year)
    ratio = f"appraisal ratio {track.annual:.2f} a year (Treynor & Black 1973), beta {beta:.2f}"
    said = f"the same of what {bt.benchmark.name} does not explain, among {counted(N, 'independent trial')}: "
    said += ratio
    return Metric(track.beats(N), "share", said)


# ---- next to the other trials


def _compared(bt: Backtest, sample: Sketch | None) -> dict[str, Metric]:
    """Overfitting among the trials of the same time, and whether the best of them beats the benchmark."""
    own = own_sketch(bt.returns)
    unit = "days" if own.unit == "D" else "weeks"
    T = own.values.shape[1]
    names = ("overfitting_probability", "superior_ability", "reality_check")
    if T < MIN_BUCKETS:
        none = Metric(np.nan, "share", f"none: {MIN_BUCKETS} {unit} are needed, there are {T}")
        return dict.fromkeys(names, none)
    block = _same_time(own, sample)
    return {"overfitting_probability": _overfit(block, unit), **_against(bt, block, unit)}


def _same_time(own: Sketch, sample: Sketch | None) -> np.ndarray:
    """Simple returns of the trials that cover the same time, (buckets, trials), this one last."""
    others = np.empty((0, own.values.shape[1]))
    if sample is not None and sample.unit == own.unit:
        at = own.first - sample.first
        window = sample.values[:, max(at, 0) : max(at, 0) + own.values.shape[1]]
        if at >= 0 and window.shape[1] == own.values.shape[1]:
            others = window[np.isnan(window).mean(axis=1) < 0.05]
    block = np.nan_to_num(np.vstack([others, own.values]))
    moving = block.std(axis=1) > 1e-9
    simple: np.ndarray = np.expm1(block[moving]).T
    return simple


def _overfit(block: np.ndarray, unit: str) -> Metric:
    T, N = block.shape
    if N < 3:
        return Metric(np.nan, "share", "none: too few other trials of the same time are in the ledger")
    splits = min(16, T // _BLOCK // 2 * 2)
    chance, ways = overfit.overfitting_probability(block, splits=splits)
    said = f"share of {len(ways):,} halvings of time in which the best of {N:,} trials is below the median"
    return Metric(chance, "share", f"{said} of the other half (CSCV, {splits} blocks of {unit})")


def _against(bt: Backtest, block: np.ndarray, unit: str) -> dict[str, Metric]:
    names = ("superior_ability", "reality_check")
    if bt.benchmark is None or not block.shape[1]:
        why = "there is no benchmark" if bt.benchmark is None else "the bar returns do not vary"
        return dict.fromkeys(names, Metric(np.nan, "share", f"none: {why}"))
    theirs = own_sketch(bt.benchmark.pct_change(fill_method=None)).values[0]
    benchmark = np.expm1(np.nan_to_num(theirs))
    p = overfit.superior_ability(block, benchmark, seed=0)
    best = f"p-value that the best of {counted(block.shape[1], 'trial')} does not beat {bt.benchmark.name}"
    how = f"mean return of {unit}, 1,000 draws"
    return {
        "superior_ability": Metric(p["consistent"], "share", f"{best}: {how} (Hansen 2005)"),
        "reality_check": Metric(p["reality_check"], "share", f"{best}: {how} (White 2000)"),
    }
