"""Finding strategies: by name, in a file, of an installed package, and a function at hand."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints

import pandas as pd
import pytest

from tapebook.data.panel import Bars
from tapebook.errors import BadInput, UnknownName
from tapebook.strategy import Strategy, registry, strategy

TWO = """
from dataclasses import dataclass
from tapebook import strategy
from tapebook.strategy.library.sma_cross import sma_cross  # of another file: does not count

@dataclass
class Known:
    level: int = 1

def helper(bars, *, k: int = 2):
    return bars.close * k * Known().level

@strategy
def trend(bars, *, n: int = 2):
    'Go.'
    return helper(bars, k=n)
"""


def test_names_and_near_names():
    assert registry.get("sma_cross").name == "sma_cross"
    assert registry.get("sma_cross") is registry.get("sma_cross")
    with pytest.raises(UnknownName, match="no strategy named 'sma_crss'. Did you mean 'sma_cross'") as caught:
        registry.get("sma_crss")
    assert "path/to/file.py:function" in str(caught.value)
    for name in ("../declare", "__init__", "", "sma cross"):
        with pytest.raises(UnknownName):
            registry.get(name)


def test_functions_are_taken_as_they_are():
    @strategy
    def own(bars):
        return bars.close

    def plain(bars, *, n: int = 3):
        """Hold."""
        return bars.close * n

    assert registry.get(own) is own
    found = registry.get(plain)
    assert isinstance(found, Strategy)
    assert (found.name, found.description, found.parameters["n"].default) == ("plain", "Hold.", 3)


def test_a_file_is_run_and_its_strategy_found(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(TWO)
    for name in (file, str(file), f"{file}:trend"):
        assert registry.get(name).name == "trend"
    assert registry.get(f"{file}:helper").parameters["k"].default == 2
    bars = Bars.from_frames(close=pd.DataFrame({"A": [1.0, 2]}, pd.to_datetime(["2020-01-01", "2020-01-02"])))
    assert registry.get(file)(bars, n=3)["A"].tolist() == [3.0, 6.0]
    assert not list(tmp_path.rglob("*.pyc"))
    with pytest.raises(UnknownName, match=r"strategy in .*mine.py named 'trnd'. Did you mean 'trend'"):
        registry.get(f"{file}:trnd")


def test_a_file_that_changed_is_read_again(tmp_path):
    file = tmp_path / "mine.py"
    seen = []
    for n in (2, 3, 4):  # same size, same second
        file.write_text(f"from tapebook import strategy\n@strategy\ndef f(bars, *, n={n}): return bars.close")
        seen.append(registry.get(file))
    assert [s.parameters["n"].default for s in seen] == [2, 3, 4]
    assert len({s.source_hash for s in seen}) == 3


def test_a_strategy_may_be_named_otherwise_than_its_function(tmp_path):
    file = tmp_path / "ideas.py"
    file.write_text(
        "from tapebook import strategy\n"
        "@strategy(name='calm')\ndef f(bars): return bars.close\n"
        "@strategy(name='wild')\ndef g(bars): return bars.close\n"
    )
    assert registry.get(f"{file}:calm").name == registry.get(f"{file}:f").name == "calm"
    with pytest.raises(BadInput, match=r"declares 2 strategies, calm, wild: name one, as in ideas.py:calm"):
        registry.get(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n1 / 0", "bad.py, line 2, cannot be imported: ZeroDivisionError: division by zero"),
        ("x = 1\ndef f(:\n", "bad.py, line 2, cannot be imported: SyntaxError"),
        ("import nowhere_at_all", "bad.py, line 1, cannot be imported: ModuleNotFoundError"),
        (
            "from tapebook import strategy\n@strategy\ndef f(bars, *, cash=1): ...",
            "bad.py, line 2, cannot be imported: strategy f: the parameter name 'cash' is taken",
        ),
        ("def f(bars): ...", "declares no strategy: write @strategy above one function, .* as in bad.py:f"),
        ("", "declares no strategy"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, text, said):
    file = tmp_path / "bad.py"
    file.write_text(text)
    with pytest.raises(BadInput, match=said):
        registry.get(file)
    with pytest.raises(BadInput, match="there is no file .*gone.py: expected a strategy's path"):
        registry.get(tmp_path / "gone.py")


def fake(monkeypatch, **values):
    points = EntryPoints(EntryPoint(name, value, registry.GROUP) for name, value in values.items())
    monkeypatch.setattr(registry, "entry_points", lambda **wanted: points.select(**wanted))


def test_installed_packages_bring_strategies(monkeypatch):
    fake(
        monkeypatch,
        theirs="tapebook.strategy.library.momentum:momentum",
        broken="nowhere_at_all:f",
        module="tapebook.strategy.library.momentum",
        sma_cross="tapebook.strategy.library.momentum:momentum",
    )
    assert "theirs" in registry.names()
    assert registry.names() == sorted(set(registry.names()))
    assert registry.get("theirs").name == "momentum"
    assert registry.get("sma_cross").name == "sma_cross"  # the library's own is never replaced
    with pytest.raises(BadInput, match="strategy broken of .* cannot be imported: ModuleNotFoundError"):
        registry.get("broken")
    with pytest.raises(BadInput, match="strategy module of .* is a module: expected a function"):
        registry.get("module")
    with pytest.raises(UnknownName, match="Did you mean 'theirs'"):
        registry.get("their")


def test_names_cost_nothing_heavy_and_one_name_loads_one_module():
    code = (
        "import sys; from tapebook.strategy import registry; registry.names(); "
        "heavy = {'pandas', 'numpy', 'talib', 'numba'} & set(sys.modules); assert not heavy, heavy; "
        "registry.get('buy_and_hold'); "
        "own = [m for m in sys.modules if m.startswith('tapebook.strategy.library.')]; "
        "assert own == ['tapebook.strategy.library.buy_and_hold'], own; "
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
