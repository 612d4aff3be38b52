"""Searches of 1,000 settings each, compiled: what an analyst tries before one result is shown."""

from __future__ import annotations

import numpy as np

from tapebook.strategy.compiled import ENTER, LEAVE, compiled


@compiled(fast=(10, 1, 500, "bars"), slow=(50, 2, 1000, "bars"), family="trend")
def moving_averages(open, high, low, close, volume, p, flags):  # noqa: ARG001
    """Be long while the fast mean is above the slow one."""
    fast, slow = int(p[0]), int(p[1])
    one, other = 0.0, 0.0
    for t in range(close.shape[0]):
        one += close[t] - (close[t - fast] if t >= fast else 0.0)
        other += close[t] - (close[t - slow] if t >= slow else 0.0)
        if t >= slow - 1:
            flags[t] = ENTER if one / fast > other / slow else LEAVE


@compiled(window=(14, 2, 250, "bars"), low=(30.0, 1, 99, "buy below"), high=(55.0, 1, 99, "sell above"))
def reversion(open, high, low, close, volume, p, flags):  # noqa: ARG001
    """Buy below a low relative strength index of Wilder's, sell above a high one."""
    window = int(p[0])
    up, down = 0.0, 0.0
    for t in range(1, close.shape[0]):
        move = close[t] - close[t - 1]
        up += (max(move, 0.0) - up) / window
        down += (max(-move, 0.0) - down) / window
        if t >= window and up + down > 0.0:
            strength = 100.0 * up / (up + down)
            flags[t] = ENTER if strength < p[1] else (LEAVE if strength > p[2] else 0)


@compiled(number=(1, 0, 100000, "of the coin"), hold=(10, 1, 500, "bars between two throws"))
def coin(open, high, low, close, volume, p, flags):  # noqa: ARG001
    """Be long or flat by a coin that knows nothing: every number is a strategy of its own."""
    state = int(p[0]) * 7919 + 12345
    hold = int(p[1])
    for t in range(close.shape[0]):
        if t % hold == 0:
            for _ in range(3):
                state = (state * 1103515245 + 12345) % 2147483648
            flags[t] = ENTER if (state >> 16) & 1 else LEAVE


@compiled(threshold=(1.0, 0.0, 100.0, "million units"), smooth=(1, 1, 500, "bars"), family="volume")
def follow(open, high, low, close, volume, p, flags):  # noqa: ARG001
    """Be long while volume is high: `tapebook.data.synthetic.follow`, compiled."""
    smooth = int(p[1])
    busy = 0.0
    for t in range(close.shape[0]):
        busy += volume[t] - (volume[t - smooth] if t >= smooth else 0.0)
        if t >= smooth - 1:
            flags[t] = ENTER if busy / smooth > p[0] * 1e6 else LEAVE


SEARCHES = {
    "moving averages": (moving_averages, {"fast": range(1, 41), "slow": range(50, 300, 10)}),
    "RSI reversion": (
        reversion,
        {"window": range(4, 24, 2), "low": range(15, 45, 3), "high": range(46, 76, 3)},
    ),
    "1,000 coins": (coin, {"number": range(1000), "hold": 10}),
    "volume": (
        follow,
        {"threshold": np.round(np.linspace(0.4, 2.35, 40), 2).tolist(), "smooth": range(1, 26)},
    ),
}
