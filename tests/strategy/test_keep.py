"""A strategy kept as text decides the same when its file or notebook has changed or is gone."""

import importlib.util
import json
import math
import subprocess
import sys
from typing import Annotated

import numpy as np
import pandas as pd
import pytest

import cases
from tapebook.errors import BadInput
from tapebook.strategy import Range, Signals, registry, strategy
from tapebook.strategy.compiled import ENTER, LEAVE, compiled
from tapebook.strategy.keep import MOVED, kept, revive


def market(symbols=1):
    return cases.market(np.random.default_rng(0), 300, symbols, holes=False)


WINDOW = 20
EDGES = {"low": -1.0, "high": [1, 2.5]}
MISSING = math.nan
OPEN_THING = object()


def centred(close, *, window=WINDOW):
    return close - close.rolling(window).mean()


@strategy(family="reversion", name="calm")
def calm_trend(bars, *, window: Annotated[int, Range(2, 100, "bars")] = WINDOW, cut: float = EDGES["low"]):
    """Buy far below the mean."""
    far = centred(bars.close, window=window)
    assert np.isnan(MISSING)
    return Signals(far < cut, far > EDGES["high"][0])


@compiled(window=(10, 2, 100, "bars"))
def fast_one(open, high, low, close, volume, p, flags):  # noqa: ARG001
    """Buy a rise."""
    window = int(p[0])
    for t in range(window, close.shape[0]):
        flags[t] = ENTER if close[t] > close[t - window] else LEAVE


def decided(found, bars, **params):
    made = found(bars, **params)
    return made if isinstance(made, pd.DataFrame) else pd.concat([made.entries, made.exits], axis=1)


@pytest.mark.parametrize("name", registry.names())
def test_every_strategy_of_the_library_comes_back(name):
    bars = market(symbols=3 if name in ("cross_momentum", "volatility_target") else 2)
    found = registry.get(name)
    back = revive(kept(found))
    assert back.source_hash == found.source_hash
    assert (back.name, back.family, list(back.parameters)) == (
        found.name,
        found.family,
        list(found.parameters),
    )
    pd.testing.assert_frame_equal(decided(back, bars), decided(found, bars))
    assert kept(back) == kept(found), "what came back can be kept again"


