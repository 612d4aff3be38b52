"""What a tear sheet says of luck: the verdict on top, and the figures behind it at the foot."""

from __future__ import annotations

from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING

from tapebook.strategy.luck.verdict import counted

if TYPE_CHECKING:
    from tapebook.strategy.backtest.backtest import Backtest

WIDTH = 108
"""Letters of a line that 700 pixels hold; a narrower page breaks it again (`runs/fit.js`)."""
SAID = {
    "probabilistic_sharpe": "probability that the Sharpe ratio is above 0",
    "deflated_sharpe": "that it beats the best of {independent} by luck ({trials} in all)",
    "deflated_alpha": "the same of what the benchmark does not explain",
    "minimum_backtest": "bars in which luck alone shows as much; there are {bars}",
    "minimum_track_record": "bars needed to be 95% sure that it is above 0",
    "overfitting_probability": "probability of overfitting (CSCV)",
    "superior_ability": "p-value that the best trial does not beat the benchmark (SPA)",
    "reality_check": "the same by White's reality check",
    "haircut_sharpe": "Sharpe ratio a year after the haircut for that many trials",
}


def verdict(bt: Backtest) -> list[str]:
    """Lines of the verdict and its reasons, as plotly's HTML."""
    luck = bt.luck()
    reasons = [line for reason in luck.reasons for line in wrap(reason, WIDTH)]
    first = f"<b>Could it be luck? Verdict: {luck.verdict}</b>"
    return [first, *(escape(line, quote=False) for line in reasons)]


def foot(bt: Backtest) -> list[str]:
    """Lines of the figures behind the verdict, as plotly's HTML."""
    luck = bt.luck()
    known = {
        "independent": counted(luck["independent_trials"].value, "independent trial"),
        "trials": f"{luck['trials'].value:,.0f}",
        "bars": f"{len(bt.equity):,}",
    }
    return [f"<b>{luck[name]}</b>  {said.format(**known)}" for name, said in SAID.items()]
