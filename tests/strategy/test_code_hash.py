"""The hash names the code: the same for the same, another for another, in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tapebook.strategy import Signals, registry, strategy
from tapebook.strategy.code_hash import code_hash


def made(n):
    def inner(bars, *, k: int = 1):
        return Signals(bars.close > n, bars.close < n)

    return strategy(inner)


CLOSED = [
    1,
    1.0,
    "1",
    None,
    True,
    (1, 2),
    [1, 2],
    {1, 2},
    {"a": 1},
    {"a": 2},
    np.arange(3),
    np.arange(3.0),
    len,
]


@pytest.mark.parametrize("one", range(len(CLOSED)))
def test_what_it_closes_over_is_part_of_it(one):
    hashes = [made(value).source_hash for value in CLOSED]
    assert made(CLOSED[one]).source_hash == hashes[one]
    assert hashes.count(hashes[one]) == 1


def test_functions_that_it_closes_over_are_part_of_it():
    def one(x):
        return x + 1

    def two(x):
        return x + 2

    assert made(one).source_hash == made(one).source_hash != made(two).source_hash
    assert made(made(1)).source_hash == made(made(1)).source_hash != made(made(2)).source_hash


def test_a_function_may_close_over_itself():
    @strategy
    def own(bars, *, again: bool = True):
        return own(bars, again=False) if again else bars.close

    assert len(own.source_hash) == 64
    assert len(code_hash(own.function)) == 64  # now it closes over the strategy


def typed(text):
    space = {}
    exec(text, space)  # as in a shell: no source to be read
    return strategy(space["f"])


def test_without_source_the_bytecode_is_named():
    texts = [
        "def f(bars, *, n=1): return bars.close * n",
        "def f(bars, *, n=2): return bars.close * n",
        "def f(bars, *, n=1): return bars.close * n + 1",
        "def f(bars, *, n=1): return bars.open * n",
        "def f(bars, *, n=1): return (lambda x: x + 1)(bars.close)",
        "def f(bars, *, n=1): return (lambda x: x + 2)(bars.close)",
    ]
    hashes = [typed(text).source_hash for text in texts]
    assert hashes == [typed(text).source_hash for text in texts]
    assert len(set(hashes)) == len(hashes)


NOTEBOOK = """
import json
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

CELL = '''
from typing import Annotated
from tapebook import strategy
from tapebook.strategy import Range
@strategy
def trend(bars, *, n: Annotated[int, Range(1, 9)] = N):
    "Go."
    return bars.close * n
SEEN = trend.source_hash, trend.parameters["n"].high, trend.description
'''
shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
seen = []
for n in (2, 2, 3):
    shell.run_cell(CELL.replace("= N)", f"= {n})")).raise_error()
    seen.append(shell.user_ns["SEEN"])
print(json.dumps(seen))
"""


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | environment,
    ).stdout.strip()


def test_a_strategy_may_be_declared_in_a_notebook(tmp_path):
    seen = json.loads(run(NOTEBOOK, IPYTHONDIR=str(tmp_path)))
    assert seen[0] == seen[1] != seen[2]
    assert seen[0][1:] == [9, "Go."]


def test_it_is_the_same_in_every_process():
    code = "from tapebook.strategy import registry; print(registry.get('sma_cross').source_hash)"
    assert run(code) == registry.get("sma_cross").source_hash
