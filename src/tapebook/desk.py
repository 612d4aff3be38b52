"""Desk: the one object an analyst holds. It ties the rooms together and computes nothing itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Literal, overload

from tapebook.config import Config
from tapebook.errors import BadParameter
from tapebook.progress import progress

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import pandas as pd
    import polars as pl

    from tapebook.data.catalog import Catalog
    from tapebook.data.lake import Compacted, Lake, Written
    from tapebook.data.panel import Bars
    from tapebook.integration.ingest import Ingested
    from tapebook.integration.sources import Source
    from tapebook.runs import Run
    from tapebook.strategy import Rules, Strategy
    from tapebook.strategy.backtest import Backtest
    from tapebook.strategy.causality import Causality
    from tapebook.strategy.sweep import Sweep

HEADLINE = ("total_return", "sharpe", "max_drawdown", "trades")
"""Figures that a list of results shows."""

AsOf = int | str | datetime | None
"""A snapshot's number, or a time: what the lake held then. None is now."""


class Desk:
    """Market data, strategies, backtests and reports of one place (a folder, or a database).

    desk = Desk.open()
    desk.ingest("sample")
    bars = desk.bars(["AAPL", "MSFT"], start="2005")
    desk.backtest("sma_cross", bars, fast=10).tearsheet()
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    @classmethod
    def open(cls, home: str | Path | None = None, *, snapshot: int | None = None) -> Desk:
        """Open the desk at `home`, at the nearest tapebook.toml, or in this folder.

        Parameters
        ----------
        home : path, optional
            The desk's folder. TAPEBOOK_HOME says it too; see `tapebook.config.Config.load`.
        snapshot : int, optional
            Read every bar as the lake held it at this snapshot, unless a call says otherwise.
        """
        config = Config.load(home)
        return cls(config if snapshot is None else replace(config, snapshot=snapshot))

    @cached_property
    def lake(self) -> Lake:
        """The store of bars."""
        from tapebook.data.lake import Lake

        return Lake.open(self.config)

    @cached_property
    def catalog(self) -> Catalog:
        """The catalogue of strategies, results and runs."""
        from tapebook.data.catalog import Catalog

        return Catalog.open(self.config)

    def close(self) -> None:
        """Let go of every open file and connection."""
        for room in ("lake", "catalog"):
            if room in self.__dict__:
                self.__dict__.pop(room).close()

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        pinned = f", snapshot={self.config.snapshot}" if self.config.snapshot is not None else ""
        return f"Desk({str(self.config.home)!r}{pinned})"

    # ---- data

    def ingest(
        self,
        source: str | Source,
        symbols: str | Sequence[str] = (),
        *,
        start: str | datetime | None = None,
        end: str | datetime | None = None,
        freq: str = "1d",
        dry_run: bool = False,
        quarantine: bool = False,
        force: bool = False,
        **options: Any,
    ) -> Ingested:
        """Write the missing bars of `symbols` (all that the source has, by default) to the lake.

        Parameters
        ----------
        source : str or Source
            A source's name (`tapebook sources` lists them) or an object of your own.
        freq : str
            "1m" to "1mo".
        dry_run : bool
            Fetch and judge, write nothing.
        quarantine : bool
            Let the good rows of a file land and put its broken rows aside; otherwise nothing of a
            symbol with a broken row lands.
        force : bool
            Store bars that the quality checks call severely wrong; they stay marked.
        options
            What the source takes, such as `path=`, `columns=` and `tz=` for "files".
        """
        from tapebook.integration.ingest import ingest

        with progress(f"ingesting {source if isinstance(source, str) else source.name}") as report:
            return ingest(
                self.lake,
                source,
                _names(symbols),
                start=start,
                end=end,
                freq=freq,
                dry_run=dry_run,
                quarantine=self.config.home / "data" / "quarantine" if quarantine else False,
                force=force,
                progress=report,
                **options,
            )

    def bars(
        self,
        symbols: str | Sequence[str] | None = None,
        *,
        start: str | datetime | None = None,
        end: str | datetime | None = None,
        freq: str = "1d",
        adjust: Literal["splits", "total", False] = "splits",
        asof: AsOf = None,
    ) -> Bars:
        """Read bars as wide frames: one row a time, one column a symbol; missing bars stay missing.

        Parameters
        ----------
        symbols : str or list of str, optional
            "AAPL", "AAPL,MSFT" or a list; all that have bars of this length by default.
        start, end : str or datetime, optional
            First and last time, both included. "2005" and "2005-03" mean the whole period.
        adjust : "splits", "total" or False
            Prices adjusted for splits; for splits and dividends; or as printed on the day.
        asof : int, str or datetime, optional
            Read what the lake held at that snapshot or time.
        """
        names = None if symbols is None else _names(symbols)
        return self.lake.bars(names, start=start, end=end, freq=freq, adjust=adjust, asof=self._asof(asof))

    def symbols(self, *, asof: AsOf = None) -> pd.DataFrame:
        """List what the lake holds: one row a symbol and bar length."""
        return self.lake.listing(asof=self._asof(asof))

    def quality(self, symbols: str | Sequence[str] | None = None, *, asof: AsOf = None) -> pd.DataFrame:
        """Return the stored findings of the quality checks, one row a finding."""
        return self.lake.quality(None if symbols is None else _names(symbols), asof=self._asof(asof))

    @overload
    def sql(
        self, query: str, *, out: Literal["pandas"] = ..., asof: AsOf = ..., parameters: Any = ...
    ) -> pd.DataFrame: ...
    @overload
    def sql(
        self, query: str, *, out: Literal["polars"], asof: AsOf = ..., parameters: Any = ...
    ) -> pl.DataFrame: ...
    def sql(
        self,
        query: str,
        *,
        out: Literal["pandas", "polars"] = "pandas",
        asof: AsOf = None,
        parameters: Any = (),
    ) -> pd.DataFrame | pl.DataFrame:
        """Ask the lake in DuckDB's SQL: tables bars, adjusted, actions, instruments, quality. Read-only."""
        answer: pd.DataFrame | pl.DataFrame = self.lake.sql(
            query, out=out, asof=self._asof(asof), parameters=parameters
        )
        return answer

    def delete(self, symbols: str | Sequence[str], *, freq: str | None = None, **span: Any) -> Written:
        """Delete bars (`start=`, `end=` narrow it). Earlier snapshots stay readable."""
        return self.lake.delete(_names(symbols), freq=freq, **span)

    def compact(self) -> Compacted:
        """Merge small files and drop snapshots that no run and no result names."""
        return self.lake.compact(keep=self.catalog.named_snapshots())

    def _asof(self, asof: AsOf) -> AsOf:
        return self.config.snapshot if asof is None else asof

    # ---- strategies

    def strategy(self, name: str | Callable[..., Any]) -> Strategy:
        """Find a strategy: of the library, "file.py:function", or a function of yours."""
        from tapebook.strategy import registry

        return registry.get(name)

    def backtest(
        self,
        strategy: str | Callable[..., Any],
        bars: Bars | str | Sequence[str],
        *,
        rules: Rules | None = None,
        benchmark: str | pd.Series | None = None,
        note: str = "",
        save: bool = True,
        **settings: Any,
    ) -> Backtest:
        """Trade a strategy's decisions on past bars: decided at a close, filled at the next open.

        Parameters
        ----------
        strategy : str or function
            A library name, "file.py:function", or a function `bars, **parameters -> Signals or weights`.
        bars : Bars or symbols
            What to trade. Symbols are read from the lake, adjusted for splits.
        rules : Rules, optional
            Cash, costs, sizing, stops and execution; single fields can be given among `settings`.
        benchmark : str or Series, optional
            A symbol of the lake, or closes. Equal-weight buy and hold of the same bars by default.
        save : bool
            Keep the result in the catalogue, so that `Desk.load(bt.id)` finds it.
        settings
            The strategy's parameters and the fields of `Rules`; an unknown name is refused.

        Raises
        ------
        BadParameter, UnknownName
            Before anything is computed, naming the parameter, what was expected and the near name.
        """
        from tapebook.data.panel import Bars
        from tapebook.strategy import Rules
        from tapebook.strategy.backtest import run_backtest
        from tapebook.strategy.rules import divided

        found = self.strategy(strategy)
        params, ruled = divided(found.name, found.parameters, settings)
        params, rules = found.check(params), replace(rules or Rules(), **ruled)
        panel = bars if isinstance(bars, Bars) else self.bars(bars)
        result = run_backtest(
            found, panel, params=params, rules=rules, benchmark=self._benchmark(benchmark, panel)
        )
        return self.save(result, note=note) if save else result

    def sweep(
        self,
        strategy: str | Callable[..., Any],
        bars: Bars | str | Sequence[str],
        *,
        rules: Rules | None = None,
        where: Callable[..., bool] | str | None = None,
        sample: int | None = None,
        seed: int = 0,
        alone: bool | None = None,
        executor: Executor | None = None,
        resume: Sweep | None = None,
        **settings: Any,
    ) -> Sweep:
        """Trade a strategy under many settings: `fast=range(5, 50), slow=[50, 100], stop_loss=[None, 0.1]`.

        Parameters
        ----------
        where : function or str, optional
            `lambda fast, slow: fast < slow`, or "fast < slow": combinations that are tried.
        sample : int, optional
            Try only so many, drawn at random with `seed`.
        alone : bool, optional
            Each symbol with cash of its own, or all in one pot.
        executor : concurrent.futures.Executor, optional
            Where the work is done; threads of this process by default.
        resume : Sweep, optional
            Go on from one that was stopped with Ctrl-C.
        settings
            Parameters of the strategy and fields of `Rules`; several values vary, one is fixed.
        """
        from tapebook.data.panel import Bars
        from tapebook.strategy.condition import condition
        from tapebook.strategy.sweep import sweep

        panel = bars if isinstance(bars, Bars) else self.bars(bars)
        found = self.strategy(strategy)
        with progress(f"sweeping {found.name}") as report:
            return sweep(
                found,
                panel,
                settings,
                rules=rules,
                where=condition(where) if isinstance(where, str) else where,
                sample=sample,
                seed=seed,
                alone=alone,
                executor=executor,
                resume=resume,
                progress=report,
            )

    def check(
        self,
        strategy: str | Callable[..., Any],
        bars: Bars | str | Sequence[str],
        *,
        cuts: int = 20,
        **params: Any,
    ) -> Causality:
        """Look for decisions that use later bars, by taking those away and replacing them.

        Parameters
        ----------
        strategy, bars
            As for `backtest`; nothing is traded.
        cuts : int
            Random bars after which the future is altered, besides those with a signal.
        params
            The strategy's parameters.

        Returns
        -------
        Causality
            The verdict, the first bar, symbol and field that leaked, and what was not looked at.
        """
        from tapebook.data.panel import Bars
        from tapebook.strategy.lookahead import check

        found = self.strategy(strategy)
        params = found.check(params)
        panel = bars if isinstance(bars, Bars) else self.bars(bars)
        with progress(f"checking {found.name}") as report:
            return check(found, panel, params=params, cuts=cuts, progress=report)

    def _benchmark(self, benchmark: str | pd.Series | None, bars: Bars) -> pd.Series | str | None:
        if not isinstance(benchmark, str) or benchmark in bars.symbols:
            return benchmark
        closes = self.bars(benchmark, end=bars.index[-1], freq=str(bars.freq), adjust=bars.adjust).close[
            benchmark
        ]
        return closes.rename(benchmark)

    def save(self, result: Backtest, *, note: str = "") -> Backtest:
        """Keep a backtest in the catalogue: its files first, then the row that names them."""
        saved = result.named(*_stamp())
        folder = self.config.results / str(saved.id)
        staging = folder.with_name(folder.name + ".part")
        saved.write(staging)
        staging.rename(folder)
        self.catalog.results.add(saved.record(), note=note)
        return saved

    def load(self, id: str) -> Backtest:
        """Read a stored backtest back, whole."""
        from tapebook.strategy.backtest import Backtest

        row = self.catalog.results.get(id)
        return Backtest.read(self.config.results / row.id)

    def results(self, **filters: Any) -> pd.DataFrame:
        """List stored backtests and their first figures, newest first (`strategy=`, `symbol=`, `limit=`)."""
        import pandas as pd

        rows = self.catalog.results.list(**filters)
        shown = [
            {name: row[name] for name in ("id", "created", "strategy", "symbols", "params")}
            | {name: (row["metrics"].get(name) or {}).get("value") for name in HEADLINE}
            | {"execution": row["rules"].get("execution")}
            | {name: row[name] for name in ("snapshot", "run_id", "note")}
            for row in rows
        ]
        return pd.DataFrame(
            shown, columns=None if shown else ["id", "created", "strategy", "symbols", "params"]
        )

    def delete_result(self, id: str) -> None:
        """Delete a stored backtest: the row first, then its files."""
        row = self.catalog.results.get(id)
        self.catalog.results.delete(row.id)
        shutil.rmtree(self.config.results / row.id, ignore_errors=True)

    # ---- runs

    def run(self, template: str, *, timeout: float | None = None, **parameters: Any) -> Run:
        """Run a template of notebooks/templates with these parameters and keep all that came of it.

        Raises
        ------
        BadParameter, UnknownName
            Before anything starts.
        RunFailed
            Afterwards; the partial notebook, the page and the manifest say why.
        """
        from tapebook.runs import run

        with progress(f"running {template}") as report:
            return run(self.config, template, parameters, timeout=timeout, progress=report)

    def runs(self, **filters: Any) -> pd.DataFrame:
        """List runs, newest first (`template=`, `strategy=`, `symbol=`, `outcome=`, `limit=`)."""
        from tapebook.runs import listing

        return listing(self.config, **filters)

    def load_run(self, id: str) -> Run:
        """Read a run's record back."""
        from tapebook.runs import load

        return load(self.config, id)

    def rerun(self, id: str, *, timeout: float | None = None) -> Run:
        """Run again what `id` ran: same snapshot, parameters and seed; the same metrics to the last bit."""
        from tapebook.runs import rerun

        with progress(f"running {id} again") as report:
            return rerun(self.config, id, timeout=timeout, progress=report)

    def diff_runs(self, a: str, b: str) -> pd.DataFrame:
        """Compare two runs: section, name, a, b, same; parameters, data, code, packages, metrics."""
        from tapebook.runs import diff

        return diff(self.config, a, b)

    def delete_run(self, id: str) -> None:
        """Delete a run: its row, then its folder."""
        from tapebook.runs import delete

        delete(self.config, id)

    def same_run(self, template: str, parameters: Mapping[str, Any]) -> Run | None:
        """Find a run that succeeded with this very template, parameters, data and code."""
        from tapebook.runs import same_run

        return same_run(self.config, template, parameters)


def _stamp() -> tuple[str, str]:
    """Return an id for a result and the time that it is made of."""
    now = datetime.now(UTC)
    return f"bt-{now:%Y%m%d-%H%M%S}-{token_hex(2)}", now.isoformat(timespec="seconds")


def _names(symbols: str | Sequence[str]) -> list[str]:
    """Read "AAPL, MSFT" or ["AAPL", "MSFT"]; the order is kept, an empty name is refused."""
    names = symbols.split(",") if isinstance(symbols, str) else list(symbols)
    names = [name.strip() for name in names]
    if "" in names:
        raise BadParameter("symbols", symbols, "names such as 'AAPL' or 'AAPL,MSFT'")
    return names