@pytest.mark.parametrize("found", [calm_trend, fast_one], ids=["plain", "compiled"])
def test_a_function_of_a_session_comes_back_in_another_process(found, tmp_path):
    bars = market(symbols=2)
    (tmp_path / "kept.txt").write_text(kept(found), encoding="utf-8")
    found(bars).entries.to_parquet(tmp_path / "then.parquet")
    bars.close.to_parquet(tmp_path / "close.parquet")
    told = f"""
import sys, pandas as pd
sys.path.insert(0, {str(tmp_path)!r})
from pathlib import Path
from tapebook.data.panel import Bars
from tapebook.strategy.code_hash import code_hash
from tapebook.strategy.keep import revive
close = pd.read_parquet("close.parquet")
frames = dict(open=close, high=close, low=close, close=close)
bars = Bars.from_frames(**frames, calendars="24/7")
found = revive(Path("kept.txt").read_text(encoding="utf-8"))
now = found(bars).entries
then = pd.read_parquet("then.parquet")
assert (now.to_numpy() == then.to_numpy()).all()
assert now.to_numpy().any()
print(found.name, found.family, found.source_hash)
"""
    done = subprocess.run([sys.executable, "-c", told], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [found.name, found.family, found.source_hash]


bars = OPEN_THING  # as a notebook has its bars under the name that every strategy gives its own


@strategy
def shadowing(bars, *, window: int = WINDOW):
    """Name things as the notebook around it does."""
    close = [market + 0 for market in (bars.close,)][0]
    return Signals(close > centred(close, window=window), close < 0)


def test_a_name_of_its_own_is_not_what_the_notebook_calls_so():
    assert "market" in globals()
    text = kept(shadowing)
    assert "OPEN_THING" not in text
    assert "bars =" not in text
    assert "def market" not in text
    assert "def centred" in text
    assert "WINDOW = 20" in text
    pd.testing.assert_frame_equal(decided(revive(text), market()), decided(shadowing, market()))


FILE = '''
import numpy as np
from tapebook.strategy import Signals, strategy

LEVEL = 3

@strategy
def above(bars, *, window: int = 5):
    """Buy above the mean."""
    up = bars.close > bars.close.rolling(window).mean() + LEVEL
    return Signals(up, ~up)
'''


def test_a_file_that_changed_since_is_as_it_was(tmp_path):
    file, bars = tmp_path / "ideas.py", market()
    file.write_text(FILE)
    before = registry.get(f"{file}:above")
    text, then = kept(before), decided(before, bars)
    file.write_text(FILE.replace("LEVEL = 3", "LEVEL = -1000"))
    assert not decided(registry.get(f"{file}:above"), bars).equals(then)
    file.unlink()
    pd.testing.assert_frame_equal(decided(revive(text), bars), then)
    assert revive(text).source_hash == before.source_hash
    assert revive(text, "renamed").name == "renamed"


def test_a_closure_is_kept_by_its_values():
    def build(window):
        def inner(bars, *, cut: float = 0.0):
            far = bars.close - bars.close.rolling(window).mean()
            return Signals(far > cut, far < -cut)

        return inner

    bars, found = market(), strategy(build(7))
    pd.testing.assert_frame_equal(decided(revive(kept(found)), bars), decided(found, bars))


def uses_open_thing(bars):
    return OPEN_THING


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (uses_open_thing, "it uses OPEN_THING, a object that text cannot hold: give it as a parameter"),
        (lambda bars: bars.close > 0, "it is a lambda"),
    ],
)
def test_what_text_cannot_hold_is_refused(function, said):
    with pytest.raises(BadInput, match=said):
        kept(strategy(function, name="mine") if function.__name__ == "<lambda>" else strategy(function))


def test_a_file_that_needs_another_is_refused(tmp_path, monkeypatch):
    (tmp_path / "neighbour_of_keep.py").write_text("LEVEL = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "ideas.py"
    file.write_text("from neighbour_of_keep import LEVEL\n" + FILE.replace("LEVEL = 3", ""))
    with pytest.raises(BadInput, match="line 1 imports neighbour_of_keep, a file of yours"):
        kept(registry.get(str(file)))


def test_a_text_that_is_none_or_cannot_run_is_refused():
    with pytest.raises(BadInput, match="this is no kept strategy: expected it to begin with"):
        revive("def f(bars): ...")
    text = kept(registry.get("sma_cross"))
    with pytest.raises(
        BadInput, match="cannot be run here: ModuleNotFoundError: No module named 'gone_away'"
    ):
        revive(text + "\nimport gone_away\n")


def test_what_was_kept_before_a_module_moved_is_made_again():
    """Texts of old name the modules of old; a strategy of the library is found at its old address as well."""
    told = (
        "from tapebook.strategy import Signals, strategy\n"
        "import tapebook.strategy.odds as odds\n"
        "from tapebook.strategy.metrics import total_return as total_return\n"
        "from tapebook.market.pattern_events import occurrences\n"
        "from tapebook.market.rule_text import parsed\n\n"
        "@strategy\ndef old(bars):\n"
        "    assert odds.wilson and total_return and occurrences and parsed\n"
        "    up = bars.close > bars.close.shift(1)\n    return Signals(up, ~up)\n"
    )
    said = {"name": "old", "function": "old", "family": "own", "hash": "as it was"}
    back = revive(f"# tapebook strategy: {json.dumps(said)}\n{told}")
    assert back.source_hash == "as it was"
    assert decided(back, market()).to_numpy().any()
    assert all(importlib.util.find_spec(new) for new in MOVED.values())
