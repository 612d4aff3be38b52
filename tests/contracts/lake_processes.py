"""What the lake's tests run in processes of their own: writers, readers, and what must hold."""

from __future__ import annotations

import os
import time

import numpy as np
import pandas as pd

from tapebook.data.lake import Lake

LEGS, ROWS, HEAD = 4, 25, 10
START = pd.Timestamp("2000-01-01", tz="UTC")


def batch(writer, number):
    """Batch `number` of a writer: new bars of each leg, and the head's bars all replaced."""
    days = START + pd.to_timedelta(np.arange(number * ROWS, (number + 1) * ROWS), "D")
    legs = [bars(f"w{writer}-leg{leg}", days, number) for leg in range(LEGS)]
    head = bars(f"w{writer}-head", START + pd.to_timedelta(np.arange(HEAD), "D"), number)
    action = {"symbol": [f"w{writer}-head"], "ts": [START], "split": [1.0], "dividend": [number + 1.0]}
    finding = {"symbol": [f"w{writer}-head"], "freq": ["1d"], "check_name": ["batch"], "severity": ["info"]}
    finding |= {"ts": [START], "value": [float(number)], "detail": [""]}
    return pd.concat([*legs, head]), pd.DataFrame(action), pd.DataFrame(finding)


def bars(symbol, days, value):
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), value + 1.0)
    return pd.DataFrame({"symbol": symbol, "freq": "1d", "ts": days, **prices})


QUERY = """
SELECT split_part(symbol, '-', 1) AS writer, symbol, 'bars' AS what, count(*) AS n,
       count(DISTINCT ts) AS keys, min(close) AS low, max(close) AS high FROM bars GROUP BY ALL
UNION ALL SELECT split_part(symbol, '-', 1), symbol, 'actions', count(*), 1, min(dividend), max(dividend)
FROM actions GROUP BY ALL
UNION ALL SELECT split_part(symbol, '-', 1), symbol, 'quality', count(*), 1, min(value) + 1, max(value) + 1
FROM quality GROUP BY ALL
"""


def whole_batches(lake, asof=None):
    """How many batches of each writer the lake holds; fails if one is lost, doubled or half there."""
    done = {}
    for writer, rows in lake.sql(QUERY, asof=asof).groupby("writer"):
        head = rows[rows.symbol.str.endswith("head")]
        assert set(head.what) == {"bars", "actions", "quality"}, rows
        number = int(head.high.max())
        assert (head.low == number).all(), rows
        assert (head.high == number).all(), rows
        assert head.n.tolist() == [HEAD if what == "bars" else 1 for what in head.what], rows
        legs = rows[~rows.symbol.str.endswith("head")]
        assert len(legs) == LEGS, rows
        assert (legs.n == number * ROWS).all(), rows
        assert (legs["keys"] == legs.n).all(), rows
        done[str(writer)] = number
    return done


def write(config, writer, seconds, told, *, ready=None, compact_every=0):
    """Write batch after batch for some seconds; tell how many."""
    until = _start(ready, seconds)
    with Lake.open(config) as lake:
        number = whole_batches(lake).get(f"w{writer}", 0) if lake.listing().shape[0] else 0
        begun = number
        while time.time() < until or number == begun:
            frames = batch(writer, number)
            lake.write(frames[0], actions=frames[1], quality=frames[2], note=f"{writer}: {number}")
            number += 1
            if compact_every and number % compact_every == 0:
                lake.compact()
    told.put(("wrote", writer, number))


def read(config, reader, seconds, told, *, ready=None):
    """Read again and again for some seconds: batches are whole, and none that was seen disappears."""
    seen, times, until = {}, 0, _start(ready, seconds)
    with Lake.open(config) as lake:
        while time.time() < until or not times:  # a busy machine may need longer for the first
            if lake.listing().empty:
                continue
            now = whole_batches(lake)
            assert all(now[writer] >= number for writer, number in seen.items()), (seen, now)
            seen, times = now, times + 1
            _wide(lake, list(now))
    told.put(("read", reader, times))


def _wide(lake, writers):
    """The same by way of wide frames: the head's bars are of one batch."""
    frames = lake.bars([f"{writer}-head" for writer in writers], adjust=False)
    close = frames.close.to_numpy()
    assert close.shape == (HEAD, len(writers)), close
    assert (close == close[0]).all(), close


def _start(ready, seconds):
    """Wait for the other processes; say until when to go on.

    Many of them work for so long, not so much: the tests beside them go first.
    """
    if ready is not None:
        os.nice(10 if ready.parties > 2 else 0)
        ready.wait(120)
    return time.time() + seconds
