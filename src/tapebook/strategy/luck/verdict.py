"""One verdict in words: 'no evidence', 'weak' or 'worth a forward test', with its reasons.

The bar for a forward test is that chance is unlikely after everything that was tried, and after what
the benchmark explains; `benchmarks/bench_calibration.py` measures how often it is passed without skill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tapebook.strategy.performance.figures import MARK

if TYPE_CHECKING:
    from tapebook.strategy.backtest.backtest import Backtest
    from tapebook.strategy.luck.trials import Tried
    from tapebook.strategy.performance.metrics import Metrics

NO_EVIDENCE, WEAK, WORTH = "no evidence", "weak", "worth a forward test"
SURE = 0.95
MIN_TRADES = 20
"""Entries and exits below which a few lucky trades could make the whole result."""
MIN_YEARS = 1.0


def judge(bt: Backtest, figures: Metrics, tried: Tried) -> tuple[str, tuple[str, ...]]:
    """Weigh the figures of `tapebook.strategy.luck.luck`: the verdict, and why, the heaviest reason first."""
    against = _nothing(bt, figures)
    if against:
        return NO_EVIDENCE, (*against, *_count(figures, tried))
    doubts = _doubts(bt, figures)
    if doubts:
        return WEAK, (*doubts, *_count(figures, tried))
    return WORTH, (*_for(figures), *_count(figures, tried), *_caveats(figures))


def _nothing(bt: Backtest, figures: Metrics) -> list[str]:
    """Reasons for which there is no evidence at all."""
    sure, among = figures["probabilistic_sharpe"].value, figures["deflated_sharpe"].value
    if bt.same_close:
        return [MARK]
    if np.isnan(sure):
        return [f"There is no Sharpe ratio to judge: {figures['probabilistic_sharpe'].convention[6:]}."]
    if sure < SURE:
        return [f"Its Sharpe ratio could be 0 or less: the probability that it is above 0 is {_p(sure)}."]
    if among < 0.5:
        said = f"Luck alone is expected to show as much: {_p(among)} that it beats {_best(figures)}."
        return [said]
    return []


def _doubts(bt: Backtest, figures: Metrics) -> list[str]:
    """Reasons for which it is not worth a forward test yet."""
    said, among, alpha = [], figures["deflated_sharpe"].value, figures["deflated_alpha"]
    if among < SURE:
        said.append(f"{_p(among)} that it beats {_best(figures)}; {SURE:.0%} is asked.")
    if bt.benchmark is not None and np.isnan(alpha.value):
        said.append(f"Nothing speaks for an edge over {bt.benchmark.name}: {alpha.convention[6:]}.")
    elif alpha.value < SURE:
        edge = f"over what {bt.benchmark.name} explains" if bt.benchmark is not None else ""
        said.append(f"{_p(alpha.value)} that its edge {edge} beats the best by luck; {SURE:.0%} is asked.")
    trades = len(bt.trades) if len(bt.trades) >= len(bt.orders) / 2 else len(bt.orders) // 2
    if trades < MIN_TRADES:
        said.append(f"{trades} trades are few: {MIN_TRADES} are asked.")
    years = len(bt.equity) / bt.periods_per_year
    if years < MIN_YEARS:
        said.append(f"{years:.1f} years of data are short: {MIN_YEARS:.0f} is asked.")
    return said


def _for(figures: Metrics) -> list[str]:
    said = [f"{_p(figures['deflated_sharpe'].value)} that it beats {_best(figures)}."]
    alpha = figures["deflated_alpha"]
    if not np.isnan(alpha.value):
        said.append(f"{_p(alpha.value)} of what its benchmark does not explain.")
    return said


def _caveats(figures: Metrics) -> list[str]:
    overfitted = figures["overfitting_probability"].value
    if overfitted > 0.5:
        return [
            f"The choice among the settings says little: the best of one half of time is below the median of "
            f"the other in {_p(overfitted)} of halvings."
        ]
    return []


def _count(figures: Metrics, tried: Tried) -> list[str]:
    """What stands behind the number of trials."""
    raw, alike = figures["trials"].value, figures["independent_trials"].value
    of = f" of {tried.idea}" if tried.idea else ""
    said = [f"{counted(raw, 'trial')}{of} so far, about {alike:,.0f} of them independent."]
    if tried.elsewhere:
        more = counted(tried.elsewhere, "trial")
        said.append(f"On other symbols this family had {more}, not counted here.")
    return said


def _best(figures: Metrics) -> str:
    alike = figures["independent_trials"].value
    return f"the best of {counted(alike, 'independent trial')} without skill"


def counted(n: float, noun: str) -> str:
    """Say how many.

    >>> counted(1.0, "trial"), counted(1200, "trial")
    ('1 trial', '1,200 trials')
    """
    return f"{n:,.0f} {noun}{'' if round(n) == 1 else 's'}"


def _p(share: float) -> str:
    """A probability in words' place: never 0 % and never 100 %."""
    if share >= 0.995:
        return "over 99%"
    return "under 1%" if share < 0.005 else f"{share:.0%}"
