"""A sweep in a few words: for a terminal, and for a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapebook.strategy.sweep.sweep import Sweep


def lines(sw: Sweep) -> list[str]:
    """Return what was tried, how, and the best of it with a warning that it is the best of many."""
    done, said = sw.done, sw.metric.replace("_", " ")
    state = "" if sw.complete else " (stopped: go on with resume=)"
    of = f"{done:,} of {sw.asked:,} combinations of {', '.join(sw.varied)}"
    found = [f"Sweep of {sw.strategy.name}: {of}{state}"]
    found.append(f"  {sw.refused:,} refused by the strategy, {sw.seconds:.1f} s")
    if sw.warning:
        found.append(f"  {sw.warning}")
    if done and not sw.table[sw.metric].isna().all():
        chosen = ", ".join(f"{name}={value}" for name, value in sw.best().items())
        top = sw.ranked()[sw.metric].iloc[0]
        found.append(f"  highest {said} {top:.4g} at {chosen}: the best of {done:,}, not yet evidence")
    return found


def page(sw: Sweep) -> str:
    """Return the same as HTML."""
    first, *rest = lines(sw)
    said = [f"<b>{escape(line.strip())}</b>" if line.strip() == sw.warning else escape(line) for line in rest]
    return f"<p><b>{escape(first)}</b><br>{'<br>'.join(said)}</p>"
