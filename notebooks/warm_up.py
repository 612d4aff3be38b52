"""What every warm kernel has done already: a fork server runs this once, before its first kernel.

Imports, and one small backtest with all that a report asks of it, so that kernels are compiled and
calendars built. Add what your own templates import. It must start no thread and open no lake: neither
survives a fork.
"""

from tempfile import TemporaryDirectory

import duckdb  # noqa: F401
import ipywidgets  # noqa: F401
import pyarrow.parquet  # noqa: F401
import scipy.cluster.hierarchy  # noqa: F401
from pandas.core.arrays.arrow import extension_types  # noqa: F401

from tapebook import Desk, Recorder
from tapebook.dashboards import warm
from tapebook.data import panels, synthetic  # noqa: F401
from tapebook.data.catalog import Catalog  # noqa: F401
from tapebook.data.lake import Lake  # noqa: F401
from tapebook.strategy.backtest import store  # noqa: F401

bars = synthetic.random_walk(bars=750, seed=0).bars
record = Recorder(None)
with TemporaryDirectory() as folder, Desk.open(folder) as desk:
    record.table("coverage", bars.coverage())
    bt = desk.backtest("sma_cross", bars, save=False)
    record.figure("tearsheet", bt.tearsheet())
    record.table("trades", bt.trades)
    for found in (bt.metrics, bt.luck(), bt.expectancy()):
        record.table("figures", found.frame())

warm.warm_up()
