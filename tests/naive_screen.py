"""The screening language the slow way: one symbol, one bar, plain Python lists."""

import math

NAN = math.nan


def mean(x):
    return math.fsum(x) / len(x)


def std(x, less=1):
    m = mean(x)
    return math.sqrt(math.fsum((v - m) ** 2 for v in x) / (len(x) - less))


def window(x, n, work):
    """`work` on the last n of the list at every bar; missing until there are n."""
    return [work(x[t - n + 1 : t + 1]) if t >= n - 1 else NAN for t in range(len(x))]


def lag(x, n):
    return [x[t - n] if t >= n else NAN for t in range(len(x))]


def change(x, n):
    return [x[t] / x[t - n] - 1 if t >= n else NAN for t in range(len(x))]


def rsi(x, n):
    """Wilder (1978): means of gains and losses, first plain, then smoothed by 1 / n."""
    told = [NAN] * len(x)
    up = down = 0.0
    for t in range(1, len(x)):
        gain, loss = max(x[t] - x[t - 1], 0.0), max(x[t - 1] - x[t], 0.0)
        if t <= n:
            up, down = up + gain / n, down + loss / n
        else:
            up, down = up + (gain - up) / n, down + (loss - down) / n
        if t >= n:
            told[t] = 100 * up / (up + down) if up + down else 50.0
    return told


def ema(x, n):
    told = [NAN] * len(x)
    for t in range(n - 1, len(x)):
        told[t] = mean(x[:n]) if t == n - 1 else told[t - 1] + (x[t] - told[t - 1]) * 2 / (n + 1)
    return told


def since(condition):
    told, last = [], None
    for t, holds in enumerate(condition):
        last = t if holds else last
        told.append(NAN if last is None else t - last)
    return told


def crosses(a, b):
    return [
        NAN if t == 0 or math.isnan(a[t] - b[t]) or math.isnan(a[t - 1] - b[t - 1])
        else float(a[t] > b[t] and a[t - 1] <= b[t - 1])
        for t in range(len(a))
    ]  # fmt: skip
